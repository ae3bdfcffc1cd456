"""`Calibration`: what the candidates did on the logged runs.

Rules of one family differ only in one dial, and along it a promise needs no correction (see
`guarantee.py`). Picking the best of several families is another matter. If the promise rested on
the same runs, it would not hold, because luck makes the picked family seem better than it is.

So, for a promise in expectation, the runs are split at random. A third of them selects the
family: the one that is the cheapest there. The others have no part in that, and support the
promise. A promise with confidence needs no split: it is tested for every family, each with its
share of the error, and any family that passes may be taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..rules import Best
from .candidates import Family
from .cost import Cost
from .findings import Line
from .guarantee import Guarantee
from .regret_scale import Floats, RegretScale

__all__ = ["Calibration", "Tallies", "Tally"]

_SELECTING_SHARE = 1 / 3


class Tally(NamedTuple):
    """Sums over some runs; arrays of shape (settings,).

    used: what the runs use of the unit of cost.
    total: what the runs lose, each run capped where the promise caps it.
    over: how many runs lose more than `max_regret`.
    """

    used: Floats
    total: Floats
    over: Floats

    @classmethod
    def zeros(cls, settings: int) -> Tally:
        """A tally of no runs."""
        return cls(*(np.zeros(settings) for _ in cls._fields))


class Tallies(NamedTuple):
    """Tallies of the runs that select, of those that support the promise, and of all runs.

    The losses in `all` are not capped.
    """

    selecting: Tally
    calibrating: Tally
    all: Tally


class Calibration:
    """Families of rules, measured on the logged runs.

    runs: how many runs are usable. logged: how much of the unit of cost these have.
    chose: how many of the runs select the family.
    tallies: one for each family.
    scores: what each run loses, summed over a family: how hard it is to stop that run in time.
    """

    def __init__(
        self,
        cost: Cost,
        save: Best,
        scale: RegretScale,
        guarantee: Guarantee,
        families: list[Family],
        seed: int,
        options: dict[str, Any],
    ) -> None:
        self.history, self.cost, self.save, self.scale = cost.history, cost, save, scale
        self.guarantee, self.families = guarantee, families
        self._seed, self._options = seed, options
        self.usable = scale.usable
        self.runs = int(np.count_nonzero(self.usable))
        self.logged = float(cost.of(self.history.lengths)[self.usable].sum())
        self._selecting = np.zeros(self.history.runs, dtype=np.bool_)
        order = np.random.default_rng(seed).permutation(np.flatnonzero(self.usable))
        self._selecting[order[: self.selecting(self.runs)]] = True
        self.chose = int(np.count_nonzero(self._selecting))
        self._calibrating = self.usable & ~self._selecting
        self.scores = np.zeros(self.history.runs)
        self.tallies = [self._measure(family) for family in families]

    @property
    def paths(self) -> int:
        """The number of families that share the error of a promise with confidence."""
        return max(len(self.families), 1)

    def selecting(self, runs: int) -> int:
        """How many of this number of runs would select the family."""
        several = len(self.families) > 1 and self.guarantee.at_most is None
        return int(runs * _SELECTING_SHARE) if several else 0

    def needed(self) -> int:
        """The number of runs that it takes, those that select the family included."""
        if self.guarantee.at_most is not None:
            return self.guarantee.needed(self.paths)
        runs = needed = self.guarantee.needed()
        # A run more adds at most one run to those that support it, so this ends at the fewest.
        while (short := needed - (runs - self.selecting(runs))) > 0:
            runs += short
        return runs

    def _measure(self, family: Family) -> Tallies:
        settings = len(family.values)
        tallies = Tallies(*(Tally.zeros(settings) for _ in Tallies._fields))
        groups = np.column_stack([self._selecting, self._calibrating]).astype(np.float64)
        table = family.swept(self.history, self.save, **self._options)
        for index, runs, column in table.columns(range(settings)):
            lost = self.scale.lost(column.regret, runs)
            if family is self.families[0]:
                self.scores[runs] += lost
            over = lost > self.guarantee.max_regret
            capped = np.minimum(lost, self.guarantee.cap)
            used = self.cost.of(column.checks, runs)
            sums = np.array([used, capped, over], dtype=np.float64) @ groups[runs]
            for tally, amounts in zip(tallies[:2], sums.T, strict=True):
                for array, amount in zip(tally, amounts, strict=True):
                    array[index] += amount
            tallies.all.total[index] += lost.sum()
        for name in ("over", "used"):
            both = (getattr(tallies.selecting, name), getattr(tallies.calibrating, name))
            getattr(tallies.all, name)[:] = sum(both)
        return tallies

    def of_others(self, families: list[Family]) -> Calibration:
        """Other families, measured on the same runs for the same promise."""
        mine = self.cost, self.save, self.scale, self.guarantee
        return Calibration(*mine, families, self._seed, self._options)

    def losses(self, family: Family) -> Iterator[tuple[Floats, Floats, npt.NDArray[np.int64]]]:
        """For each rule of a family: what every usable run loses, uses, and in how many checks."""
        table = family.swept(self.history, self.save, **self._options)
        every = slice(0, self.history.runs)
        for regret, checks in zip(table.regret, table.checks, strict=True):
            lost, used = self.scale.lost(regret, every), self.cost.of(checks)
            yield lost[self.usable], used[self.usable], checks[self.usable]

    def lines(self) -> Iterator[Line]:
        """The trade-off along each family."""
        for family, tallies in zip(self.families, self.tallies, strict=True):
            used, total, over = tallies.all
            means = (total / self.runs, over / self.runs)
            yield Line(str(family), np.array(family.values), used / self.runs, *means)
