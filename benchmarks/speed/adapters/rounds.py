"""What the adapters of boosting libraries cost in a round, beside the library's own callback.

The callbacks are called as the library calls them, with its own objects, on a curve whose values
improve in every other round; so only the callback is measured. All of them take turns,
forwards and backwards, and of each the fastest run counts.
"""

from __future__ import annotations

import functools
import time
import types
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import xgboost
from earlystop.adapters.catboost import EarlyStopping as CatBoostEarlyStopping
from earlystop.adapters.lightgbm import early_stopping
from earlystop.adapters.xgboost import EarlyStopping as XGBoostEarlyStopping
from lightgbm.basic import EvalResult
from lightgbm.callback import CallbackEnv

from .measured import NEVER, Case

__all__ = ["cases"]

X = np.linspace(0, 1, 20).reshape(-1, 1)


def curve(rounds: int) -> list[float]:
    """A loss that improves in every other round."""
    return [1 / (2 + i) if i % 2 == 0 else 1.0 for i in range(rounds)]


def timed(call: Callable[[int], Any], rounds: int) -> float:
    """Seconds for a call, with the first, which sets up, left out."""
    call(0)
    began = time.perf_counter()
    for number in range(1, rounds):
        call(number)
    return (time.perf_counter() - began) / (rounds - 1)


def of_xgboost(make: Callable[..., Any], rounds: int) -> float:
    """The container that calls the callbacks appends to the same lists, too."""
    callback, values = make(rounds=NEVER), curve(rounds)
    model, column = xgboost.train({}, xgboost.DMatrix(X, X[:, 0]), 0), values[:1]
    log = {"valid": {"rmse": column}}
    callback.before_training(model)

    def call(number: int) -> None:
        column[0] = values[number]
        callback.after_iteration(model, number, log)

    return timed(call, rounds)


def of_lightgbm(make: Callable[..., Any], rounds: int, metrics: int = 1) -> float:
    callback = make(NEVER, verbose=False)
    train = lightgbm.Dataset(X, X[:, 0], params={"verbosity": -1})
    model = lightgbm.Booster({"verbosity": -1}, train)
    environments = [
        CallbackEnv(
            model=model,
            params={},
            iteration=number,
            begin_iteration=0,
            end_iteration=rounds + 1,
            evaluation_result_list=[
                EvalResult("valid", f"l{i}", value, False) for i in range(metrics)
            ],
        )
        for number, value in enumerate(curve(rounds))
    ]
    return timed(lambda number: callback(environments[number]), rounds)


def of_catboost(make: Callable[[], Any], rounds: int) -> float:
    """CatBoost gives all values so far, as new lists: here lists of the same two lengths."""
    callback, values = make(), curve(rounds)
    infos = []
    for number, value in enumerate(values):
        log = {"learn": {"RMSE": [value]}, "validation": {"RMSE": [value] * (1 + number % 2)}}
        infos.append(types.SimpleNamespace(iteration=number + 1, metrics=log))
    return timed(lambda number: callback.after_iteration(infos[number]), rounds)


class Nothing:
    """The least that a callback of CatBoost does; its detector is not in Python."""

    def after_iteration(self, info: Any) -> bool:
        return True


def cases(rounds: int, repeats: int) -> list[Case]:
    """All rows."""
    runs: dict[str, dict[str, Callable[[], float]]] = {
        "XGBoost": {
            "ours": lambda: of_xgboost(XGBoostEarlyStopping, rounds),
            "XGBoost's": lambda: of_xgboost(xgboost.callback.EarlyStopping, rounds),
        },
        "LightGBM": {
            "ours": lambda: of_lightgbm(early_stopping, rounds),
            "LightGBM's": lambda: of_lightgbm(lightgbm.early_stopping, rounds),
        },
        "LightGBM: a round, 3 metrics": {
            "ours": lambda: of_lightgbm(early_stopping, rounds, 3),
            "LightGBM's": lambda: of_lightgbm(lightgbm.early_stopping, rounds, 3),
        },
        "CatBoost": {
            "ours": lambda: of_catboost(lambda: CatBoostEarlyStopping(od_wait=NEVER), rounds),
            "one that does nothing": lambda: of_catboost(Nothing, rounds),
        },
    }
    return [
        Case(
            library if ":" in library else f"{library}: a round",
            {whose: functools.partial(_as_list, run) for whose, run in by_whose.items()},
            repeats,
        )
        for library, by_whose in runs.items()
    ]


def _as_list(run: Callable[[], float]) -> list[float]:
    return [run()]
