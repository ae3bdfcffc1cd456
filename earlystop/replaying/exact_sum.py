"""Sums of floats without rounding: the same for any order and any partition.

A float64 is a whole number times 2**-1074, so floats can be added as whole numbers, in digits of 28
bits. int64 has room for the sums of 2**34 such digits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["ExactSums", "exact_mean"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BITS = 28
_LOWEST = -1074
_AT_ONCE = 2**24  # of the digits, so many are added as floats without rounding


def exact_mean(values: Floats, count: int | None = None) -> float:
    """The mean of values that are not below 0, rounded once; NaN if there are none.

    values: shape (n,).
    count: what their sum is divided by; by default, their number.

    >>> exact_mean(np.array([1e308, 1e308])), exact_mean(np.array([1.0, np.inf]))
    (1e+308, inf)
    """
    if np.isinf(values).any():
        return np.inf
    sums = ExactSums(1)
    sums.add(0, values)
    return float(sums.means(np.array([len(values) if count is None else count]))[0])


class ExactSums:
    """Several sums of floats, without rounding.

    The values must be finite.
    """

    def __init__(self, sums: int) -> None:
        # The digits of the first sum, then the differences between each sum and the one before it.
        # The first column is digit number `_lowest`; columns are added as needed.
        self._changes = np.zeros((sums + 1, 0), dtype=np.int64)
        self._lowest = 0

    def _column(self, digit: int) -> Ints:
        """The column of a digit, with one row per sum."""
        if not self._changes.shape[1]:
            self._lowest = digit
        below = max(self._lowest - digit, 0)
        above = max(digit - self._lowest - self._changes.shape[1] + 1, 0)
        if below or above:
            self._changes = np.pad(self._changes, ((0, 0), (below, above)))
            self._lowest -= below
        return self._changes[:, digit - self._lowest]

    def add(self, index: int, values: Floats) -> None:
        """Add values to one of the sums."""
        for first in range(0, len(values), _AT_ONCE):
            for digit, digits in _digits_of(values[first : first + _AT_ONCE]):
                column, sum_of_digits = self._column(digit), np.int64(digits.sum())
                column[index] += sum_of_digits
                column[index + 1] -= sum_of_digits

    def add_whole(self, amounts: Ints) -> None:
        """Add a whole number to each of the sums, shape (sums,)."""
        each = np.arange(len(amounts))
        high = amounts >> _BITS
        for part, unit in ((high, 2.0**_BITS), (amounts - (high << _BITS), 1.0)):
            self.add_ranges(each, each + 1, part.astype(np.float64) * unit)

    def add_ranges(self, begin: Ints, end: Ints, values: Floats) -> None:
        """Add values[i] to the sums from begin[i] up to, but not including, end[i]."""
        if not len(values):
            return
        first, rows = int(begin.min()), int(end.max()) - int(begin.min()) + 1
        begin, end = begin - first, end - first
        for digit, digits in _digits_of(values):
            # bincount adds weights as floats, which are exact up to 2**53.
            changes = np.bincount(begin, digits, rows) - np.bincount(end, digits, rows)
            self._column(digit)[first : first + rows] += changes.astype(np.int64)

    def _digits(self) -> npt.NDArray[np.int64]:
        digits: Ints = np.cumsum(self._changes, axis=0)[:-1]
        return digits

    def merge(self, other: ExactSums, indices: Ints) -> None:
        """Add sum i of `other` to sum indices[i] of this; the indices are all different."""
        for digit, values in enumerate(other._digits().T, start=other._lowest):
            column = self._column(digit)
            column[indices] += values
            column[indices + 1] -= values

    def values(self) -> Floats:
        """Each sum, rounded once, shape (sums,)."""
        return self.means(np.ones(len(self._changes) - 1, dtype=np.int64))

    def means(self, counts: Ints) -> Floats:
        """Each sum divided by its count, rounded once, shape (sums,); NaN for a count of 0."""
        digits = self._digits()
        used = np.flatnonzero(digits.any(axis=0))
        if not len(used):
            return np.where(counts > 0, 0.0, np.nan)
        lowest = int(used[0])
        powers = np.array([1 << _BITS * (digit - lowest) for digit in used.tolist()], dtype=object)
        sums = digits[:, used].astype(object) @ powers
        # Sums and counts are Python integers times a power of 2, and Python rounds their quotient
        # correctly.
        power = _LOWEST + _BITS * (self._lowest + lowest)
        means = np.full(len(counts), np.nan)
        some = counts > 0
        over = sums[some] * (1 << max(power, 0))
        means[some] = over / (counts[some].astype(object) * (1 << max(-power, 0)))
        return means


def _digits_of(values: Floats) -> Iterator[tuple[int, Floats]]:
    """The digits of each value, from the highest: the number of the digit, and all of them."""
    if not len(values):
        return
    digit = (int(np.frexp(np.abs(values).max())[1]) - _LOWEST) // _BITS
    while values.any():
        unit = _LOWEST + _BITS * digit
        digits = np.trunc(_scaled(values, -unit))
        values = values - _scaled(digits, unit)
        yield digit, digits
        digit -= 1


def _scaled(values: Floats, exponent: int) -> Floats:
    """The values times a power of 2; a plain product is faster if that power is a float."""
    return values * 2.0**exponent if abs(exponent) < 1000 else np.ldexp(values, exponent)
