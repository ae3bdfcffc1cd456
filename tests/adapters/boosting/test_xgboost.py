"""`EarlyStopping` in real trainings of XGBoost, beside XGBoost's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from earlystop.adapters.xgboost import EarlyStopping
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import earlystop as es

from .curves import MARGINS, curve

xgboost.set_config(verbosity=0)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] + RNG.normal(size=60) > 0).astype(float)
TRAIN, VALID = xgboost.DMatrix(X[:30], Y[:30]), xgboost.DMatrix(X[30:], Y[30:])
PARAMETERS = {"max_depth": 2, "nthread": 1, "objective": "binary:logistic", "eta": 0.5}
SCRIPTED = {**PARAMETERS, "max_depth": 1, "disable_default_eval_metric": 1}


def scripted(
    values: list[float], *callbacks: Any, name: str = "m", model: Any = None
) -> xgboost.Booster:
    """Train while the metric of the data set `valid` takes these values."""
    calls = iter(values)
    return xgboost.train(
        SCRIPTED,
        TRAIN,
        len(values),
        evals=[(VALID, "valid")],
        custom_metric=lambda *_: (name, next(calls)),
        callbacks=list(callbacks),
        verbose_eval=False,
        xgb_model=model,
    )


def outcome(booster: xgboost.Booster) -> tuple[Any, ...]:
    told = booster.attr("best_iteration"), booster.attr("best_score")
    return booster.num_boosted_rounds(), *told


def train(*callbacks: Any, rounds: int = 60, **others: Any) -> xgboost.Booster:
    evals = [(TRAIN, "train"), (VALID, "validation_0")]
    return xgboost.train(
        PARAMETERS,
        TRAIN,
        rounds,
        evals=evals,
        callbacks=list(callbacks),
        verbose_eval=False,
        **others,
    )


# The same decisions ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(240))
def test_decisions_are_those_of_xgboost_with_its_arguments(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = curve(rng, int(rng.integers(1, 25)), (np.nan, np.inf, -np.inf))
    settings = {
        "rounds": int(rng.integers(0, 6)),
        "min_delta": float(rng.choice(MARGINS)),
        "maximize": [None, True, False][rng.integers(3)],
        "save_best": bool(rng.integers(2)),
    }
    name = str(rng.choice(["m", "auc", "mape", "preference"]))
    ours = scripted(values, EarlyStopping(**settings), name=name)
    theirs = scripted(values, xgboost.callback.EarlyStopping(**settings), name=name)
    assert outcome(ours) == outcome(theirs)


@pytest.mark.parametrize("seed", range(4))
def test_real_metrics_and_folds_end_where_xgboost_ends_them(seed: int) -> None:
    settings: dict[str, Any] = {"rounds": 2 + seed, "min_delta": [0.0, 0.001][seed % 2]}
    ours, theirs = EarlyStopping(**settings), xgboost.callback.EarlyStopping(**settings)
    assert outcome(train(ours)) == outcome(train(theirs))
    tables = [
        xgboost.cv(
            PARAMETERS, TRAIN, 60, nfold=3, metrics=["auc", "logloss"], seed=seed, callbacks=[one]
        )
        for one in (EarlyStopping(**settings), xgboost.callback.EarlyStopping(**settings))
    ]
    assert tables[0].equals(tables[1])
    assert len(tables[0]) < 60


@pytest.mark.parametrize("seed", range(20))
def test_of_two_metrics_with_one_name_the_last_decides_as_in_xgboost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, settings = curve(rng, 20), {"rounds": int(rng.integers(1, 5)), "save_best": seed > 9}
    ended = []
    for make in (EarlyStopping, xgboost.callback.EarlyStopping):
        calls = iter(values)
        booster = xgboost.train(
            {**PARAMETERS, "eval_metric": "error"},
            TRAIN,
            len(values),
            evals=[(VALID, "valid")],
            custom_metric=lambda *_: ("error", next(calls)),  # noqa: B023  # of this training
            callbacks=[make(**settings)],
            verbose_eval=False,
        )
        ended.append(outcome(booster))
    assert ended[0] == ended[1]


def test_the_metric_and_the_data_set_may_be_named() -> None:
    names = {"data_name": "train", "metric_name": "error"}
    parameters = {**PARAMETERS, "eval_metric": ["error", "logloss"]}
    evals = [(TRAIN, "train"), (VALID, "valid")]
    for name, value in names.items():
        ended = [
            xgboost.train(parameters, TRAIN, 60, evals=evals, callbacks=[one], verbose_eval=False)
            for one in (
                EarlyStopping(rounds=3, **{name: value}),
                xgboost.callback.EarlyStopping(rounds=3, **{name: value}),
            )
        ]
        assert outcome(ended[0]) == outcome(ended[1])


def test_a_scikit_learn_model_stops_and_is_cloned_and_searched() -> None:
    def model(callback: Any) -> xgboost.XGBClassifier:
        return xgboost.XGBClassifier(n_estimators=60, callbacks=[callback], **PARAMETERS)

    models = [model(EarlyStopping(rounds=4)), model(xgboost.callback.EarlyStopping(rounds=4))]
    for one in models:
        one.fit(X[:30], Y[:30], eval_set=[(X[30:], Y[30:])], verbose=False)
    assert models[0].best_iteration == models[1].best_iteration
    assert (models[0].predict_proba(X) == models[1].predict_proba(X)).all()
    again = clone(models[0]).fit(X[:30], Y[:30], eval_set=[(X[30:], Y[30:])], verbose=False)
    assert again.best_iteration == models[0].best_iteration
    search = GridSearchCV(
        model(EarlyStopping(stop=es.Patience("validation_0-logloss", 2))),
        {"callbacks": [[EarlyStopping(rounds=n)] for n in (1, 3)]},
        cv=2,
    )
    search.fit(X, Y, eval_set=[(X[30:], Y[30:])], verbose=False)
    assert search.best_estimator_.best_iteration < 60


# Rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joint", ["-", "/", "_", " ", "'s "])
def test_rules_name_metrics_as_logs_do(joint: str) -> None:
    name = f"validation_0{joint}logloss"
    callback = EarlyStopping(stop=es.Patience(name, 3, mode="min"), save=es.Best(name, "min"))
    booster = train(callback)
    assert outcome(booster) == outcome(train(EarlyStopping(rounds=3)))
    assert name in callback.stopped_reason
    assert booster.attr("stopped_reason") == callback.stopped_reason


def test_rules_look_at_means_and_deviations_of_folds() -> None:
    def table(stop: es.Rule, save: es.Rule | None = None) -> Any:
        callback = EarlyStopping(stop=stop, save=save)
        return xgboost.cv(
            PARAMETERS, TRAIN, 20, nfold=3, metrics=["logloss"], seed=1, callbacks=[callback]
        )

    whole = xgboost.cv(PARAMETERS, TRAIN, 20, nfold=3, metrics=["logloss"], seed=1)
    mean = table(es.Patience("test-logloss-mean", 3), es.Best("test-logloss"))
    assert len(mean) == whole["test-logloss-mean"].argmin() + 1
    bound = float(whole["test-logloss-std"].iloc[2])
    deviation = table(es.Threshold("test-logloss-std", bound, mode="max"))
    reached = int((whole["test-logloss-std"] >= bound).argmax())
    assert len(deviation) == reached + 1  # all of it, as nothing says what is the best


def test_any_rule_may_stop_and_save_and_positions_are_rounds() -> None:
    for stop in (es.MaxEpochs(5), es.MaxSteps(5), es.Threshold("epoch", 4, mode="max")):
        booster = train(EarlyStopping(stop=stop, save=es.Every(2)))
        assert outcome(booster) == (5, "3", None)
    callback = EarlyStopping(stop=es.TimeLimit(1e-9) | es.NonFinite())
    assert train(callback).num_boosted_rounds() == 1
    assert "s have passed" in callback.stopped_reason


def test_a_shared_stopper_decides_once_a_round_and_begins_anew_with_each_training() -> None:
    stopper = es.EarlyStopping("validation_0-logloss", patience=4)
    for _ in range(2):
        booster = train(EarlyStopping(stop=stopper), EarlyStopping(stop=stopper))
        assert stopper.checks == booster.num_boosted_rounds()
        assert outcome(booster) == outcome(train(EarlyStopping(rounds=4)))


def test_one_callback_trains_one_model_after_another() -> None:
    callback = EarlyStopping(2)
    for values in ([1.0, 2.0, 3.0, 4.0], [9.0, 8.0, 9.0, 9.0, 9.0]):
        best = int(np.argmin(values))
        assert outcome(scripted(values, callback))[:2] == (best + 3, str(best))
        assert callback.stopping_history == {"valid": {"m": values[: best + 3]}}


def test_save_best_keeps_the_best_rounds_and_what_is_told_about_them() -> None:
    values = [3.0, 2.0, 1.0, 2.0, 3.0]
    callback = EarlyStopping(
        stop=es.Patience("valid-m", 2, mode="min"), save=es.Best("valid-m", "min"), save_best=True
    )
    booster = scripted(values, callback)
    assert outcome(booster) == (3, "2", "1.0")
    assert booster.attr("stopped_reason") == callback.stopped_reason != ""


# Going on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_training_that_goes_on_ends_as_one_that_was_never_interrupted(cut: int) -> None:
    values = [5.0, 4.0, 3.0, 3.5, 3.2, 3.1, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5]
    whole = scripted(values, EarlyStopping(rounds=6))
    first = scripted(values[:cut], EarlyStopping(rounds=6))
    model = xgboost.Booster(model_file=first.save_raw("ubj"))
    second = scripted(values[cut:], EarlyStopping(rounds=6), model=model)
    assert outcome(second) == outcome(whole)
    assert second.attr("stopped_reason") == whole.attr("stopped_reason")


@pytest.mark.parametrize("interval", [1, 3])
def test_a_checkpoint_on_the_way_goes_on_exactly(tmp_path: Path, interval: int) -> None:
    values = [5.0, 4.0, 3.0, 3.5, 3.2, 3.1, 3.0, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5]
    whole = scripted(values, EarlyStopping(rounds=6))
    kept = xgboost.callback.TrainingCheckPoint(tmp_path, interval=interval)
    scripted(values[:9], EarlyStopping(rounds=6, state_interval=interval), kept)
    for path in tmp_path.iterdir():
        done = int(path.stem.split("_")[1]) + 1
        assert outcome(scripted(values[done:], EarlyStopping(rounds=6), model=path)) == outcome(
            whole
        )
    assert len(list(tmp_path.iterdir())) == 8 // interval


def test_where_xgboost_begins_anew_on_a_model_ours_goes_on_and_resume_says_which() -> None:
    first, then = [5.0, 1.0, 2.0], [4.0, 3.0, 2.5, 2.5, 2.5, 2.5]
    ended = {}
    for name, make in {
        "theirs": lambda: xgboost.callback.EarlyStopping(rounds=3),
        "ours": lambda: EarlyStopping(rounds=3),
        "anew": lambda: EarlyStopping(rounds=3, resume=False),
    }.items():
        ended[name] = outcome(scripted(then, make(), model=scripted(first, make())))
    assert ended["theirs"] == ended["anew"] == (9, "5", "2.5")
    assert ended["ours"] == (5, "1", "1.0")


def test_a_model_whose_training_was_stopped_is_trained_on_anew_as_by_xgboost() -> None:
    first, then = [1.0, 2.0, 2.0, 2.0], [3.0, 2.0, 2.0, 2.0, 2.0]
    ended = [
        outcome(scripted(then, make(rounds=2), model=scripted(first, make(rounds=2))))
        for make in (EarlyStopping, xgboost.callback.EarlyStopping)
    ]
    assert ended[0] == ended[1] == (7, "4", "2.0")


def test_a_model_without_a_state_counts_its_rounds() -> None:
    plain = scripted([1.0] * 5)
    booster = scripted([3.0, 2.0, 2.5, 2.5], EarlyStopping(rounds=2), model=plain)
    assert outcome(booster) == (9, "6", "2.0")
    stop = es.MaxEpochs(7)
    booster = scripted([3.0] * 9, EarlyStopping(stop=stop), model=plain)
    assert booster.num_boosted_rounds() == 7


def test_the_state_of_a_model_that_was_changed_since_is_not_gone_on_from() -> None:
    first = scripted([5.0, 1.0, 2.0], EarlyStopping(rounds=3))
    longer = scripted([9.0], model=first)  # without the callback
    assert outcome(scripted([4.0, 5.0, 5.0, 5.0], EarlyStopping(rounds=3), model=longer))[1] == "4"


def test_two_callbacks_on_one_metric_have_a_state_each() -> None:
    values = [5.0, 4.0, 4.5, 4.5, 4.5, 3.0, 3.5, 3.5, 3.5, 3.5, 3.5]

    def callbacks() -> list[EarlyStopping]:
        name = "valid-m"
        watching = EarlyStopping(stop=es.Never(), save=es.Best(name, "min"))
        return [EarlyStopping(stop=es.Patience(name, 4, mode="min")), watching]

    whole = scripted(values, *callbacks())
    first = scripted(values[:4], *callbacks())
    assert outcome(scripted(values[4:], *callbacks(), model=first)) == outcome(whole)


def test_a_callback_that_is_not_asked_in_the_last_round_has_it_in_its_state() -> None:
    """XGBoost asks no callback behind one that stops."""
    values = [5.0, 4.0, 4.5, 3.0, 3.5, 3.5, 3.5, 3.5]

    def later() -> EarlyStopping:
        return EarlyStopping(
            stop=es.Patience("valid-m", 4, mode="min"), save=es.Best("valid-m", "min")
        )

    whole = scripted(values, later())
    first = scripted(values, EarlyStopping(stop=es.MaxEpochs(4)), later())
    assert outcome(first) == (4, "3", "3.0")
    beside = EarlyStopping(stop=es.Never(), resume=False)
    assert outcome(scripted(values[4:], beside, later(), model=first)) == outcome(whole)


def test_other_numbers_go_on_only_if_that_is_said() -> None:
    first = scripted([5.0, 4.0, 4.5], EarlyStopping(rounds=2, min_delta=0.25))
    with pytest.raises(es.StateError, match=r"changed_rules=True.*resume=False"):
        scripted([4.5], EarlyStopping(rounds=4, min_delta=0.25), model=first)
    callback = EarlyStopping(rounds=4, min_delta=0.25, changed_rules=True)
    assert outcome(scripted([4.5] * 9, callback, model=first))[:2] == (6, "1")
    stopped = scripted([5.0, 4.0, 4.5, 4.5], EarlyStopping(rounds=2))
    callback = EarlyStopping(rounds=4, changed_rules=True)
    assert outcome(scripted([4.5] * 9, callback, model=stopped))[:2] == (6, "1")


def test_a_damaged_state_is_told() -> None:
    model = scripted([5.0, 4.0], EarlyStopping(rounds=2))
    good = json.loads(model.attr("earlystop_0"))
    for text, told in (
        ("{", "not JSON"),
        ("[]", "expected"),
        (json.dumps({**good, "version": 9}), "version 9"),
        (json.dumps({**good, "stopper": {}}), "expected"),
    ):
        model.set_attr(earlystop_0=text)
        with pytest.raises(es.StateError, match=told):
            scripted([4.0], EarlyStopping(rounds=2), model=model)


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({}, es.RuleTypeError, "rounds"),
        ({"rounds": -1}, es.RuleError, "rounds"),
        ({"rounds": 1.5}, es.RuleTypeError, "rounds"),
        ({"rounds": 2, "min_delta": -0.1}, es.RuleError, "min_delta"),
        ({"rounds": 2, "stop": es.MaxEpochs(3)}, es.RuleError, "leave out rounds"),
        ({"stop": es.MaxEpochs(3), "save_best": True}, es.RuleError, "save=Best"),
        ({"rounds": 2, "save": es.Best("loss")}, es.RuleError, "stop="),
        ({"rounds": 2, "state_interval": 0}, es.RuleError, "state_interval"),
        ({"rounds": 2, "resume": "no"}, es.RuleTypeError, "resume"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    arguments: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        EarlyStopping(**arguments)


def test_metrics_and_data_sets_that_are_not_there_are_named_with_those_that_are() -> None:
    with pytest.raises(es.RuleError, match="data sets: train, validation_0"):
        train(EarlyStopping(rounds=2, data_name="valid"))
    with pytest.raises(es.RuleError, match="available metrics: logloss"):
        train(EarlyStopping(rounds=2, metric_name="auc"))
    with pytest.raises(es.MissingMetricError, match="train-logloss, validation_0-logloss"):
        train(EarlyStopping(stop=es.Patience("val_loss", 2)))
    with pytest.raises(es.RuleError, match="watches a data set, and there is none"):
        xgboost.train(PARAMETERS, TRAIN, 3, callbacks=[EarlyStopping(rounds=2)])
    with pytest.raises(es.RuleError, match="cv"):
        xgboost.cv(PARAMETERS, TRAIN, 3, callbacks=[EarlyStopping(rounds=2, save_best=True)])
    linear = {"booster": "gblinear", "nthread": 1}
    with pytest.raises(es.RuleError, match="trees"):
        xgboost.train(
            linear,
            TRAIN,
            5,
            evals=[(VALID, "v")],
            callbacks=[EarlyStopping(rounds=2, save_best=True)],
        )
