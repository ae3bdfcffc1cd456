"""Numbers in the spellings of other programs: C on Windows, tensors, spreadsheets."""

from __future__ import annotations

import math
import re

__all__ = ["NOT_REPORTED", "odd_number"]


NOT_REPORTED = frozenset(
    (
        *("", "none", "null", "na", "n/a", "<na>", "nil", "-", "--"),
        *("#n/a", "#na", "#n/a n/a", "#null!"),  # of spreadsheets
    )
)


_MARKS = re.compile(r"[#(\[]")  # one of which all of these spellings have


_NAN = re.compile(r"[+-]?(nan\(\w*\)|1\.#(ind|qnan|snan)0*)|#(div/0|num)!")


_INFINITE = re.compile(r"([+-]?)1\.#inf0*")


_WRAPPED = re.compile(
    r"(?:\w+\.)*(?:tensor|array|eagertensor|float\d*|int\d*|decimal)\(\s*'?([^\s'(),\[\]]+)'?\s*"
    r"(?:,[^()]*(?:\(\))?[^()]*)?\)"
    r"|\[\s*([^\s,\[\]]+)\s*\]"
)


def odd_number(text: str) -> float:
    """The number in a text that Python does not take for one. Raises ValueError if it is none.

    text: in lower case, stripped.

    >>> odd_number("-1.#inf"), odd_number("nan(ind)"), odd_number("tensor(0.25, device='cuda:0')")
    (-inf, nan, 0.25)
    """
    if not _MARKS.search(text):
        raise ValueError(f"could not convert string to float: {text!r}")
    if _NAN.fullmatch(text):
        return math.nan
    infinite = _INFINITE.fullmatch(text)
    if infinite:
        return -math.inf if infinite[1] == "-" else math.inf
    wrapped = _WRAPPED.fullmatch(text) if len(text) < 200 else None
    value = "" if wrapped is None else wrapped[1] or wrapped[2]
    if not value or "_" in value:
        raise ValueError(f"could not convert string to float: {text!r}")
    return float(value)
