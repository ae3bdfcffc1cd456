"""What a regret counts in: the metric's own units, or a share of what a run achieved."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..history import Bools, History
from ..replaying.batches import slices
from ..rules import Best

__all__ = ["Floats", "RegretScale", "Unit"]

Floats = npt.NDArray[np.float64]
Unit = Literal["improvement", "metric", "best"]

_SCANNED = 2**20  # values scanned at a time


class RegretScale:
    """What each run could lose; arrays of shape (runs,).

    first: the first finite value that it reported, best: the best value of its log, by plain
    comparison; NaN for none. end: the epochs up to the last that reported the metric.

    A regret, which says how much worse than `best` a run ended, counts in units of the metric, as a
    share of the magnitude of `best`, or as a share of the run's improvement from `first` to `best`.
    As a share of the improvement it lies between 0 and 1; the other units have no bound. All is
    lost (1, or infinitely much) where a run was stopped before it had any value, or before a `best`
    that is infinite; and nothing, as always, where the best was found, as in runs that never
    improve on their first value.
    """

    def __init__(self, history: History, judge: Best, unit: Unit) -> None:
        self.unit = unit
        self.first, self.best = np.full(history.runs, np.nan), np.full(history.runs, np.nan)
        self.end = np.zeros(history.runs, dtype=np.int64)
        worst = judge.init().best
        best_of = np.min if judge.mode == "min" else np.max
        array, gaps = history.metrics[judge.monitor], history.gaps(judge.monitor)
        for rows in slices(history.runs, max(1, _SCANNED // history.epochs)):
            values = array[rows].astype(np.float64)
            reported = np.arange(history.epochs) < history.lengths[rows, None]
            if gaps is not None:
                reported &= ~gaps[rows]
            self.end[rows] = np.where(reported, np.arange(1, history.epochs + 1), 0).max(axis=1)
            finite = reported & np.isfinite(values)
            epoch = finite.argmax(axis=1)
            values_first = values[np.arange(len(values)), epoch]
            self.first[rows] = np.where(finite.any(axis=1), values_first, np.nan)
            values[~reported | np.isnan(values)] = worst
            best = best_of(values, axis=1)
            self.best[rows] = np.where(best == worst, np.nan, best)
        with np.errstate(over="ignore", invalid="ignore"):
            self._scale = np.abs(self.best - self.first if unit == "improvement" else self.best)

    @property
    def usable(self) -> Bools:
        """The runs that have a best: only they can lose anything."""
        usable: Bools = ~np.isnan(self.best)
        return usable

    @property
    def constant(self) -> Bools:
        """The runs that never improved on their first value."""
        constant: Bools = self.usable & (self.best == self.first)
        return constant

    def lost(self, regret: Floats, runs: Any) -> Floats:
        """Regret in the unit, of these runs; 0 for runs that are not usable."""
        if self.unit == "metric":
            return np.where(np.isnan(regret), 0.0, regret)
        scale = self._scale[runs]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            lost: Floats = regret / scale
        lost[(regret > 0) & ~np.isfinite(scale)] = np.inf
        if self.unit == "improvement":
            np.minimum(lost, 1.0, out=lost)
        lost[~(regret > 0)] = 0.0
        return lost
