"""What logs tell by themselves: what runs could lose, how they ended, how alike they are."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..history.arrays import Bools
from ..history.history import History
from ..replaying.batches import slices
from ..rules import Best, Patience
from ..sweeping.sweep import sweep

__all__ = ["Ends", "Stake", "Unit", "alikeness", "ended_by"]

Floats = npt.NDArray[np.float64]
Unit = Literal["improvement", "metric", "best"]

_LOOKED_THROUGH = 2**20  # values that are looked through together
# Margins that early stopping often has, absolute and relative.
_MARGINS = ((0.0, False), (1e-4, False), (1e-3, False), (1e-2, False), (1e-3, True), (1e-2, True))
_LOOKED_AT = 500  # of the runs that end early, and of the others


class Stake:
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
        for rows in slices(history.runs, max(1, _LOOKED_THROUGH // history.epochs)):
            values = array[rows].astype(np.float64)
            there = np.arange(history.epochs) < history.lengths[rows, None]
            if gaps is not None:
                there &= ~gaps[rows]
            self.end[rows] = np.where(there, np.arange(1, history.epochs + 1), 0).max(axis=1)
            finite = there & np.isfinite(values)
            place = finite.argmax(axis=1)
            values_first = values[np.arange(len(values)), place]
            self.first[rows] = np.where(finite.any(axis=1), values_first, np.nan)
            values[~there | np.isnan(values)] = worst
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


class Ends(NamedTuple):
    """How logs end.

    rule: what ended some of them, as it seems. runs: how many of those `looked` at, which all ended
    before the longest one.
    """

    rule: Patience
    runs: int
    looked: int


def ended_by(history: History, judge: Best, stake: Stake) -> Ends | None:
    """The patience by which the logs were stopped early, if they were.

    One is found if it fires at the very last epoch of at least three runs, and of more than half of
    those that end before the longest one; and before the last epoch of at most a tenth of these
    and of the longest ones. In logs that end for other reasons a patience does that by chance only.
    """
    ends = stake.end[stake.usable]
    if not len(ends):
        return None
    early = _some(stake.usable & (stake.end < ends.max()))
    if len(early) < 3 or stake.end[early].max() < 2:
        return None
    runs_seen = np.concatenate([early, _some(stake.usable & (stake.end == ends.max()))])
    some, end = history[runs_seen], stake.end[runs_seen]
    is_early = np.arange(len(runs_seen)) < len(early)
    found: Ends | None = None
    for min_delta, relative in _MARGINS:
        rule = Patience(judge.monitor, mode=judge.mode, min_delta=min_delta, relative=relative)
        table = sweep(rule, some, save=judge, patience=range(1, int(end[is_early].max())))
        at_end = (table.stopped & (table.epochs == end) & is_early).sum(axis=1)
        before = (table.stopped & (table.epochs < end)).sum(axis=1)
        at_end[before > len(runs_seen) / 10] = 0
        place = int(at_end.argmax())
        runs = int(at_end[place])
        if runs >= 3 and runs > len(early) / 2 and (found is None or runs > found.runs):
            found = Ends(rule.replace(patience=place + 1), runs, len(early))
    return found


def _some(which: Bools) -> npt.NDArray[np.int64]:
    """The numbers of these runs, or of enough of them."""
    runs = np.flatnonzero(which)
    return runs[np.linspace(0, len(runs) - 1, min(_LOOKED_AT, len(runs))).astype(np.int64)]


def alikeness(scores: Floats) -> float:
    """How much more alike neighbours are than chance has it, in standard deviations.

    scores: one a run, in the order of the history. If the runs are exchangeable, the serial
    correlation of their ranks (Wald and Wolfowitz 1943) has the mean and variance of a random
    permutation, and is close to normal; where runs come in groups, or drift, it is larger.
    """
    runs = len(scores)
    if runs < 20:
        return 0.0
    ranks = _ranks(scores)
    ranks -= ranks.mean()
    square, fourth = float((ranks**2).sum()), float((ranks**4).sum())
    if not square:
        return 0.0
    mean = -square / (runs - 1)
    variance = (square**2 - fourth) / (runs - 1) - mean**2
    variance += (square**2 - 2 * fourth) / ((runs - 1) * (runs - 2))
    return float(((ranks * np.roll(ranks, 1)).sum() - mean) / np.sqrt(variance))


def _ranks(scores: Floats) -> Floats:
    """Ranks; equal scores share the mean of theirs."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2)[place].astype(np.float64)
    return ranks
