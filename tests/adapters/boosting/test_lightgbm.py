"""`early_stopping` in real trainings of LightGBM, beside LightGBM's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
import pytest
from earlystop.adapters.lightgbm import early_stopping

import earlystop as es

from .curves import MARGINS, curve
from .lightgbm_trainings import PARAMETERS, X, Y, data, outcome, scripted, train


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What LightGBM's logger is told."""
    lines: list[str] = []

    class Logger:
        def info(self, message: str) -> None:
            lines.append(message)

        warning = info

    lightgbm.register_logger(Logger())
    yield lines
    import logging

    lightgbm.register_logger(logging.getLogger("lightgbm"))


# The same decisions ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(240))
def test_decisions_are_those_of_lightgbm_with_its_arguments(seed: int, told: list[str]) -> None:
    rng = np.random.default_rng(seed)
    length, metrics = int(rng.integers(1, 20)), int(rng.integers(1, 4))
    directions = [bool(rng.integers(2)) for _ in range(metrics)]
    columns = [curve(rng, length, (np.nan, np.inf, -np.inf)) for _ in range(metrics)]
    rounds = [
        [(f"m{i}", column[row], directions[i]) for i, column in enumerate(columns)]
        for row in range(length)
    ]
    margins = [float(rng.choice(MARGINS)) for _ in range(metrics)]
    settings = {
        "stopping_rounds": int(rng.integers(-1, 7)),
        "first_metric_only": bool(rng.integers(2)),
        "min_delta": [margins[0], margins, [], margins[:1]][rng.integers(4)],
    }
    how = {"with_training": bool(rng.integers(2)), "sets": int(rng.integers(1, 3))}
    ended = []
    for make in (early_stopping, lightgbm.early_stopping):
        told.clear()
        recorded: dict[str, Any] = {}
        others = [lightgbm.record_evaluation(recorded)]  # sees the last round, too
        booster = scripted(rounds, make(**settings), *others, **how)
        ended.append(((*outcome(booster), repr(recorded)), list(told)))
    ours, theirs = ended
    assert ours[0] == theirs[0]
    if settings["stopping_rounds"] > 0:  # LightGBM says what it waits for even if it does not
        assert ours[1] == [line for line in theirs[1] if "min_delta" not in line]


@pytest.mark.parametrize("seed", range(4))
def test_real_metrics_and_folds_end_where_lightgbm_ends_them(seed: int) -> None:
    settings: dict[str, Any] = {"stopping_rounds": 2 + seed, "first_metric_only": seed % 2 == 0}
    own = [early_stopping(verbose=False, **settings)]
    theirs = [lightgbm.early_stopping(verbose=False, **settings)]
    assert outcome(train(*own, sets=2)) == outcome(train(*theirs, sets=2))
    tables = []
    for callbacks in (own, theirs):
        parameters = {**PARAMETERS, "metric": ["auc", "binary_logloss"]}
        tables.append(
            lightgbm.cv(
                parameters,
                data()[0],
                40,
                nfold=3,
                seed=seed,
                callbacks=callbacks,
                eval_train_metric=seed > 1,
                return_cvbooster=True,
            )
        )
    best = [table.pop("cvbooster").best_iteration for table in tables]
    assert best[0] == best[1]
    assert tables[0] == tables[1]


def test_dart_and_training_data_alone_are_not_stopped_as_by_lightgbm(told: list[str]) -> None:
    for others in ({"params": {"boosting": "dart"}}, {"valid": "training"}, {"valid": "train"}):
        lines = []
        for make in (early_stopping, lightgbm.early_stopping):
            told.clear()
            if "valid" in others:
                train_set = data()[0]
                booster = lightgbm.train(
                    PARAMETERS,
                    train_set,
                    30,
                    valid_sets=[train_set],
                    valid_names=[others["valid"]],
                    callbacks=[make(1)],
                )
            else:
                booster = train(make(1), rounds=30, **others)
            assert booster.current_iteration() == 30
            lines.append(list(told))
        assert lines[0] == lines[1] != []


def test_a_scikit_learn_model_stops_where_lightgbm_stops_it() -> None:
    models = []
    for make in (early_stopping, lightgbm.early_stopping):
        model = lightgbm.LGBMClassifier(
            n_estimators=50, min_child_samples=3, num_leaves=4, verbosity=-1
        )
        model.fit(
            *(X[:40], Y[:40]),
            eval_set=[(X[:40], Y[:40]), (X[40:], Y[40:])],
            eval_metric=["auc", "binary_logloss"],
            callbacks=[make(3, verbose=False)],
        )
        models.append(model)
    assert models[0].best_iteration_ == models[1].best_iteration_ < 50
    assert models[0].best_score_ == models[1].best_score_
    assert (models[0].predict_proba(X) == models[1].predict_proba(X)).all()


# Rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joint", ["-", "/", "_", " ", "'s "])
def test_rules_name_metrics_as_logs_do(joint: str, told: list[str]) -> None:
    name = f"valid_0{joint}binary_logloss"
    callback = early_stopping(stop=es.Patience(name, 3, mode="min"), save=es.Best(name, "min"))
    booster = train(callback)
    own = train(early_stopping(3, first_metric_only=True, verbose=False))
    assert outcome(booster) == outcome(own)
    assert name in callback.stopped_reason
    assert f"Stopped: {callback.stopped_reason}" in told
    assert any(line.startswith("Early stopping, best iteration is:") for line in told)


