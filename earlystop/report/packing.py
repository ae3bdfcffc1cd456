"""Arrays as JSON data: few digits, and stretches that rise evenly in three numbers each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.state import number_to_json

__all__ = ["numbers", "packed"]

_DIGITS = 6
_LARGEST = 2.0**50  # of whole numbers that are added up exactly


def numbers(values: Any, digits: int = _DIGITS) -> list[Any]:
    """Numbers as JSON data: a few significant digits, None for NaN, text for infinities.

    >>> numbers([1.0, 2 / 3, float("nan"), float("inf")])
    [1, 0.666667, None, 'inf']
    """
    rounded = _rounded(np.asarray(values, dtype=np.float64), digits).tolist()
    return [_number(value) for value in rounded]


def packed(values: Any, digits: int = _DIGITS) -> list[Any]:
    """One row of numbers as stretches, `[first, step, count, first, step, count, ...]`.

    What a run does changes little from one setting to the next: a longer patience often stops it
    one check later, and keeps the same best. Where stretches would not be shorter, the row is
    `[[number, number, ...]]`. Steps are whole numbers, so that nothing is lost by adding them up.

    >>> packed([5, 6, 7, 20, 20, 20]), packed([0.5, float("nan"), float("nan"), float("nan")])
    ([5, 1, 3, 20, 0, 3], [0.5, 0, 1, None, 0, 3])
    >>> packed([0.5, 0.25, 0.125])
    [[0.5, 0.25, 0.125]]
    """
    row = _rounded(np.asarray(values, dtype=np.float64), digits)
    found: list[Any] = []
    if len(row) > 1:
        steps, ends = _even_steps(row)
        at = 0
        while at < len(row) and len(found) < len(row):
            even = at < len(steps) and steps[at] == steps[at]
            count = int(ends[at]) - at + 2 if even else 1
            found += [_number(float(row[at])), int(steps[at]) if even else 0, count]
            at += count
        if at == len(row):
            return found
    return [[_number(value) for value in row.tolist()]]


def _even_steps(row: npt.NDArray[np.float64]) -> tuple[Any, Any]:
    """The step after each number, or NaN; and the number of the last equal step in a row."""
    finite = np.isfinite(row)
    kind = np.where(finite, 0.0, np.where(np.isnan(row), 1.0, 2 * np.sign(row)))
    known = np.where(finite, row, 0.0)
    exact = (np.abs(known) < _LARGEST) & (known % 1 == 0)
    with np.errstate(over="ignore"):
        steps = np.diff(known)
    steps[(np.diff(kind) != 0) | ((steps != 0) & ~(exact[1:] & exact[:-1]))] = np.nan
    changes = np.flatnonzero(steps[1:] != steps[:-1])  # NaN is never the same again
    ends = np.append(changes, len(steps) - 1)
    return steps, ends[np.searchsorted(ends, np.arange(len(steps)))]


def _rounded(values: npt.NDArray[np.float64], digits: int) -> npt.NDArray[np.float64]:
    """The values with `digits` significant digits; whole numbers stay as they are."""
    flat = values.ravel()
    with np.errstate(invalid="ignore"):
        partial = np.isfinite(flat) & ((flat % 1 != 0) | (np.abs(flat) >= 2**53))
    result = flat.copy()
    result[partial] = [float(f"{value:.{digits}g}") for value in flat[partial].tolist()]
    reshaped: npt.NDArray[np.float64] = result.reshape(values.shape)
    return reshaped


def _number(value: float) -> Any:
    """A number as JSON data, a whole one without its point."""
    if value != value:
        return None
    if abs(value) < 2**53 and value % 1 == 0:
        return int(value)
    return number_to_json(value)
