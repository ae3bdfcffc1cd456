"""`CurveLook`: where the curves are such that a rule that reads them goes wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..history.history import History
from ..rules import Best
from .regret_scale import RegretScale

__all__ = ["CurveLook"]

_HUGE = 30  # times the distance of the second value from the best


class CurveLook:
    """How curves begin, and how coarse they are; that of others can be added.

    huge: how many runs have a first value far beyond the second: further from the best by `_HUGE`.
    """

    def __init__(self, history: History, save: Best, scale: RegretScale) -> None:
        self.huge = self._steps = self._ties = 0
        for runs in history.parts():
            values, reported = history.reported_in(runs, save.monitor)
            finite = reported & np.isfinite(values) & scale.usable[runs, None]
            self.huge += _huge_firsts(values, finite, scale.best[runs])
            both = finite[:, 1:] & finite[:, :-1]
            self._steps += int(np.count_nonzero(both))
            self._ties += int(np.count_nonzero(both & (values[:, 1:] == values[:, :-1])))

    def merge(self, other: CurveLook) -> None:
        """Add the curves of other runs."""
        self.huge += other.huge
        self._steps += other._steps
        self._ties += other._ties

    @property
    def tied(self) -> float:
        """The share of steps from one finite value to the next that change nothing."""
        return self._ties / max(self._steps, 1)


def _huge_firsts(values: Any, finite: Any, best: Any) -> int:
    """How many runs begin with a value far beyond the second."""
    rows, first = np.arange(len(values)), finite.argmax(axis=1)
    rest = finite.copy()
    rest[rows, first] = False
    second = rest.argmax(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        far = np.abs(values[rows, first] - best) > _HUGE * np.abs(values[rows, second] - best)
        return int(np.count_nonzero(far & rest.any(axis=1) & (values[rows, second] != best)))
