"""`RegretScale`: regrets of runs, converted to the unit of the request."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._text import count
from ..errors import HistoryError
from ..history.arrays import Bools
from ..history.history import History
from ..rules import Best

__all__ = ["Floats", "RegretScale", "Unit", "nothing_to_go_by"]

Floats = npt.NDArray[np.float64]
Unit = Literal["improvement", "metric", "best"]


class RegretScale:
    """What each run could lose; arrays of shape (runs,).

    first: the first finite value that the run reported.
    best: the best value of its log, by plain comparison; NaN for none.
    end: the number of epochs up to the last one that reported the metric.
    found: the number of epochs up to the best; 0 for none.

    A regret says how much worse than `best` the best value up to a stop is. It counts in units of
    the metric, as a share of the magnitude of `best`, or as a share of the run's improvement from
    `first` to `best`. A share of the improvement lies between 0 and 1; the other units have no
    bound.

    A run that is stopped before it has any value, or before an infinite `best`, loses everything:
    1, or infinitely much. A run whose best value was found loses nothing. That includes runs that
    never improve on their first value.
    """

    def __init__(self, history: History, save: Best, unit: Unit) -> None:
        self.unit, self._monitor = unit, save.monitor
        self.first, self.best = np.full(history.runs, np.nan), np.full(history.runs, np.nan)
        self.end = np.zeros(history.runs, dtype=np.int64)
        self.found = np.zeros(history.runs, dtype=np.int64)
        for runs in history.parts():
            self._measure(history, save, runs)
        with np.errstate(over="ignore", invalid="ignore"):
            self._scale = np.abs(self.best - self.first if unit == "improvement" else self.best)

    def _measure(self, history: History, save: Best, runs: slice) -> None:
        """Find the first value, the best value and the end of these runs."""
        values, reported = history.reported_in(runs, save.monitor)
        self.end[runs] = np.where(reported, np.arange(1, values.shape[1] + 1), 0).max(axis=1)
        finite = reported & np.isfinite(values)
        first = values[np.arange(len(values)), finite.argmax(axis=1)]
        self.first[runs] = np.where(finite.any(axis=1), first, np.nan)
        worst = save.init().best
        values[~reported | np.isnan(values)] = worst
        best = values.min(axis=1) if save.mode == "min" else values.max(axis=1)
        self.best[runs] = np.where(best == worst, np.nan, best)
        found = values.argmin(axis=1) if save.mode == "min" else values.argmax(axis=1)
        self.found[runs] = np.where(best == worst, 0, found + 1)

    def require_numbers(self, owner: str) -> None:
        """Raise HistoryError if no run has a number.

        owner: the function that needs one, for the error.
        """
        if not self.usable.any():
            raise nothing_to_go_by(owner, len(self.best), self._monitor)

    @property
    def usable(self) -> Bools:
        """The runs that have a best value: only they can lose anything."""
        usable: Bools = ~np.isnan(self.best)
        return usable

    @property
    def constant(self) -> Bools:
        """The runs that never improved on their first value."""
        constant: Bools = self.usable & (self.best == self.first)
        return constant

    def lost(self, regret: Floats, runs: Any) -> Floats:
        """The regret of these runs, in the unit; 0 for runs that are not usable."""
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


def nothing_to_go_by(owner: str, runs: int, monitor: str) -> HistoryError:
    """The error of a function that needs a number of some run, where there is none."""
    return HistoryError(
        f"`{owner}`: of {count(runs, 'run')}, none ever reports a number for {monitor!r}: there is "
        "nothing to go by"
    )
