"""Where the checks of each run stand, for each setting: settings may judge different rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.positions import CHECKS, EPOCH, STEP
from ..replaying.batches import Runs, run_numbers
from ..replaying.checks import Checks
from ..replaying.exact_sum import ExactSums
from ..replaying.positions import LoggedPositions
from .groups import Group

__all__ = ["Places"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Places:
    """The positions of all checks, one history after another.

    groups: the settings that look at the same metrics, and so at the same rows.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._keys = {number: group.metrics for group in groups for number in group.numbers}
        self._firsts: list[int] = []
        self._runs = 0
        self._positions: dict[frozenset[str], list[LoggedPositions]] = {}
        self._lengths: dict[frozenset[str], list[Ints]] = {}

    def add(self, checks: Mapping[frozenset[str], Checks]) -> None:
        """Add a history: its checks by the metrics that a setting judges."""
        self._firsts.append(self._runs)
        for key, each in checks.items():
            self._positions.setdefault(key, []).append(each.positions)
            self._lengths.setdefault(key, []).append(each.history.lengths)
            self._runs = self._firsts[-1] + each.history.runs

    def default_unit(self) -> str:
        """The unit of cost: steps, if every run reports them, else epochs, else checks."""
        return next((name for name in (STEP, EPOCH) if self.tell(name)), CHECKS)

    def are_checks(self, unit: str) -> bool:
        """Whether every check takes exactly one of the unit, in every run."""
        everywhere = [each for of_key in self._positions.values() for each in of_key]
        return unit == CHECKS or (unit == EPOCH and all(each.done is None for each in everywhere))

    def tell_epochs(self) -> bool:
        """Whether any log numbers its epochs."""
        everywhere = (each for of_key in self._positions.values() for each in of_key)
        return any(each.tells(EPOCH) for each in everywhere)

    def amount(self, setting: int, unit: str, runs: Runs, checks: Any) -> Any:
        """How much of a unit a number of checks takes in some runs of a history, shape (runs,)."""
        positions, own = self._of(setting, runs)
        return positions.amount(unit, np.asarray(checks, dtype=np.int64), own)

    def hours(self, setting: int, runs: Runs, checks: Any) -> Any:
        """The hours that a number of checks takes in some runs of a history, shape (runs,)."""
        positions, own = self._of(setting, runs)
        return positions.hours(np.asarray(checks, dtype=np.int64), own)

    def epoch_of(self, setting: int, runs: Runs, checks: Any) -> Any:
        """The epoch of one check of each of some runs of a history; see `LoggedPositions`."""
        positions, own = self._of(setting, runs)
        return positions.epoch_of(np.asarray(checks, dtype=np.int64), own)

    def tells(self, unit: str) -> bool:
        """Whether any run reports a unit."""
        everywhere = (each for of_key in self._positions.values() for each in of_key)
        return unit in (CHECKS, EPOCH) or any(each.tells(unit) for each in everywhere)

    def tell(self, name: str) -> bool:
        """Whether every run reports a position."""
        return all(each.has(name) for of_key in self._positions.values() for each in of_key)

    def logged(self, unit: str) -> ExactSums:
        """How much of a unit all logs take for each setting, as far as they report it."""
        sums = ExactSums(len(self._keys))
        for key, positions in self._positions.items():
            settings = np.array([n for n, each in self._keys.items() if each == key])
            own = ExactSums(len(settings))
            for each, lengths in zip(positions, self._lengths[key], strict=True):
                amounts = np.asarray(each.amount(unit, lengths), dtype=np.float64)
                amounts = amounts[np.isfinite(amounts)]
                begin = np.zeros(len(amounts), dtype=np.int64)
                own.add_ranges(begin, begin + len(settings), amounts)
            sums.merge(own, settings)
        return sums

    def used(self, unit: str, checks: Ints) -> ExactSums | None:
        """How much of a unit all runs take for each setting, by their sums of checks.

        None if the checks of one run stand elsewhere than those of another.
        """
        sums = ExactSums(len(self._keys))
        if self.are_checks(unit):
            sums.add_whole(checks)
            return sums
        for key, positions in self._positions.items():
            spacings = {each.spacing(unit) for each in positions}
            spacing = spacings.pop()
            if spacings or spacing is None:
                return None
            first, distance = spacing
            runs = sum(int(np.count_nonzero(lengths)) for lengths in self._lengths[key])
            settings = np.array([n for n, each in self._keys.items() if each == key])
            own = ExactSums(len(settings))
            own.add_whole((first - distance) * runs + distance * checks[settings])
            sums.merge(own, settings)
        return sums

    def _of(self, setting: int, runs: Runs) -> tuple[LoggedPositions, Ints]:
        numbers = run_numbers(runs)
        which = (
            int(np.searchsorted(self._firsts, numbers[0], side="right")) - 1 if len(numbers) else 0
        )
        return self._positions[self._keys[setting]][which], numbers - self._firsts[which]
