"""What to know before relying on advice."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .._text import count
from ..history.history import History
from .exchangeability import serial_dependence
from .guarantee import Guarantee
from .regret_scale import Floats, RegretScale, Unit
from .selection import Calibration
from .text import percent
from .truncation import Truncation

__all__ = ["too_few_runs", "warnings_of_logs", "warnings_of_losses"]

_ALIKE = 3.0  # standard deviations: one in 700 by chance
_UNEVEN = 10  # times the requested regret


def warnings_of_logs(
    history: History, scale: RegretScale, ends: Truncation | None, complete: bool | None
) -> Iterator[str]:
    """What the logs themselves say."""
    usable = scale.usable
    runs = int(np.count_nonzero(usable))
    if ends is not None:
        yield (
            f"these logs were stopped early themselves, as it seems: {ends.runs} of "
            f"{ends.examined} "
            f"that end before the longest end just where {ends.rule!r} stops. What a longer "
            "patience would have found cannot be seen. So regret counts from the best that was "
            "found by then, not from that of complete runs, epochs to the end of the log at most, "
            "and no longer patience is considered "
            "(if the runs did go to their end, pass complete=True)"
        )
    elif complete is False:
        yield (
            "these logs were stopped early: regret counts from the best that was found by then, "
            "not from that of complete runs, which cannot be seen, and epochs to the end of the "
            "log at most"
        )
    elif complete is None:
        short = int(np.count_nonzero(2 * scale.end[usable] < np.median(scale.end[usable])))
        if short * 20 >= runs:
            yield (
                f"{count(short, 'run')} of {runs:,} have less than half the epochs that are usual "
                "here, and count as complete; leave out what crashed, and pass complete=False if "
                "they were stopped early"
            )
    if runs < history.runs:
        yield (
            f"{count(history.runs - runs, 'run')} never reported a number and were left out: the "
            "promise is about runs that do"
        )
    constant = int(np.count_nonzero(scale.constant))
    if constant * 10 >= runs:
        yield (
            f"{count(constant, 'run')} of {runs:,} never improved on the first value: nothing can "
            "be lost there, whatever the rule"
        )


def warnings_of_losses(
    calibration: Calibration, promise: Guarantee, unit: Unit, lost: Floats, chosen: bool
) -> Iterator[str]:
    """What the losses under the advised rule say about the guarantee."""
    high = float(np.quantile(lost, 0.95, method="higher"))
    if promise.at_most is None and high >= _UNEVEN * promise.max_regret:
        yield (
            "the runs are very different: one in twenty loses at least "
            f"{_UNEVEN} times what was asked for, and the promise is about the mean: with "
            "at_most=0.1 it would be about how many runs lose more"
        )
    if chosen and promise.at_most is None and (capped := lost > promise.bound).any():
        mean = float(np.minimum(lost, promise.bound).mean())
        as_text = f"{mean:.4g}" if unit == "metric" else percent(mean)
        yield (
            f"{count(int(capped.sum()), 'run')} of {calibration.runs:,} would lose more than "
            "the bound, "
            "and count as losing just that: the promise is about losses so counted, of which the "
            f"mean is {as_text} on these runs"
        )
    if serial_dependence(calibration.scores[calibration.usable]) > _ALIKE:
        yield (
            "runs that stand next to each other are more alike than chance has it: they seem to "
            "come in groups (tasks, settings) or to change over time. The promise is about a run "
            "drawn from this mixture: for new runs of one group, ask for advice on its logs alone"
        )


def too_few_runs(calibration: Calibration, promise: Guarantee, needed: int, unit: Unit) -> str:
    """Why no rule carries the guarantee, and what these runs could carry."""
    requested = promise.max_regret if promise.at_most is None else promise.at_most
    least = promise.least(calibration.runs - calibration.chose, max(len(calibration.families), 1))
    digit = 10.0 ** (math.floor(math.log10(least)) - 2)
    least = math.ceil(least / digit) * digit  # rounded up, or asking for it would not do
    as_text = percent if unit != "metric" or promise.at_most is not None else "{:.4g}".format
    what = "an expected regret" if promise.at_most is None else "a share of runs"
    return (
        f"{count(calibration.runs, 'run')} cannot carry a promise of {what} of at most "
        f"{as_text(requested)}, whatever they show: it takes at least {needed:,}; "
        "so few could promise "
        f"{as_text(least)} at the least"
    )
