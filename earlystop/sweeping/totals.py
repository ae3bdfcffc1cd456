"""What settings come to over runs: totals that do not depend on the order or the parts of runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..replaying.exact_sum import ExactSums

__all__ = ["Totals", "sums_over_ranges"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def sums_over_ranges(begin: Any, end: Any, amounts: Any, count: int) -> Ints:
    """Sums of whole amounts (None: 1), each added to the settings from `begin` to before `end`."""
    change = np.bincount(begin, amounts, count + 1) - np.bincount(end, amounts, count + 1)
    sums: Ints = np.cumsum(change.astype(np.int64))[:-1]
    return sums


class Totals:
    """Epochs used and regret of settings, summed over runs; arrays of shape (settings,).

    epochs: epochs used.
    runs_with_best: runs whose log has a best.
    infinite: of these, runs that were stopped before they had one.
    regret: exact sums of the finite regrets.
    """

    def __init__(self, settings: int) -> None:
        self.epochs = np.zeros(settings, dtype=np.int64)
        self.runs_with_best = np.zeros(settings, dtype=np.int64)
        self.infinite = np.zeros(settings, dtype=np.int64)
        self.regret = ExactSums(settings)

    def add(self, setting: int, epochs: npt.NDArray[Any], regret: Floats) -> None:
        """Add what one setting did on some runs."""
        finite = regret[np.isfinite(regret)]
        infinite = int(np.count_nonzero(np.isinf(regret)))
        self.epochs[setting] += int(epochs.sum(dtype=np.int64))
        self.runs_with_best[setting] += len(finite) + infinite
        self.infinite[setting] += infinite
        self.regret.add(setting, finite)

    def add_ranges(self, begin: Any, end: Any, epochs: npt.NDArray[Any], regret: Floats) -> None:
        """Add some runs, each to the settings from `begin` to before `end`.

        `runs_with_best` does not change.
        """
        settings = len(self.epochs)
        self.epochs += sums_over_ranges(begin, end, epochs, settings)
        infinite = np.isinf(regret)
        if infinite.any():
            self.infinite += sums_over_ranges(begin[infinite], end[infinite], None, settings)
        finite = np.isfinite(regret)
        if not finite.all():
            begin, end, regret = begin[finite], end[finite], regret[finite]
        self.regret.add_ranges(begin, end, regret)

    def merge(self, other: Totals, settings: Ints) -> None:
        """Add the totals of others to these settings, all different."""
        self.epochs[settings] += other.epochs
        self.runs_with_best[settings] += other.runs_with_best
        self.infinite[settings] += other.infinite
        self.regret.merge(other.regret, settings)

    def mean_regret(self) -> Floats:
        """The mean over the runs whose log has a best; NaN without any."""
        means: Floats = np.where(self.infinite > 0, np.inf, self.regret.means(self.runs_with_best))
        return means