def test_rules_look_at_means_and_deviations_of_folds() -> None:
    def folds(*callbacks: Any) -> dict[str, Any]:
        parameters = {**PARAMETERS, "metric": "binary_logloss"}
        return lightgbm.cv(parameters, data()[0], 20, nfold=3, callbacks=list(callbacks))

    whole = folds()
    mean = es.Best("valid-binary_logloss-mean")
    stopped = folds(early_stopping(stop=es.Patience(mean.monitor, 3), save=mean, verbose=False))
    values = whole["valid binary_logloss-mean"]
    best = int(np.argmin(values))
    assert stopped["valid binary_logloss-mean"] == values[: best + 1]
    deviations = whole["valid binary_logloss-stdv"]
    stop = es.Threshold("valid binary_logloss-stdv", deviations[2], mode="max")
    reached = int(np.argmax(np.array(deviations) >= deviations[2]))
    stopped = folds(early_stopping(stop=stop, verbose=False))
    assert stopped["valid binary_logloss-stdv"] == deviations[: reached + 1]


def test_any_rule_may_stop_and_save_and_positions_are_rounds() -> None:
    for stop in (es.MaxEpochs(5), es.MaxSteps(5), es.Threshold("epoch", 4, mode="max")):
        booster = train(early_stopping(stop=stop, save=es.Every(2), verbose=False))
        assert outcome(booster)[:2] == (5, 4)
    callback = early_stopping(stop=es.TimeLimit(1e-9) | es.NonFinite(), verbose=False)
    assert train(callback).current_iteration() == 1
    assert "s have passed" in callback.stopped_reason


def test_in_dart_mode_rules_end_the_training_and_keep_all_rounds() -> None:
    rule = es.Patience("valid_0-auc", 4)
    callback = early_stopping(stop=rule, save=es.Best("valid_0-auc"), verbose=False)
    booster = train(callback, params={"boosting": "dart"})
    assert booster.best_iteration == booster.current_iteration() < 40


def test_rules_that_save_nothing_keep_all_rounds() -> None:
    callback = early_stopping(stop=es.Patience("valid_0-auc", 2), verbose=False)
    booster = train(callback)
    assert booster.best_iteration == booster.current_iteration() < 40
    callback = early_stopping(stop=es.Never(), verbose=False)
    assert outcome(train(callback)) == outcome(train())
    callback = early_stopping(stop=es.Never(), save=es.Best("valid_0-auc"), verbose=False)
    assert 0 < train(callback).best_iteration < 40  # in the last round, too
    assert callback.stopped_reason == ""


def test_a_shared_stopper_decides_once_a_round_and_begins_anew_with_each_training() -> None:
    stopper = es.EarlyStopping("valid_0-binary_logloss", patience=4)
    for _ in range(2):
        both = [early_stopping(stop=stopper, verbose=False) for _ in range(2)]
        booster = train(*both)
        assert stopper.checks == booster.num_trees()
        own = train(early_stopping(4, first_metric_only=True, verbose=False))
        assert outcome(booster) == outcome(own)


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({}, es.RuleTypeError, "stopping_rounds"),
        ({"stopping_rounds": 1.5}, es.RuleTypeError, "stopping_rounds"),
        ({"stopping_rounds": 2, "min_delta": -0.1}, es.RuleError, "min_delta"),
        ({"stopping_rounds": 2, "min_delta": [0.1, -0.1]}, es.RuleError, "min_delta"),
        ({"stopping_rounds": 2, "min_delta": "0.1"}, es.RuleTypeError, "min_delta"),
        ({"stopping_rounds": 2, "verbose": 3}, es.RuleTypeError, "verbose"),
        (
            {"stopping_rounds": 2, "stop": es.MaxEpochs(3)},
            es.RuleError,
            "leave out stopping_rounds",
        ),
        ({"stop": es.MaxEpochs(3), "min_delta": 0.1}, es.RuleError, "leave out min_delta"),
        ({"stopping_rounds": 2, "save": es.Best("loss")}, es.RuleError, "stop="),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    arguments: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        early_stopping(**arguments)


@pytest.mark.parametrize("stopping_rounds", [-1, 0, 2])
@pytest.mark.parametrize(
    ("min_delta", "metric"), [([0.1] * 3, ["auc", "binary_logloss"]), (0.0, "none")]
)
def test_what_lightgbm_refuses_in_the_first_round_is_refused_whether_or_not_it_may_stop(
    stopping_rounds: int, min_delta: Any, metric: Any
) -> None:
    for make in (early_stopping, lightgbm.early_stopping):
        with pytest.raises(ValueError, match=r"min_delta|evaluat"):
            train(make(stopping_rounds, min_delta=min_delta), params={"metric": metric})


def test_metrics_that_are_not_there_are_named_with_those_that_are() -> None:
    with pytest.raises(es.MissingMetricError, match="valid_0-auc, valid_0-binary_logloss"):
        train(early_stopping(stop=es.Patience("val_loss", 2)))
    with pytest.raises(es.RuleError, match="valid_sets"):
        train(early_stopping(2), sets=0)
    with pytest.raises(es.RuleError, match="one for each metric, got 3 for 2"):
        train(early_stopping(2, min_delta=[0.1, 0.1, 0.1], verbose=False))
