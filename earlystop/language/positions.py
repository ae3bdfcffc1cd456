"""Where a check stands in its run: the reserved metrics `epoch`, `step` and `elapsed_seconds`.

A position is a number that comes with the metrics of a check, so any rule may look at it. What a
rule counts in epochs goes by `epochs_done`; the engine adds that number (see
`earlystop.engine.positions`), and without positions every check is an epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .ops import Value, push, replaced, reported, where

__all__ = [
    "CHECK",
    "CHECKS",
    "DERIVED",
    "ELAPSED",
    "EPOCH",
    "RESERVED",
    "STEP",
    "epochs_counted",
    "epochs_done",
    "later_start",
    "number_text",
    "place_after",
    "place_text",
    "place_text_of",
    "unit_of_wait",
]

CHECK = "check"
"""The entry of a record with the number of its check, where its epoch or its step was given."""

CHECKS = "checks"
"""The unit of what is counted in checks, whatever their positions."""

EPOCH = "epoch"
STEP = "step"
ELAPSED = "elapsed_seconds"
"""The metric that holds the time since the run began, in seconds; adapters add it."""

RESERVED = frozenset((EPOCH, STEP, ELAPSED))
"""The metrics that say where a check stands; a log has them as metrics or as coordinates."""

_DONE, _COUNTED = "\0epochs done", "\0epochs counted"  # no log has a metric of such a name
DERIVED = (_DONE, _COUNTED)
"""The metrics that the engine adds at a check whose epoch is known: the epochs done, twice."""


def epochs_done(metrics: Any, check: Value) -> Value:
    """How many epochs of the run are done at this check; a fraction within an epoch.

    check: the number of the check, from 0, which counts where no epochs are known.

    >>> epochs_done({"val_loss": 0.5}, 3)
    4
    """
    return _given(metrics, _DONE, check + 1)


def epochs_counted(metrics: Any, checks: Value) -> Value:
    """As `epochs_done`, but counted from the end of a `Warmup` within one.

    checks: how many checks the rule has seen, which counts where no epochs are known.
    """
    return _given(metrics, _COUNTED, checks)


def later_start(metrics: Any, epochs: Value) -> Any:
    """The metrics for a rule that begins to count after this number of epochs."""
    if reported(metrics, (_COUNTED,)) is False:
        return metrics
    return replaced(metrics, _COUNTED, metrics[_COUNTED] - epochs)


def _given(metrics: Any, name: str, otherwise: Value) -> Value:
    present = reported(metrics, (name,))
    return otherwise if present is False else where(present, metrics[name], otherwise)


def place_after(place: Value, metrics: Any, moved: Value) -> Value:
    """The place of a reference after a check: its epoch and step, NaN where unknown.

    place: the place before; moved: whether the check became the reference.
    """
    told = [(name, reported(metrics, (name,))) for name in (EPOCH, STEP)]
    if all(present is False for _, present in told):
        return place
    here = place
    for name, present in told:
        at = math.nan if present is False else where(present, metrics[name], math.nan)
        here = push(here, at)
    return where(moved, here, place)


# In words -----------------------------------------------------------------------------------------


def number_text(value: float) -> str:
    """A position or an amount: whole numbers in full, others to six digits.

    >>> number_text(12000.0), number_text(0.27)
    ('12,000', '0.27')
    """
    is_whole = abs(value) < 1e15 and value % 1 == 0
    return f"{int(value):,}" if is_whole else f"{value:.6g}"


def place_text(check: int, epoch: float | None, step: float | None) -> str:
    """Where a check stands, in the unit of its run.

    check: its number, which is that of its epoch where neither epoch nor step is known.

    >>> place_text(3, None, None), place_text(3, None, 4000), place_text(3, 1, 4000)
    ('epoch 3', 'step 4,000', 'epoch 1, step 4,000')
    """
    if epoch is None and step is None:
        epoch = check
    places = ((EPOCH, epoch), (STEP, step))
    return ", ".join(f"{unit} {number_text(at)}" for unit, at in places if at is not None)


def place_text_of(check: int, place: tuple[float, float]) -> str:
    """Where a reference stands: `place_text` of a place that has NaN for what is unknown.

    >>> place_text_of(3, (math.nan, 4000.0))
    'step 4,000'
    """
    return place_text(check, *(None if math.isnan(at) else at for at in place))


def unit_of_wait(
    wait: float, reference: int, place: tuple[float, float], metrics: Mapping[str, float]
) -> str:
    """What the checks of a wait are called: epochs where each of them was one, else checks.

    wait: checks since the reference. reference: the number of its check. place: see `place_after`.
    """
    if EPOCH not in metrics and STEP not in metrics:
        return EPOCH
    at = reference if math.isnan(place[0]) else place[0]
    return EPOCH if metrics.get(EPOCH, math.nan) - at == wait else CHECKS
