"""What comes next in a run: when the next check is due, and when the rule stops at the earliest."""

from __future__ import annotations

from typing import Any

from .._text import count, duration
from ..engine.stopper import Stopper
from ..errors import EarlystopError
from ..language.positions import ELAPSED
from ..replaying.stepping import LoggedStep

__all__ = ["checks_left", "outlook"]

_MOST = 1000  # checks that are looked ahead
_TIMES = {ELAPSED}


def checks_left(stopper: Stopper, steps: list[LoggedStep], seconds: float | None) -> int | None:
    """After how many more checks the rule stops, if each were like the last; None for too many.

    steps: the last two, which show how far apart checks are. seconds: between two checks, if known.

    >>> from earlystop import EarlyStopping
    >>> stopper = EarlyStopping("val_loss", patience=5)
    >>> steps = [LoggedStep({"val_loss": value}, {}) for value in (0.5, 0.6, 0.7)]
    >>> decisions = [stopper.step(step.metrics) for step in steps]
    >>> checks_left(stopper, steps[-2:], None), stopper.checks
    (3, 3)
    """
    if not steps:
        return None
    growing = {*stopper.stop.all_units, *stopper.save.all_units, *_TIMES}
    metrics, place = dict(steps[-1].metrics), dict(steps[-1].place)
    before = steps[0] if len(steps) > 1 else LoggedStep({}, {})
    by = {n: metrics[n] - before.metrics.get(n, 0) for n in growing if n in metrics}
    if seconds is not None and ELAPSED in by:
        by[ELAPSED] = seconds
    by_place = {name: place[name] - before.place.get(name, 0) for name in place}
    now = stopper.snapshot()
    try:
        for number in range(1, _MOST + 1):
            _move(metrics, by)
            _move(place, by_place)
            if stopper.step(metrics, **place).stop:
                return number
    except EarlystopError:  # positions that do not go on like this: nothing can be said
        return None
    finally:
        stopper.restore(now)
    return None


def _move(values: dict[str, Any], by: dict[str, Any]) -> None:
    for name, difference in by.items():
        values[name] += difference


def outlook(left: int | None, seconds: float | None, since: float) -> str:
    """What comes next, in words.

    left: checks until the rule stops at the earliest. seconds: between two checks; None if unknown.
    since: seconds since the last one.

    >>> outlook(6, 40.0, 10.0)
    'a check in about 30 s; stops after 6 more (4 min) if nothing gets better'
    >>> outlook(1, None, 0.0), outlook(None, None, 0.0)
    ('stops after 1 more check if nothing gets better', 'no stop in sight')
    """
    parts = []
    if seconds is not None:
        due = seconds - since
        parts.append(f"a check in about {duration(due)}" if due >= 1 else "a check any moment")
    if left is None:
        parts.append("no stop in sight")
    else:
        more = f"{left:,} more" if parts else count(left, "more check")
        time = "" if seconds is None else f" ({duration(left * seconds)})"
        parts.append(f"stops after {more}{time} if nothing gets better")
    return "; ".join(parts)
