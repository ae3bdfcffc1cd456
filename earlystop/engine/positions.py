"""The positions of checks in a live run: taken as they come, checked, and handed to the rules.

A position comes as an argument of `Stopper.step` or under its reserved name among the metrics.
Rules see it as a metric, and besides it how many epochs are done. A fraction says just that. Of a
whole number e, which some count from 0 and others from 1, `counts_from_zero` tells whether e + 1 or
e are done. `earlystop.replaying.positions` says the same of all checks of logged runs at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import MetricError
from ..language.positions import DERIVED, EPOCH, STEP, number_text, place_text
from .decision import Place
from .metrics import as_floats

__all__ = [
    "SEEN",
    "Positions",
    "advanced",
    "counts_from_zero",
    "epochs_by",
    "place_of",
    "seen_by_rules",
    "with_best",
]


Units = tuple[tuple[str, float], ...]

_new_tuple = tuple.__new__  # Positions(...) without the extra call of a NamedTuple
_EXACT = 2**53  # whole numbers up to this are the same as floats


class Positions(NamedTuple):
    """Where a run stands, if its caller counts epochs or steps, or its rules another unit.

    epoch, step: of the last check; None where not given.
    from_zero: whether a whole epoch e means that e + 1 epochs are done.
    first: the epoch of the first check, until the next shows how many epochs lie between checks.
    best_epoch, best_step: of the last check that was saved.
    units: the last value of each metric in which the rules count.
    """

    epoch: float | None = None
    step: float | None = None
    from_zero: bool = True
    first: float | None = None
    best_epoch: float | None = None
    best_step: float | None = None
    units: Units = ()

    @property
    def done(self) -> float | None:
        """How many epochs are done; None where the epoch is not given."""
        if self.epoch is None:
            return None
        done: float = epochs_by(self.epoch, self.from_zero)
        return done


SEEN = {EPOCH: "epoch", **dict.fromkeys(DERIVED, "done"), STEP: "step"}
"""What rules see of the positions of a check: the names of metrics, and of attributes."""

_NONE = Positions()


def advanced(
    before: Positions | None,
    check: int,
    best_check: int | None,
    metrics: dict[str, float],
    epoch: Any,
    step: Any,
    units: tuple[str, ...],
) -> Positions:
    """The positions at the next check of a run.

    before: those of the check before; None if it had none. If it had no epoch, its number stands
        for its epoch.
    check: the number of the check, from 0. best_check: that of the last one that was saved.
    metrics: of the check, which may contain positions. epoch, step: those passed as arguments.
    units: the metrics in which the rules count.

    Raises MetricError for a position that is no finite number, is given twice, is missing although
    the checks before had one, or goes back.
    """
    if type(epoch) is not int or not -_EXACT < epoch < _EXACT or EPOCH in metrics:
        epoch = _taken(EPOCH, metrics, epoch)
    if type(step) is not int or not -_EXACT < step < _EXACT or STEP in metrics:
        step = _taken(STEP, metrics, step)
    last_epoch, last_step, from_zero, first, best_epoch, best_step, last_units = before or _NONE
    if last_epoch is None and check and epoch is not None:
        last_epoch, best_epoch = check - 1, best_check
    if last_epoch is not None and (epoch is None or epoch < last_epoch):
        raise _out_of_order(EPOCH, last_epoch, epoch, check)
    if last_step is not None and (step is None or step <= last_step):
        raise _out_of_order(STEP, last_step, step, check)
    if units:
        last_units = _units_at(units, last_units, metrics, place_text(check, epoch, step))
    if epoch is not None:
        if last_epoch is None:
            from_zero, first = bool(counts_from_zero(epoch, 0)), epoch
        elif first is not None:
            from_zero = bool(counts_from_zero(first, epoch - first)) and first % 1 == 0
            first = None
        from_zero = from_zero and epoch % 1 == 0
    return _new_tuple(Positions, (epoch, step, from_zero, first, best_epoch, best_step, last_units))


def counts_from_zero(first: Any, between: Any) -> Any:
    """Whether whole epochs count from 0, by the first two checks of a run.

    With a check every k epochs, the first is at k - 1 then, and at k if they count from 1.

    first: the epoch of the first check.
    between: the epochs from it to the second; 0 before there is one.

    >>> counts_from_zero(0, 1), counts_from_zero(1, 1), counts_from_zero(1, 2)
    (True, False, True)
    """
    return (first == between - 1) | ((first != 1) & ((first != between) | (between == 0)))


def epochs_by(epoch: Any, from_zero: Any) -> Any:
    """How many epochs are done at a check of this epoch."""
    return epoch + from_zero


def seen_by_rules(metrics: Mapping[str, float], positions: Positions) -> dict[str, float]:
    """The metrics of a check with its positions, as the rules see them."""
    told = {name: getattr(positions, field) for name, field in SEEN.items()}
    return {**metrics, **{name: float(at) for name, at in told.items() if at is not None}}


def with_best(positions: Positions) -> Positions:
    """The positions after their check was saved."""
    epoch, step, from_zero, first, _, _, units = positions
    return _new_tuple(Positions, (epoch, step, from_zero, first, epoch, step, units))


def place_of(positions: Positions | None, check: int) -> Place:
    """Where a check with these positions stands."""
    if positions is None:
        return Place(check)
    return _new_tuple(Place, (check, positions.epoch, positions.step))


def _taken(name: str, metrics: Mapping[str, float], given: Any) -> float | None:
    """A position from the argument or the metrics; whole numbers as int."""
    if type(given) is float and name not in metrics:
        value = given
    elif given is None:
        if name not in metrics:
            return None
        value = metrics[name]
    else:
        value = as_floats({name: given})[name]
        if name in metrics and metrics[name] != value:
            raise MetricError(
                f"two values for the {name} of this check: {name}={number_text(value)} and, among "
                f"the metrics, {number_text(metrics[name])}: pass one"
            )
    if not math.isfinite(value):
        raise MetricError(f"the {name} of a check must be a finite number, got {value}")
    return int(value) if value.is_integer() else value


def _out_of_order(name: str, before: float, now: float | None, check: int) -> MetricError:
    if now is None:
        return MetricError(
            f"check {check} has no {name}, the one before it was at {name} {number_text(before)}: "
            f"pass `{name}=` at every check, or at none"
        )
    what = "goes back to" if now < before else "is again"
    return MetricError(
        f"the {name} {what} {number_text(now)} at check {check}, the check before it was at "
        f"{name} {number_text(before)}: pass the checks of a run in order, each with the "
        f"{name} it was made at; for another run, `reset()` the stopper"
    )


def _units_at(
    units: tuple[str, ...], before: Units, metrics: Mapping[str, float], place: str
) -> Units:
    """The last values of the metrics that rules count in. Raises MetricError for one that falls."""
    last = dict(before)
    for name in units:
        if name in metrics:
            _check_never_falls(name, last.get(name), metrics[name], place)
            last[name] = metrics[name]
    return tuple(last.items())


def _check_never_falls(name: str, before: float | None, now: float, place: str) -> None:
    if now != now or (before is not None and now < before):
        was = "" if before is None else f" after {number_text(before)}"
        raise MetricError(
            f"a rule counts in the unit {name!r}, which must never fall: it is {now:.6g}{was} at "
            f"{place}; use a metric that only grows, or unit='checks'"
        )
