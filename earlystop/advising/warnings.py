"""The warnings of an advice: what to know before relying on it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .._arguments import argument
from .._text import count
from .calibration import Calibrated, Calibration
from .look import Look
from .outcomes import Outcomes
from .regret_scale import Unit
from .text import percent
from .truncation import Truncation

__all__ = [
    "warnings_of_candidates",
    "warnings_of_logs",
    "warnings_of_losses",
    "warnings_of_runs",
]

_DEPENDENT = 3.0  # standard deviations: one in 700 by chance
_UNEVEN = 10  # times the requested regret
_SHORT_SHARE = 20  # one in 20 runs with less than half the usual epochs is worth a warning
_MANY_OVER = 0.15  # of the runs: so many lose more than what is promised of the mean
_CONSTANT_SHARE = 10  # so is one in 10 that never improved


def warnings_of_logs(
    look: Look, truncation: Truncation | None, complete: bool | None
) -> Iterator[str]:
    """Warnings about the logs themselves."""
    runs = look.usable
    if truncation is not None:
        yield (
            f"these logs were stopped early themselves, as it seems: {truncation.runs} of "
            f"{truncation.examined} that end before the longest end just where "
            f"{truncation.rule!r} stops. What a longer "
            "patience would have found cannot be seen. So regret counts from the best that was "
            "found by then, not from that of complete runs, cost to the end of the log at most, "
            "and no longer patience is considered "
            f"(if the runs did go to their end, pass {argument('complete', True)})"
        )
    elif complete is False:
        yield (
            "these logs were stopped early: regret counts from the best that was found by then, "
            "not from that of complete runs, which cannot be seen, and cost to the end of the "
            "log at most"
        )
    elif complete is None:
        ends = look.ends
        short = int(ends.times[2 * ends.numbers < ends.median].sum())
        if short * _SHORT_SHARE >= runs:
            yield (
                f"{count(short, 'run')} of {runs:,} have less than half the checks that are usual "
                "here, and count as complete; leave out what crashed, and pass "
                f"{argument('complete', False)} if they were stopped early"
            )
    if runs < look.runs:
        yield (
            f"{count(look.runs - runs, 'run')} never reported a number and were left out: the "
            "promise is about runs that do"
        )
    if look.constant * _CONSTANT_SHARE >= runs:
        yield (
            f"{count(look.constant, 'run')} of {runs:,} never improved on the first value: nothing "
            "can be lost there, whatever the rule"
        )


def warnings_of_candidates(truncation: Truncation | None, *, dropped: bool) -> Iterator[str]:
    """A warning if candidates were dropped, as the logs do not show what they would have found."""
    if truncation is not None and dropped:
        yield (
            f"candidates with a patience above {truncation.rule.patience} were left out: these "
            "logs cannot tell what they would have found"
        )


def warnings_of_losses(
    calibrated: Calibrated, outcomes: Outcomes, unit: Unit, selected: bool
) -> Iterator[str]:
    """What the losses under the advised rule mean for the promise. unit: of regret."""
    calibration = calibrated.candidates
    guarantee = calibration.guarantee
    if guarantee.at_most is None:
        yield from _spread(guarantee.max_regret, outcomes)
    if selected and guarantee.at_most is None and outcomes.beyond:
        mean = outcomes.capped
        mean_text = f"{mean:.4g}" if unit == "metric" else percent(mean)
        yield (
            f"{count(outcomes.beyond, 'run')} of {calibration.runs:,} would lose more than the "
            "bound, and count as losing just that: the promise is about losses so counted, of "
            f"which the mean is {mean_text} on these runs"
        )
    if calibrated.dependence > _DEPENDENT:
        yield (
            "runs that stand next to each other are more alike than chance has it: they seem to "
            "come in groups (tasks, settings) or to change over time. The promise is about a run "
            "drawn from this mixture: for new runs of one group, ask for advice on its logs alone"
        )


def _spread(max_regret: float, outcomes: Outcomes) -> Iterator[str]:
    """How far single runs are from the mean, which is what is promised."""
    otherwise = f"with {argument('at_most', 0.1)} it would be about how many runs lose more"
    if outcomes.quantiles["0.95"] >= _UNEVEN * max_regret:
        yield (
            "the runs are very different: one in twenty loses at least "
            f"{_UNEVEN} times what was asked for, and the promise is about the mean: {otherwise}"
        )
    elif outcomes.advised.over > _MANY_OVER:
        yield (
            f"{percent(outcomes.advised.over)} of these runs lose more than what was asked for: "
            f"the promise is about the mean, {otherwise}"
        )


def warnings_of_runs(calibration: Calibration, unit: Unit) -> Iterator[str]:
    """Whether the runs are too few for the promise, and what they can support.

    unit: of regret.
    """
    needed = calibration.needed()
    if calibration.runs >= needed:
        return
    guarantee = calibration.guarantee
    in_expectation = guarantee.at_most is None
    least = guarantee.least(calibration.runs - calibration.chose, calibration.paths)
    digit = 10.0 ** (math.floor(math.log10(least)) - 2)
    least = math.ceil(least / digit) * digit  # rounded up: a smaller level would not hold
    in_metric = in_expectation and unit == "metric"
    as_text = "{:.4g}".format if in_metric else percent
    what = "an expected regret" if in_expectation else "a share of runs"
    yield (
        f"{count(calibration.runs, 'run')} cannot carry a promise of {what} of at most "
        f"{as_text(guarantee.level)}, whatever they show: it takes at least {needed:,}; "
        f"so few could promise {as_text(least)} at the least"
    )
