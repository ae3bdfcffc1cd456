"""Totals of settings over runs; they do not depend on the order or the batches of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..replaying.batches import Runs
from ..replaying.exact_sum import ExactSums
from .columns import Column

__all__ = ["Totals", "sums_of", "sums_over_ranges"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def sums_over_ranges(begin: Any, end: Any, amounts: Any, count: int) -> Ints:
    """Sums over ranges of settings: amounts[i] is added to the settings begin[i]:end[i].

    amounts: whole numbers; None for 1 each.
    count: the number of settings. Returns an array of shape (count,).
    """
    change = np.bincount(begin, amounts, count + 1) - np.bincount(end, amounts, count + 1)
    sums: Ints = np.cumsum(change.astype(np.int64))[:-1]
    return sums


def sums_of(
    columns: Callable[[range], Iterable[tuple[int, Runs, Column]]],
    settings: int,
    what: Callable[[int, Runs, Column], Any],
) -> ExactSums:
    """For each setting, the sum over runs of what `what` makes of its column, where finite."""
    sums = ExactSums(settings)
    for setting, runs, column in columns(range(settings)):
        amounts = np.asarray(what(setting, runs, column), dtype=np.float64)
        sums.add(setting, amounts[np.isfinite(amounts)])
    return sums


class Totals:
    """Epochs used and regret of settings, summed over runs; arrays of shape (settings,).

    epochs: the epochs used.
    runs_with_best: how many runs have a best in their log.
    infinite: how many of these were stopped before they had one.
    regret: exact sums of the finite regrets.
    """

    def __init__(self, settings: int) -> None:
        self.epochs = np.zeros(settings, dtype=np.int64)
        self.runs_with_best = np.zeros(settings, dtype=np.int64)
        self.infinite = np.zeros(settings, dtype=np.int64)
        self.regret = ExactSums(settings)

    def add(self, setting: int, epochs: npt.NDArray[Any], regret: Floats) -> None:
        """Add the outcomes of one setting on some runs; arrays of shape (runs,)."""
        finite = regret[np.isfinite(regret)]
        infinite = int(np.count_nonzero(np.isinf(regret)))
        self.epochs[setting] += int(epochs.sum(dtype=np.int64))
        self.runs_with_best[setting] += len(finite) + infinite
        self.infinite[setting] += infinite
        self.regret.add(setting, finite)

    def add_ranges(self, begin: Any, end: Any, epochs: npt.NDArray[Any], regret: Floats) -> None:
        """Add the outcomes of runs, where run i counts for the settings begin[i]:end[i].

        `runs_with_best` does not change.
        """
        self.epochs += sums_over_ranges(begin, end, epochs, len(self.epochs))
        self.add_regrets(begin, end, regret)

    def add_regrets(self, begin: Any, end: Any, regret: Floats) -> None:
        """As `add_ranges`, but without the epochs."""
        settings, infinite = len(self.epochs), np.isinf(regret)
        if infinite.any():
            self.infinite += sums_over_ranges(begin[infinite], end[infinite], None, settings)
        finite = np.isfinite(regret)
        if not finite.all():
            begin, end, regret = begin[finite], end[finite], regret[finite]
        self.regret.add_ranges(begin, end, regret)

    def merge(self, other: Totals, settings: Ints) -> None:
        """Add entry i of `other` to setting settings[i]; the settings are all different."""
        self.epochs[settings] += other.epochs
        self.runs_with_best[settings] += other.runs_with_best
        self.infinite[settings] += other.infinite
        self.regret.merge(other.regret, settings)

    def mean_regret(self) -> Floats:
        """The mean regret over runs whose log has a best, shape (settings,); NaN without any."""
        means: Floats = np.where(self.infinite > 0, np.inf, self.regret.means(self.runs_with_best))
        return means
