"""Warnings about the curves themselves: where a rule that reads them goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._arguments import argument
from .._text import count
from ..history.history import History
from ..rules import AdaptivePatience, Best
from .calibration import Calibration
from .regret_scale import RegretScale
from .text import percent

__all__ = ["warnings_of_curves"]

_HUGE = 30  # times the distance of the second value from the best
_MANY = 0.1  # of the runs
_TIED = 0.5  # of the steps from one value to the next
_LATE, _LITTLE = 0.8, 0.2  # of the run


class CurveLook:
    """How the curves begin, and how coarse they are.

    huge: how many runs have a first value far beyond the second: `_HUGE` times as far from the
        best.
    tied: the share of steps from one finite value to the next that change nothing.
    """

    def __init__(self, history: History, save: Best, scale: RegretScale) -> None:
        self.huge = steps = ties = 0
        for runs in history.parts():
            values, reported = history.reported_in(runs, save.monitor)
            finite = reported & np.isfinite(values) & scale.usable[runs, None]
            self.huge += _huge_firsts(values, finite, scale.best[runs])
            both = finite[:, 1:] & finite[:, :-1]
            steps += int(np.count_nonzero(both))
            ties += int(np.count_nonzero(both & (values[:, 1:] == values[:, :-1])))
        self.tied = ties / max(steps, 1)


def _huge_firsts(values: Any, finite: Any, best: Any) -> int:
    """How many runs begin with a value far beyond the second."""
    rows, first = np.arange(len(values)), finite.argmax(axis=1)
    rest = finite.copy()
    rest[rows, first] = False
    second = rest.argmax(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        far = np.abs(values[rows, first] - best) > _HUGE * np.abs(values[rows, second] - best)
        return int(np.count_nonzero(far & rest.any(axis=1) & (values[rows, second] != best)))


def warnings_of_curves(calibration: Calibration, saved: float) -> Iterator[str]:
    """What to know about these curves, beyond what the promise says.

    saved: the share that the advice saves.
    """
    scale, runs = calibration.scale, calibration.runs
    if scale.best_at >= _LATE and saved < _LITTLE and runs >= calibration.needed():
        yield (
            f"the best comes at {percent(scale.best_at, 2)} of a run on average: there is little "
            "to save here by any rule, and what looks like a plateau may not be one. Train to the "
            "end where that matters"
        )
    if not any(type(family.turned) is AdaptivePatience for family in calibration.families):
        return
    look = CurveLook(calibration.history, calibration.save, scale)
    if look.huge > _MANY * runs:
        example = "Warmup(AdaptivePatience(...), checks=1)"
        yield (
            f"{count(look.huge, 'run')} of {runs:,} begin with a value far beyond the second: what "
            "a run has gained is then mostly that first step, gains count for little beside it, "
            f"and the rule fires soon. Leave the first checks out ({argument('candidates')} of "
            f"{example}), or count regret in another unit ({argument('unit', 'best')})"
        )
    if look.tied > _TIED:
        yield (
            f"{percent(look.tied, 2)} of the steps from check to check change nothing: where a "
            "metric is that coarse, it seems to stand still, and the rule fires soon"
        )
