"""`EarlyStopping` in real trainings of CatBoost, beside its overfitting detector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest
from earlystop.adapters.catboost import EarlyStopping

import earlystop as es

from .curves import curve

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 3))
Y = X[:, 0] + RNG.normal(size=100) * 1.5
LEARN, TEST, OTHER = (X[:40], Y[:40]), (X[40:75], Y[40:75]), (X[75:], Y[75:])
PARAMETERS: dict[str, Any] = {
    **{"iterations": 60, "depth": 2, "learning_rate": 0.4, "thread_count": 1},
    **{"verbose": False, "allow_writing_files": False, "random_seed": 1},
}


class Scripted:
    """A metric that takes these values on the data set of this size, in each iteration."""

    def __init__(self, values: list[float], rises: bool, size: int) -> None:
        self.values, self.rises, self.size = values, rises, size
        self.calls: Iterator[float] = iter(values)

    def is_max_optimal(self) -> bool:
        return self.rises

    def get_final_error(self, error: float, weight: float) -> float:
        return error

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        return (next(self.calls) if len(target) == self.size else 0.0), 1.0


def scripted(
    values: list[float], rises: bool, callbacks: list[Any] | None = None, **parameters: Any
) -> catboost.CatBoost:
    metric = Scripted(values, rises, len(TEST[1]))
    everything = {**PARAMETERS, "depth": 1, "iterations": len(values), **parameters}
    model = catboost.CatBoostRegressor(eval_metric=metric, use_best_model=False, **everything)
    return model.fit(*LEARN, eval_set=TEST, callbacks=callbacks)


def train(*callbacks: Any, sets: Any = TEST, **parameters: Any) -> catboost.CatBoostRegressor:
    model = catboost.CatBoostRegressor(**{**PARAMETERS, **parameters})
    return model.fit(*LEARN, eval_set=sets, callbacks=list(callbacks) or None)


# The same decisions ---------------------------------------------------------------------------


def same_end(ours: Any, theirs: Any, callback: EarlyStopping) -> bool:
    assert ours.tree_count_ == theirs.tree_count_
    assert ours.get_evals_result() == theirs.get_evals_result()
    assert callback.best_iteration == theirs.get_best_iteration()
    return True


@pytest.mark.parametrize("block", range(10))
def test_decisions_are_those_of_the_detector_with_its_arguments(block: int) -> None:
    rng = np.random.default_rng(block)
    for seed in range(24):
        parameters = {
            "random_seed": seed,
            "learning_rate": float(rng.uniform(0.1, 1.2)),
            "depth": int(rng.integers(1, 4)),
            "bootstrap_type": str(rng.choice(["No", "Bernoulli"])),
            "use_best_model": bool(rng.integers(2)),
            "loss_function": str(rng.choice(["RMSE", "MAE", "Quantile:alpha=0.3"])),
        }
        sets = [TEST, [TEST, OTHER]][rng.integers(2)]
        wait = int(rng.integers(1, 7))
        name = str(rng.choice(["od_wait", "early_stopping_rounds"]))
        callback = EarlyStopping(**{name: wait})
        theirs = train(sets=sets, od_type="Iter", od_wait=wait, **parameters)
        assert same_end(train(callback, sets=sets, **parameters), theirs, callback)


@pytest.mark.filterwarnings("ignore:Can't optim")  # a metric with a state is not compiled
@pytest.mark.parametrize("seed", range(20))
def test_ties_and_steep_curves_end_where_the_detector_ends_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = curve(rng, int(rng.integers(1, 25)))
    rises, wait = bool(rng.integers(2)), int(rng.integers(1, 6))
    theirs = scripted(values, rises, od_type="Iter", od_wait=wait)
    (monitor,) = theirs.get_evals_result()["validation"].keys() - {"RMSE"}
    mode: Any = "max" if rises else "min"
    callback = EarlyStopping(f"validation-{monitor}", wait, mode=mode)
    assert same_end(scripted(values, rises, [callback]), theirs, callback)
    assert callback.best_score == theirs.get_best_score()["validation"][monitor]


@pytest.mark.parametrize("metric", ["AUC", "Logloss", "Accuracy", "BrierScore", "MCC"])
def test_the_direction_is_catboost_s_own(metric: str) -> None:
    def fit(callbacks: Any = None, **parameters: Any) -> catboost.CatBoostClassifier:
        model = catboost.CatBoostClassifier(eval_metric=metric, **{**PARAMETERS, **parameters})
        sets = (TEST[0], TEST[1] > 0)
        return model.fit(LEARN[0], LEARN[1] > 0, eval_set=sets, callbacks=callbacks)

    ours = fit([EarlyStopping(f"validation-{metric}", 5)])
    theirs = fit(od_type="Iter", od_wait=5)
    assert ours.tree_count_ == theirs.tree_count_
    assert ours.get_evals_result() == theirs.get_evals_result()


# Rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joint", ["-", "/", "_", " ", "'s "])
def test_rules_name_metrics_as_logs_do_and_the_best_is_kept(joint: str) -> None:
    name = f"validation{joint}MAE"
    callback = EarlyStopping(stop=es.Patience(name, 4, mode="min"), save=es.Best(name, "min"))
    model = train(callback, custom_metric=["MAE"], use_best_model=False)
    values = model.get_evals_result()["validation"]["MAE"]
    assert callback.best_iteration == int(np.argmin(values)) == len(values) - 5
    assert callback.best_score == min(values)
    assert name in callback.stopped_reason
    best = model.predict(X, ntree_end=callback.best_iteration + 1)
    assert callback.keep_best(model) is model
    assert model.tree_count_ == callback.best_iteration + 1
    assert (model.predict(X) == best).all()


def test_the_best_is_kept_behind_the_model_that_the_training_began_with() -> None:
    first = train(iterations=7, use_best_model=False)
    name = "validation-RMSE"
    callback = EarlyStopping(stop=es.Patience(name, 2), save=es.Best(name))
    model = catboost.CatBoostRegressor(**{**PARAMETERS, "learning_rate": 1.0})
    model.fit(*LEARN, eval_set=TEST, callbacks=[callback], init_model=first, use_best_model=False)
    assert callback.keep_best(model).tree_count_ == 7 + callback.best_iteration + 1


def test_a_best_that_is_not_there_or_was_cut_off_cannot_be_kept() -> None:
    callback = EarlyStopping(stop=es.MaxEpochs(3))
    with pytest.raises(es.RuleError, match="save=Best"):
        callback.keep_best(train(callback))
    callback = EarlyStopping(od_wait=3)
    with pytest.raises(es.RuleError, match="use_best_model=False"):
        callback.keep_best(train(callback))


def test_any_rule_may_stop_and_save_and_positions_are_iterations() -> None:
    for stop in (es.MaxEpochs(5), es.MaxSteps(5), es.Threshold("epoch", 4, mode="max")):
        callback = EarlyStopping(stop=stop, save=es.Every(2))
        assert train(callback, use_best_model=False).tree_count_ == 5
        assert (callback.best_iteration, callback.best_score) == (3, None)
    callback = EarlyStopping(stop=es.TimeLimit(1e-9) | es.NonFinite())
    assert train(callback, use_best_model=False).tree_count_ == 1
    assert "s have passed" in callback.stopped_reason


def test_iterations_without_the_metric_do_not_count() -> None:
    name = "validation-RMSE"
    callback = EarlyStopping(stop=es.Patience(name, 3), save=es.Best(name))
    model = train(callback, metric_period=4, use_best_model=False)
    values = model.get_evals_result()["validation"]["RMSE"]
    best = int(np.argmin(values))
    assert len(values) == best + 4
    assert callback.best_iteration == 4 * best
    assert model.tree_count_ == 4 * (best + 3) + 1


def test_a_shared_stopper_decides_once_an_iteration_and_begins_anew_with_each_training() -> None:
    stopper = es.EarlyStopping("validation-RMSE", patience=4)
    for _ in range(2):
        model = train(
            EarlyStopping(stop=stopper), EarlyStopping(stop=stopper), use_best_model=False
        )
        assert stopper.checks == model.tree_count_
        assert (
            model.tree_count_ == train(EarlyStopping(od_wait=4), use_best_model=False).tree_count_
        )
    stopper = es.Stopper(es.MaxEpochs(1))
    for _ in range(3):
        assert train(EarlyStopping(stop=stopper), EarlyStopping(stop=stopper)).tree_count_ == 1


def test_one_callback_trains_one_model_after_another() -> None:
    callback = EarlyStopping(od_wait=3)
    ended = [train(callback, random_seed=seed, use_best_model=False).tree_count_ for seed in (1, 2)]
    fresh = [train(EarlyStopping(od_wait=3), random_seed=s, use_best_model=False) for s in (1, 2)]
    assert ended == [model.tree_count_ for model in fresh]


# Going on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
def test_a_training_that_goes_on_from_a_snapshot_ends_as_one_that_was_never_interrupted(
    tmp_path: Path, shared: bool
) -> None:
    def fit(iterations: int, folder: str | None) -> tuple[Any, ...]:
        rule = (
            {"stop": es.EarlyStopping("validation-RMSE", patience=6)} if shared else {"od_wait": 6}
        )
        callbacks = [EarlyStopping(**rule) for _ in range(1 + shared)]
        files: dict[str, Any] = {"allow_writing_files": False}
        if folder is not None:
            files = {"allow_writing_files": True, "train_dir": str(tmp_path / folder)}
            files |= {"save_snapshot": True, "snapshot_interval": 0}
        model = train(*callbacks, iterations=iterations, use_best_model=False, **files)
        first = callbacks[0]  # CatBoost does not call the others once it says to stop
        return model.tree_count_, first.best_iteration, first.best_score, first.stopped_reason

    whole = fit(60, None)
    assert whole[0] < 60
    for cut in (1, whole[0] // 2, whole[0] - 1):
        fit(cut, f"cut at {cut}")
        assert fit(60, f"cut at {cut}") == whole


def test_a_snapshot_with_gaps_between_metrics_is_refused(tmp_path: Path) -> None:
    files = {"allow_writing_files": True, "train_dir": str(tmp_path), "save_snapshot": True}
    files |= {"snapshot_interval": 0, "metric_period": 3}
    train(EarlyStopping(od_wait=20), iterations=5, **files)
    with pytest.raises(catboost.CatBoostError, match="leave out metric_period"):
        train(EarlyStopping(od_wait=20), iterations=9, **files)


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"od_wait": 0}, es.RuleError, "od_wait"),
        ({"early_stopping_rounds": 1.5}, es.RuleTypeError, "early_stopping_rounds"),
        ({"od_wait": 2, "early_stopping_rounds": 2}, es.RuleError, "one argument"),
        ({"od_type": "IncToDec", "od_pval": 0.01}, es.RuleError, "to the model itself"),
        ({"od_pval": 0.01}, es.RuleError, "without od_pval"),
        ({"monitor": 3}, es.RuleTypeError, "monitor"),
        ({"mode": "up"}, es.RuleError, "mode"),
        ({"od_wait": 2, "stop": es.MaxEpochs(3)}, es.RuleError, "leave out od_wait"),
        ({"save": es.Best("loss")}, es.RuleError, "stop="),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    arguments: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        EarlyStopping(**arguments)


@pytest.mark.parametrize(
    ("callback", "parameters", "told"),
    [
        (EarlyStopping("valid-RMSE"), {}, "learn-RMSE, validation-RMSE"),
        (EarlyStopping(stop=es.Patience("val_loss", 2)), {}, "learn-RMSE, validation-RMSE"),
        (EarlyStopping(), {"sets": None}, "eval_set"),
        (EarlyStopping(), {"custom_metric": ["MAE"]}, "validation-MAE, validation-RMSE"),
    ],
)
def test_metrics_that_are_not_there_are_told_through_catboost(
    callback: Any, parameters: dict[str, Any], told: str
) -> None:
    with pytest.raises(catboost.CatBoostError, match=told):
        train(callback, **parameters)
