"""What candidates did on the logged runs, and which of them is chosen.

Rules of one family differ in one patience, and along it a promise needs no correction (see
`guarantee.py`). But to pick the best of several families by the same runs that the promise rests on
would break it: the picked one looks better than it is. So, for a promise in expectation, a random
third of the runs picks the family, by what is the cheapest there, and the others, which had no say
in it, carry the promise. A promise with confidence is tested for every family, each with its part
of the error, and then any that passed may be taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..history.arrays import Bools
from ..history.history import History
from ..rules import Best
from .candidates import Family
from .guarantee import Guarantee
from .regret_scale import RegretScale
from .result import Line

__all__ = ["Calibration"]

Floats = npt.NDArray[np.float64]

_CHOOSING = 1 / 3


class _Tally(NamedTuple):
    """What settings come to on some runs: arrays of shape (settings,).

    epochs: used. total: of what runs lose, capped at the bound. over: runs that lose more than
    asked.
    """

    epochs: Floats
    total: Floats
    over: Floats

    @classmethod
    def of(cls, settings: int) -> _Tally:
        return cls(*(np.zeros(settings) for _ in cls._fields))


class _Tallies(NamedTuple):
    """On the runs that choose, on those that carry the promise, and on all (where not capped)."""

    selecting: _Tally
    calibrating: _Tally
    all: _Tally


class Choice(NamedTuple):
    """A rule, as the only one of its family, and the epochs it uses on all runs; None: no rule."""

    family: Family | None
    epochs: float


def _first(kept: Bools) -> int | None:
    """The number of the first that is kept."""
    return int(kept.argmax()) if kept.any() else None


class Calibration:
    """The families on the logged runs.

    runs: those that can tell; chose: how many of them choose the family. logged: their epochs.
    scores: what each run loses, summed over a family: how hard it is to stop in time.
    """

    def __init__(
        self,
        history: History,
        judge: Best,
        scale: RegretScale,
        promise: Guarantee,
        families: list[Family],
        seed: int,
        options: dict[str, Any],
    ) -> None:
        self._history, self._judge, self._scale = history, judge, scale
        self._promise, self._options, self.families = promise, options, families
        self.usable = scale.usable
        self.runs = int(np.count_nonzero(self.usable))
        self.logged = float(history.lengths[self.usable].sum())
        self._selecting = np.zeros(history.runs, dtype=np.bool_)
        order = np.random.default_rng(seed).permutation(np.flatnonzero(self.usable))
        self._selecting[order[: self.runs_to_select(self.runs)]] = True
        self.chose = int(np.count_nonzero(self._selecting))
        self._calibrating = self.usable & ~self._selecting
        self.scores = np.zeros(history.runs)
        self._tallies = [self._measured(family) for family in families]

    def runs_to_select(self, runs: int) -> int:
        """Of so many runs, how many choose the family."""
        several = len(self.families) > 1 and self._promise.at_most is None
        return int(runs * _CHOOSING) if several else 0

    def _measured(self, family: Family) -> _Tallies:
        settings = len(family.values)
        made = _Tallies(*(_Tally.of(settings) for _ in _Tallies._fields))
        groups = np.column_stack([self._selecting, self._calibrating]).astype(np.float64)
        table = family.swept(self._history, self._judge, **self._options)
        for index, runs, column in table.columns(range(settings)):
            lost = self._scale.lost(column.regret, runs)
            if family is self.families[0]:
                self.scores[runs] += lost
            over = lost > self._promise.max_regret
            capped = np.minimum(lost, self._promise.cap)
            sums = np.array([column.epochs, capped, over], dtype=np.float64) @ groups[runs]
            for tally, ours in zip((made.selecting, made.calibrating), sums.T, strict=True):
                for array, amount in zip(tally, ours, strict=True):
                    array[index] += amount
            made.all.total[index] += lost.sum()
        for name in ("over", "epochs"):
            two = (getattr(made.selecting, name), getattr(made.calibrating, name))
            getattr(made.all, name)[:] = sum(two)
        return made

    def lost(self, family: Family) -> Iterator[tuple[Floats, Floats]]:
        """What every usable run loses, and the epochs it lasts, for each rule of a family."""
        table = family.swept(self._history, self._judge, **self._options)
        every = slice(0, self._history.runs)
        for regret, epochs in zip(table.regret, table.epochs, strict=True):
            yield self._scale.lost(regret, every)[self.usable], epochs[self.usable].astype(float)

    def lines(self) -> Iterator[Line]:
        """The trade-off along each family."""
        for family, tallies in zip(self.families, self._tallies, strict=True):
            epochs, total, over = tallies.all
            means = (total / self.runs, over / self.runs)
            yield Line(str(family), np.array(family.values), epochs / self.runs, *means)

    # What is chosen ---------------------------------------------------------------------------

    def choose(self) -> Choice:
        """The cheapest that keeps the promise."""
        promise, every = self._promise, [tallies.all for tallies in self._tallies]
        if not every:
            return Choice(None, np.inf)
        if promise.at_most is None:
            family = self._promising()
            calibrating = self._tallies[family].calibrating
            kept = promise.kept(self.runs - self.chose, calibrating.total, calibrating.over)
            return self._choice(family, _first(kept))
        best = Choice(None, np.inf)
        for number, tally in enumerate(every):
            kept = promise.kept(self.runs, tally.total, tally.over, paths=len(every))
            choice = self._choice(number, _first(kept))
            if choice.epochs < best.epochs:
                best = choice
        return best

    def unpromised(self) -> Choice:
        """The cheapest of the first family that did on the logged runs what is asked for."""
        if not self.families:
            return Choice(None, np.inf)
        _, total, over = self._tallies[0].all
        if self._promise.at_most is None:
            small = total <= self._promise.max_regret * self.runs
        else:
            small = over <= self._promise.at_most * self.runs
        return self._choice(0, _first(small))

    def _choice(self, family: int, member: int | None) -> Choice:
        """A choice; of nothing, if it does not save an epoch."""
        if member is None or self._tallies[family].all.epochs[member] >= self.logged:
            return Choice(None, np.inf)
        epochs = float(self._tallies[family].all.epochs[member])
        return Choice(self.families[family].only(member), epochs)

    def _promising(self) -> int:
        """The family that would be the cheapest on the runs that choose."""
        if not self.chose:
            return 0
        cost = []
        for selecting in (tallies.selecting for tallies in self._tallies):
            small = selecting.total <= self._promise.max_regret * self.chose
            member = _first(np.logical_and.accumulate(small[::-1])[::-1])
            cost.append(np.inf if member is None else selecting.epochs[member])
        return int(np.argmin(cost))
