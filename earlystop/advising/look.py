"""`Look`: what advice finds out about the logged runs before it tries any rule on them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import HistoryError
from ..language.positions import CHECKS, EPOCH, STEP
from ..replaying.exact_sum import ExactSums
from ..replaying.positions import unknown_unit
from .counts import Counts
from .curves import CurveLook
from .logged_runs import LoggedRuns
from .measured import Measured
from .regret_scale import nothing_to_go_by

__all__ = ["Look", "look_at"]


class _Ends(NamedTuple):
    """Of one part: how many runs are usable, where the last of them ends, how many end there."""

    usable: int
    last: int
    at_last: int


class _Logged:
    """How much of a unit the usable runs have.

    known: whether any run reports the unit. without: a run that does not: its part, and its name.
    """

    def __init__(self, measured: Measured, unit: str) -> None:
        positions, lengths = measured.checks.positions, measured.history.lengths
        self.known = unit in (CHECKS, EPOCH) or positions.tells(unit)
        self.without: tuple[int, str] | None = None
        self.sum = ExactSums(1)
        if self.known:
            amounts = measured.cost(unit).of(lengths)
        else:
            amounts = np.where(lengths > 0, np.nan, 0.0)
        unknown = np.isnan(amounts)
        if unknown.any():
            self.without = measured.part, measured.history.names[int(unknown.argmax())]
        else:
            self.sum.add(0, amounts[measured.scale.usable])

    def merge(self, other: _Logged) -> None:
        """Add other runs."""
        self.known |= other.known
        without = [each for each in (self.without, other.without) if each is not None]
        self.without = min(without, default=None)
        self.sum.merge(other.sum, np.array([0]))


class Look:
    """What runs are like; what others are like can be added.

    runs: how many there are. usable: how many report a number. constant: how many of these never
        improve on their first value.
    epochs: the length of the longest run in checks. longest: that of the longest usable one.
    lengths, ends: of the usable runs: how many checks they have, and at which the last value comes.
    curves: how their curves begin, and how coarse they are.
    positions: those that every run reports. reported: the metrics that some check reports.
    """

    def __init__(self, measured: Measured, told: None, cost_unit: str | None) -> None:
        history, scale = measured.history, measured.scale
        usable, places = scale.usable, measured.checks.positions
        self.runs, self.usable = history.runs, int(np.count_nonzero(usable))
        self.constant = int(np.count_nonzero(scale.constant))
        self.epochs = int(history.lengths.max(initial=0))
        self.longest = int(history.lengths[usable].max(initial=0))
        self.lengths, self.ends = Counts.of(history.lengths[usable]), Counts.of(scale.end[usable])
        self.curves = CurveLook(history, measured.question.save, scale)
        self.reported = {name for name in history.metrics if history.reports(name)}
        self.positions = {name for name in (STEP, EPOCH) if places.has(name)}
        self._unit = cost_unit
        units = {CHECKS, *self.positions} if cost_unit is None else {cost_unit}
        self._logged = {unit: _Logged(measured, unit) for unit in sorted(units)}
        self._known = {*history.coordinates, *history.metrics}
        self._best_at = ExactSums(1)
        self._best_at.add(0, scale.found[usable] / scale.end[usable])
        last = self.ends.greatest
        at_last = int(np.count_nonzero(scale.end[usable] == last))
        self._parts = {measured.part: _Ends(self.usable, last, at_last)}

    def merge(self, other: Look) -> None:
        """Add what other runs are like."""
        self.runs, self.usable = self.runs + other.runs, self.usable + other.usable
        self.constant += other.constant
        self.epochs = max(self.epochs, other.epochs)
        self.longest = max(self.longest, other.longest)
        self.lengths, self.ends = self.lengths.plus(other.lengths), self.ends.plus(other.ends)
        self.curves.merge(other.curves)
        self.reported |= other.reported
        self.positions &= other.positions
        for unit in {*self._logged} & {*other._logged}:
            self._logged[unit].merge(other._logged[unit])
        self._logged = {u: each for u, each in self._logged.items() if u in other._logged}
        self._known |= other._known
        self._best_at.merge(other._best_at, np.array([0]))
        self._parts |= other._parts

    @property
    def unit(self) -> str:
        """The unit of cost: the one asked for, else steps, epochs, or checks."""
        if self._unit is not None:
            return self._unit
        return next((name for name in (STEP, EPOCH) if name in self.positions), CHECKS)

    @property
    def logged(self) -> float:
        """How much of the unit the usable runs have.

        Raises MissingMetricError for a unit that no run reports, HistoryError for one that some run
        with a check does not report.
        """
        logged = self._logged[self.unit]
        if not logged.known:
            raise unknown_unit(self.unit, self._known)
        if logged.without is not None:
            raise HistoryError(
                f"`advise(cost_unit={self.unit!r})`: {logged.without[1]!r} does not report it: "
                "choose a unit that all runs report, such as 'checks'"
            )
        return float(logged.sum.values()[0])

    @property
    def best_at(self) -> float:
        """How far into a run its best value stands, on average; 1 is its end."""
        return float(self._best_at.means(np.array([self.usable]))[0])

    def usable_of_parts(self) -> list[int]:
        """How many usable runs each part has."""
        return [ends.usable for ends in self._ends()]

    def early_of_parts(self) -> list[int]:
        """How many usable runs of each part end before the longest of all."""
        last = self.ends.greatest
        return [ends.usable - (ends.at_last if ends.last == last else 0) for ends in self._ends()]

    def _ends(self) -> list[_Ends]:
        """Those of each part, up to the last that has runs."""
        return [self._parts.get(part, _Ends(0, 0, 0)) for part in range(max(self._parts) + 1)]


def look_at(runs: LoggedRuns, monitor: str, cost_unit: str | None) -> Look:
    """What runs are like. cost_unit: the unit of cost that is asked for; None for the usual one.

    Raises MissingMetricError for a judged metric that no run reports, HistoryError for runs without
    any number.
    """
    look = runs.total(functools.partial(Look, cost_unit=cost_unit))
    runs.require(look.reported)
    if not look.usable:
        raise nothing_to_go_by("advise", look.runs, monitor)
    return look


def evenly(counts: Sequence[int], most: int) -> list[Any]:
    """Evenly spaced numbers of things that are counted part by part, at most so many of all.

    Returns for each part the numbers of its own, from 0.

    >>> [numbers.tolist() for numbers in evenly([4, 0, 6], 4)]
    [[0, 3], [], [2, 5]]
    """
    total = int(np.sum(counts))
    chosen = np.linspace(0, total - 1, min(most, total)).astype(np.int64)
    ends = np.cumsum(counts)
    begins = ends - counts
    cuts = [0, *np.searchsorted(chosen, ends).tolist()]
    return [chosen[cuts[part] : cuts[part + 1]] - begins[part] for part in range(len(counts))]
