"""XGBoost, LightGBM and CatBoost over a curve; CatBoost in a real training."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

import earlystop as es
from tests.support.driven.case import Case, Curve, drawn
from tests.support.driven.networks import MARGINS, MODES


def xgboost_early_stopping(chance: random.Random, curve: Curve) -> Case:
    from xgboost.callback import EarlyStopping

    settings = drawn(
        chance,
        rounds=[0, 1, 2, 3],
        metric_name=["rmse", "auc", "mape", "preference"],
        maximize=[None, True, False],
        min_delta=MARGINS,
    )
    theirs: Any = EarlyStopping(**settings)
    now = SimpleNamespace(round=0)
    saves: list[int] = []
    model: Any = SimpleNamespace(
        num_boosted_rounds=lambda: 0, set_attr=lambda **_: saves.append(now.round)
    )
    theirs.before_training(model)
    stops, scores = [], []
    for now.round, value in enumerate(curve):
        scores.append(value)
        told = {"valid": {settings["metric_name"]: scores}}
        with np.errstate(all="ignore"):
            if theirs.after_iteration(model, now.round, told):
                stops.append(now.round)
                break
    ours = es.peers.xgboost.early_stopping(**settings, monitor="m")
    return Case(settings, ours, "m", stops, saves)


def lightgbm_early_stopping(chance: random.Random, curve: Curve) -> Case:
    import lightgbm
    from lightgbm.callback import CallbackEnv, EarlyStopException

    settings = drawn(chance, stopping_rounds=[1, 2, 3], min_delta=MARGINS)
    mode: Any = chance.choice(MODES)
    theirs: Any = lightgbm.early_stopping(**settings, verbose=False)
    no_model: Any = None
    stops, saves = [], []
    for round_, value in enumerate(curve):
        result = lightgbm.EvalResult("valid_0", "l2", value, mode == "max")
        env = CallbackEnv(no_model, {}, round_, 0, len(curve) + 1, [result])
        try:
            theirs(env)
        except EarlyStopException:
            stops.append(round_)
        if theirs.best_iter[0] == round_:
            saves.append(round_)
        if stops:
            break
    ours = es.peers.lightgbm.early_stopping(**settings, monitor="m", mode=mode)
    return Case({**settings, "mode": mode}, ours, "m", stops, saves)


X = np.random.default_rng(0).normal(size=(12, 1))
LEARN, TEST = (X[:7], X[:7, 0]), (X[7:], X[7:, 0])


class Scripted:
    """A metric that takes these values on the test set."""

    def __init__(self, curve: Curve, rises: bool) -> None:
        self.values: Iterator[float] = iter(curve)
        self.rises = rises

    def is_max_optimal(self) -> bool:
        return self.rises

    def get_final_error(self, error: float, weight: float) -> float:
        return error

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        return (next(self.values) if len(target) == len(TEST[1]) else 0.0), 1.0


def catboost_overfitting_detector(chance: random.Random, curve: Curve) -> Case:
    import catboost

    # CatBoost cannot write down what is not finite, and rounds a p-value on a large scale.
    curve[:] = [value if abs(value) <= 1e4 else 1.0 for value in curve]
    settings = drawn(chance, od_wait=[1, 2, 3, 4])
    mode: Any = chance.choice(MODES)
    model = catboost.CatBoostRegressor(
        **{"iterations": len(curve), "depth": 1, "thread_count": 1, "verbose": False},
        **{"allow_writing_files": False, "use_best_model": False, "od_type": "Iter"},
        eval_metric=Scripted(curve, mode == "max"),
        **settings,
    )
    model.fit(*LEARN, eval_set=TEST)
    done = int(model.tree_count_)
    stops = [done - 1] if done < len(curve) else []
    ours = es.peers.catboost.overfitting_detector(**settings, monitor="m", mode=mode)
    case = Case({**settings, "mode": mode}, ours, "m", stops)
    return case if stops else _open_end(case, curve)


def _open_end(case: Case, curve: Curve) -> Case:
    """A stop after the last iteration does not show: nothing is left to do."""
    last = len(curve) - 1
    for check, value in enumerate(curve):
        if case.ours.step({"m": value}).stop:
            return case._replace(stops=[last]) if check == last else case
    return case
