"""Regret: how much worse the kept value is than the best of the whole log."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import History

__all__ = ["regret_of", "values_at"]

Floats = npt.NDArray[np.float64]


def values_at(history: History, monitor: str, epochs: Any, runs: Any) -> Floats:
    """The value of a metric at one epoch of each run, shape (runs,).

    epochs: one per run; -1 gives NaN, as does a metric that the history does not have.
    runs: the numbers of the runs.
    """
    if monitor not in history.metrics:
        return np.full(len(runs), np.nan)
    values: Floats = history.values(monitor)[runs, np.maximum(epochs, 0)].astype(np.float64)
    values[epochs < 0] = np.nan
    return values


def regret_of(best: Floats, best_of_log: Floats, mode: str) -> Floats:
    """How much worse `best` is than the best of the log, at least 0, in the metric's unit.

    Infinite where nothing was kept (NaN) although the log has a best; NaN where the log has none.

    best, best_of_log: of each run, shape (runs,).
    mode: "min" or "max".

    >>> nan, inf = np.nan, np.inf
    >>> best, best_of_log = np.array([2.0, 1.0, nan, nan]), np.array([1.5, 1.0, 1.0, nan])
    >>> regret_of(best, best_of_log, "min")
    array([0.5, 0. , inf, nan])
    """
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values, or values far apart
        worse: Floats = best - best_of_log if mode == "min" else best_of_log - best
    worse[best == best_of_log] = 0.0  # including equal infinities
    worse[np.isnan(best) & ~np.isnan(best_of_log)] = np.inf
    return worse
