"""What the candidates did on the logged runs, in sums that are the same in whatever order."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..history.arrays import Bools
from ..replaying.exact_sum import ExactSums
from .candidates import Family
from .exchangeability import Codes, codes_of
from .guarantee import Guarantee
from .measured import Measured
from .regret_scale import Floats

__all__ = ["Measurements", "Measuring", "OfFamily", "Split", "Tallies", "Tally"]

_MOST_SCORES = 2**25  # of so many runs at most: two bytes each


class Tally(NamedTuple):
    """Sums over some runs; arrays of shape (settings,).

    used: what the runs use of the unit of cost.
    total: what the runs lose, each capped where the promise caps it.
    over: how many runs lose more than `max_regret`.
    """

    used: Floats
    total: Floats
    over: npt.NDArray[np.int64]


class Tallies:
    """The sums of `Tally`, to which other runs can be added."""

    def __init__(self, settings: int) -> None:
        self._used, self._total = ExactSums(settings), ExactSums(settings)
        self._infinite, self._over = np.zeros(settings, np.int64), np.zeros(settings, np.int64)

    def add(self, setting: int, used: Floats, lost: Floats, over: Bools) -> None:
        """Add what some runs use and lose under one setting; arrays of shape (runs,)."""
        infinite = np.isinf(lost)
        self._used.add(setting, used)
        self._total.add(setting, lost[(lost > 0) & ~infinite])
        self._infinite[setting] += int(np.count_nonzero(infinite))
        self._over[setting] += int(np.count_nonzero(over))

    def merge(self, other: Tallies) -> None:
        """Add other runs."""
        every = np.arange(len(self._over))
        self._used.merge(other._used, every)
        self._total.merge(other._total, every)
        self._infinite += other._infinite
        self._over += other._over

    def plus(self, other: Tallies) -> Tallies:
        """Those of both."""
        both = Tallies(len(self._over))
        both.merge(self)
        both.merge(other)
        return both

    def tally(self) -> Tally:
        """The sums, each rounded once."""
        total = np.where(self._infinite > 0, np.inf, self._total.values())
        return Tally(self._used.values(), total, self._over)


class OfFamily(NamedTuple):
    """What a family did on the runs that select, and on those that support the promise.

    uncapped: the same on all of them, with losses that are not capped; nothing if none ever is.
    """

    selecting: Tallies
    calibrating: Tallies
    uncapped: Tallies


class Measurements:
    """What families did on some runs; what they did on others can be added.

    scores: by part, what each usable run loses, summed over the first family: how hard it is to
        stop that run in time. Of the first runs, as many as are kept.
    """

    def __init__(self, families: list[OfFamily], scores: dict[int, Codes]) -> None:
        self.families, self._scores = families, scores

    def merge(self, other: Measurements) -> None:
        """Add other runs."""
        for mine, others in zip(self.families, other.families, strict=True):
            for tallies, more in zip(mine, others, strict=True):
                tallies.merge(more)
        self._scores |= other._scores

    @property
    def scores(self) -> Codes:
        """The scores in the order of the runs."""
        return np.concatenate([codes for _, codes in sorted(self._scores.items())])


@dataclass(frozen=True)
class Split:
    """Which of the usable runs select the family: so many of all, drawn at random."""

    seed: int
    runs: int
    chosen: int

    def selecting(self, usable: Bools, first: int) -> Bools:
        """Which of these runs do. first: how many usable runs come before them."""
        mask = np.zeros(len(usable), np.bool_)
        if self.chosen:
            ordinals = first + np.arange(np.count_nonzero(usable))
            mask[usable] = _drawn(self.seed, self.runs, self.chosen)[ordinals]
        return mask


@functools.lru_cache(1)
def _drawn(seed: int, runs: int, chosen: int) -> Bools:
    mask = np.zeros(runs, np.bool_)
    mask[np.random.default_rng(seed).permutation(runs)[:chosen]] = True
    return mask


@dataclass(frozen=True)
class Measuring:
    """Measures families on a part of the runs. unit: that of cost."""

    families: Sequence[Family]
    guarantee: Guarantee
    unit: str
    split: Split

    def __call__(self, measured: Measured, first: int) -> Measurements:
        """first: how many usable runs come before those of the part."""
        usable = measured.scale.usable
        selecting = self.split.selecting(usable, first)
        scores = np.zeros(measured.history.runs)
        families = []
        for number, family in enumerate(self.families):
            found = OfFamily(*(Tallies(len(family.values)) for _ in OfFamily._fields))
            for setting, runs, lost, used in self._each(family, measured):
                if not number:
                    scores[runs] += lost
                self._add(found, setting, lost, used, usable[runs], selecting[runs])
            families.append(found)
        kept = scores[usable][: max(_MOST_SCORES - first, 0)]
        return Measurements(families, {measured.part: codes_of(kept)})

    def _each(self, family: Family, measured: Measured) -> Any:
        scale, cost = measured.scale, measured.cost(self.unit)
        for setting, runs, column in measured.swept(family).columns(range(len(family.values))):
            yield setting, runs, scale.lost(column.regret, runs), cost.of(column.checks, runs)

    def _add(
        self,
        found: OfFamily,
        setting: int,
        lost: Floats,
        used: Floats,
        usable: Bools,
        selecting: Bools,
    ) -> None:
        over, capped = lost > self.guarantee.max_regret, lost
        groups = [(found.selecting, selecting), (found.calibrating, usable & ~selecting)]
        if self.guarantee.cap < np.inf:
            capped = np.minimum(lost, self.guarantee.cap)
            groups.append((found.uncapped, usable))
        for tallies, which in groups:
            amounts = lost if tallies is found.uncapped else capped
            if which.all():
                tallies.add(setting, used, amounts, over)
            elif which.any():
                tallies.add(setting, used[which], amounts[which], over[which])
