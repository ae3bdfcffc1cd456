"""Small trainings of LightGBM, with metrics that take given values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np

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
    *callbacks: Any,
    with_training: bool = False,
    sets: int = 1,
    model: Any = None,
    names: Sequence[str] = ("a", "b"),
) -> lightgbm.Booster:
    """Train while the metrics of each data set in turn take these values, for each round."""
    calls = iter([one for one in curves for _ in range(sets + with_training)])
    train_set, valid = data()
    return lightgbm.train(
        {**PARAMETERS, "metric": "none"},
        train_set,
        len(curves),
        valid_sets=valid[:sets] + [train_set] * with_training,
        valid_names=[*names[:sets]] + ["seen"] * with_training,
        feval=lambda *_: next(calls),
        callbacks=list(callbacks),
        init_model=model,
    )


def rising(values: list[float]) -> list[list[tuple[str, float, bool]]]:
    return [[("m", value, True)] for value in values]
