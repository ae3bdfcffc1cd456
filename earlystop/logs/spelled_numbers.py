"""Numbers that are written with a unit, as `93.1%`, `12.3 s` or `3/10`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Spelled", "spelled", "unit_note", "unit_of_all"]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_UNITS = r"""
    % | [mµu]?s | secs? | seconds? | mins? | minutes? | h | hrs? | hours?
    | [KkMGT]i?B | [A-Za-z]{1,12}/(?:s|sec|second) | s/[A-Za-z]{1,12} | fps | [KMG]?Hz | dB | W
"""
_WITH_UNIT = re.compile(rf"({_NUMBER}) \s* ({_UNITS} | /\s*\d{{1,9}})", re.VERBOSE)
_LONGEST = 60


class Spelled(NamedTuple):
    """A number, and the unit that is written after it; for `3/10`, that is `/10`."""

    value: float
    unit: str


def spelled(text: str) -> Spelled | None:
    """The number and the unit in a stripped text; None if it is not one with a unit.

    >>> spelled("93.1%"), spelled("12 s"), spelled("3/10")
    (Spelled(value=93.1, unit='%'), Spelled(value=12.0, unit='s'), Spelled(value=3.0, unit='/10'))
    """
    found = _WITH_UNIT.fullmatch(text) if len(text) <= _LONGEST else None
    return found and Spelled(float(found[1]), "".join(found[2].split()))


def unit_of_all(texts: Iterable[str]) -> str:
    """The unit of all of these texts; "" if it is not the same, or one of them has none."""
    unit = ""
    for text in texts:
        found = spelled(text)
        if found is None or unit not in ("", found.unit):
            return ""
        unit = found.unit
    return unit


def unit_note(name: str, unit: str) -> str:
    """What the report says of a column in this unit."""
    if unit == "%":
        return f"{name}: in per cent, as written"
    if unit.startswith("/"):
        return f"{name}: of {unit[1:]}, as written"
    return f"{name}: in {unit}, as written"
