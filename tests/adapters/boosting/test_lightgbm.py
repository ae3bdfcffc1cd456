"""`early_stopping` in real trainings of LightGBM, beside LightGBM's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
import pytest
from earlystop.adapters.lightgbm import early_stopping

import earlystop as es

from .curves import MARGINS, curve

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
Y = (X[:, 0] + RNG.normal(size=90) > 0).astype(float)
PARAMETERS = {
    **{"verbosity": -1, "num_threads": 1, "num_leaves": 4, "min_data_in_leaf": 3},
    **{"objective": "binary", "deterministic": True},
}


def data() -> tuple[lightgbm.Dataset, list[lightgbm.Dataset]]:
    train = lightgbm.Dataset(X[:40], Y[:40], free_raw_data=False)
    sets = [(X[40:65], Y[40:65]), (X[65:], Y[65:])]
    return train, [lightgbm.Dataset(x, y, reference=train, free_raw_data=False) for x, y in sets]


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


def outcome(booster: lightgbm.Booster) -> tuple[Any, ...]:
    best = {data: dict(metrics) for data, metrics in booster.best_score.items()}
    return booster.num_trees(), booster.best_iteration, repr(best)


def train(*callbacks: Any, rounds: int = 40, sets: int = 1, **others: Any) -> lightgbm.Booster:
    train_set, valid = data()
    parameters = {**PARAMETERS, "metric": ["binary_logloss", "auc"], **others.pop("params", {})}
    return lightgbm.train(
        parameters,
        train_set,
        rounds,
        valid_sets=valid[:sets],
        keep_training_booster=True,  # else it is cut after the best round
        callbacks=list(callbacks),
        **others,
    )


def scripted(
    curves: list[list[tuple[str, float, bool]]],
    callback: Any,
    *,
    with_training: bool = False,
    sets: int = 1,
    model: Any = None,
) -> lightgbm.Booster:
    """Train while the metrics of each data set in turn take these values, for each round."""
    calls = iter([one for one in curves for _ in range(sets + with_training)])
    train_set, valid = data()
    return lightgbm.train(
        {**PARAMETERS, "metric": "none"},
        train_set,
        len(curves),
        valid_sets=valid[:sets] + [train_set] * with_training,
        valid_names=["a", "b"][:sets] + ["seen"] * with_training,
        feval=lambda *_: next(calls),
        callbacks=[callback],
        init_model=model,
    )


def rising(values: list[float]) -> list[list[tuple[str, float, bool]]]:
    return [[("m", value, True)] for value in values]


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
        ended.append((outcome(scripted(rounds, make(**settings), **how)), list(told)))
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
    for others in ({"params": {"boosting": "dart"}}, {"valid": False}):
        lines = []
        for make in (early_stopping, lightgbm.early_stopping):
            told.clear()
            if "valid" in others:
                train_set = data()[0]
                booster = lightgbm.train(
                    PARAMETERS, train_set, 30, valid_sets=[train_set], callbacks=[make(1)]
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


# Going on ---------------------------------------------------------------------------------------

FALLING = [5.0, 6.0, 7.0, 6.5, 6.8, 6.9, 8.0, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_training_that_goes_on_ends_as_one_that_was_never_interrupted(cut: int) -> None:
    whole = outcome(scripted(rising(FALLING), early_stopping(6, verbose=False)))
    first = early_stopping(6, verbose=False)
    states: list[Any] = []

    def interrupt(env: Any) -> None:
        if env.iteration == cut - 1:
            states.append((json.dumps(first.state_dict()), env.model.model_to_string()))

    interrupt.order = 40  # type: ignore[attr-defined]  # after the other
    train_set, valid = data()
    calls = iter(rising(FALLING))
    lightgbm.train(
        {**PARAMETERS, "metric": "none"},
        train_set,
        len(FALLING),
        valid_sets=valid[:1],
        valid_names=["a"],
        feval=lambda *_: next(calls),
        callbacks=[first, interrupt],
    )
    ((state, text),) = states
    second = early_stopping(6, verbose=False)
    second.load_state_dict(json.loads(state))
    model = lightgbm.Booster(model_str=text)
    went_on = scripted(rising(FALLING[cut:]), second, model=model)
    assert outcome(went_on) == whole
    assert second.stopped_reason == first.stopped_reason


def test_a_state_needs_its_rules_its_metrics_and_its_model() -> None:
    callback = early_stopping(3, verbose=False)
    model = scripted(rising([1.0, 2.0]), callback)
    state = callback.state_dict()

    def going_on(other: Any, values: Any, **how: Any) -> lightgbm.Booster:
        other.load_state_dict(state)
        return scripted(values, other, **how)

    for other, how, told in (
        (early_stopping(4, verbose=False), {"model": model}, "changed_rules=True"),
        (early_stopping(3, verbose=False), {}, "2 rounds.*after 0"),
        (early_stopping(3, verbose=False), {"model": model, "sets": 2}, "1 metrics.*watches 2"),
    ):
        with pytest.raises(es.StateError, match=told):
            going_on(other, rising([1.0]), **how)
    changed = early_stopping(4, verbose=False, changed_rules=True)
    assert going_on(changed, rising([1.0] * 9), model=model).best_iteration == 2
    for damaged in ({}, {**state, "waits": 3}, {**state, "version": 7}):
        with pytest.raises(es.StateError):
            early_stopping(3).load_state_dict(damaged)
    state["waits"][0]["best"] = [1, [["a"]]]
    with pytest.raises(es.StateError, match="best should be"):
        going_on(early_stopping(3, verbose=False), rising([1.0]), model=model)


def test_a_training_that_had_been_stopped_ends_after_one_round_with_its_best() -> None:
    callback = early_stopping(2, verbose=False)
    model = scripted(rising([1.0, 2.0, 1.0, 1.0, 9.0]), callback)
    again = early_stopping(2, verbose=False)
    again.load_state_dict(callback.state_dict())
    booster = scripted(rising([9.0, 9.0]), again, model=model)
    assert booster.current_iteration() == 2  # LightGBM has cut off the one after the best
    assert booster.best_iteration == model.best_iteration == 2
    assert again.stopped_reason == callback.stopped_reason


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


def test_metrics_that_are_not_there_are_named_with_those_that_are() -> None:
    with pytest.raises(es.MissingMetricError, match="valid_0-auc, valid_0-binary_logloss"):
        train(early_stopping(stop=es.Patience("val_loss", 2)))
    with pytest.raises(es.RuleError, match="valid_sets"):
        train(early_stopping(2), sets=0)
    with pytest.raises(es.RuleError, match="3 for 2 metrics"):
        train(early_stopping(2, min_delta=[0.1, 0.1, 0.1], verbose=False))
