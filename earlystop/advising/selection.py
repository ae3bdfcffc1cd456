"""Selects a rule: of those that the promise holds for, the one that costs the least.

`calibration.py` says why some runs select the family and others support the promise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..history.arrays import Bools
from .calibration import Calibration
from .candidates import Family

__all__ = ["select", "select_without_guarantee"]


class _Choice(NamedTuple):
    """A family with one rule, or None for no rule, and what the rule uses on all runs."""

    family: Family | None
    used: float


_NO_CHOICE = _Choice(None, np.inf)


def select(calibration: Calibration) -> Family | None:
    """The cheapest rule that the promise holds for, as a family of one; None if there is none."""
    if not calibration.families:
        return None
    if calibration.guarantee.at_most is None:
        return _select_in_expectation(calibration).family
    return _select_with_confidence(calibration).family


def _select_in_expectation(calibration: Calibration) -> _Choice:
    number = _promising_family(calibration)
    _, total, over = calibration.tallies[number].calibrating
    holds = calibration.guarantee.holds(calibration.runs - calibration.chose, total, over)
    return _choice(calibration, number, _first(holds))


def _select_with_confidence(calibration: Calibration) -> _Choice:
    best = _NO_CHOICE
    for number, tallies in enumerate(calibration.tallies):
        _, total, over = tallies.all
        holds = calibration.guarantee.holds(calibration.runs, total, over, calibration.paths)
        choice = _choice(calibration, number, _first(holds))
        if choice.used < best.used:
            best = choice
    return best


def select_without_guarantee(calibration: Calibration) -> Family | None:
    """The cheapest rule of the first family that lost no more than requested on the logged runs."""
    if not calibration.families:
        return None
    guarantee = calibration.guarantee
    _, total, over = calibration.tallies[0].all
    lost = total if guarantee.at_most is None else over
    return _choice(calibration, 0, _first(lost <= guarantee.level * calibration.runs)).family


def _promising_family(calibration: Calibration) -> int:
    """The index of the family that is the cheapest on the runs that select."""
    if not calibration.chose:
        return 0
    costs = []
    for selecting in (tallies.selecting for tallies in calibration.tallies):
        small = selecting.total <= calibration.guarantee.max_regret * calibration.chose
        member = _first(np.logical_and.accumulate(small[::-1])[::-1])
        costs.append(np.inf if member is None else selecting.used[member])
    return int(np.argmin(costs))


def _choice(calibration: Calibration, number: int, member: int | None) -> _Choice:
    """The choice of this member of this family; of no rule if it saves nothing."""
    if member is None:
        return _NO_CHOICE
    used = float(calibration.tallies[number].all.used[member])
    if used >= calibration.logged:
        return _NO_CHOICE
    return _Choice(calibration.families[number].only(member), used)


def _first(mask: Bools) -> int | None:
    """The index of the first True."""
    return int(mask.argmax()) if mask.any() else None
