"""Warnings about the curves themselves: where a rule that reads them goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

from .._arguments import argument
from .._text import count
from ..rules import AdaptivePatience
from .calibration import Calibration
from .look import Look
from .text import percent

__all__ = ["warnings_of_curves"]

_MANY = 0.1  # of the runs
_TIED = 0.5  # of the steps from one value to the next
_LATE, _LITTLE = 0.8, 0.2  # of the run


def warnings_of_curves(calibration: Calibration, look: Look, saved: float) -> Iterator[str]:
    """What to know about these curves, beyond what the promise says.

    saved: the share that the advice saves.
    """
    runs, curves = calibration.runs, look.curves
    if look.best_at >= _LATE and saved < _LITTLE and runs >= calibration.needed():
        yield (
            f"the best comes at {percent(look.best_at, 2)} of a run on average: there is little "
            "to save here by any rule, and what looks like a plateau may not be one. Train to the "
            "end where that matters"
        )
    if not any(type(family.turned) is AdaptivePatience for family in calibration.families):
        return
    if curves.huge > _MANY * runs:
        example = "Warmup(AdaptivePatience(...), checks=1)"
        yield (
            f"{count(curves.huge, 'run')} of {runs:,} begin with a value far beyond the second: "
            "what a run has gained is then mostly that first step, gains count for little beside "
            f"it, and the rule fires soon. Leave the first checks out ({argument('candidates')} of "
            f"{example}), or count regret in another unit ({argument('unit', 'best')})"
        )
    if curves.tied > _TIED:
        yield (
            f"{percent(curves.tied, 2)} of the steps from check to check change nothing: where a "
            "metric is that coarse, it seems to stand still, and the rule fires soon"
        )
