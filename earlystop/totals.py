"""Sums over runs that come out the same in whatever order and in whatever parts runs are added."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ExactSums", "Totals"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# A float64 is a whole number times 2**-1074: it is added up as one, in digits of 28 bits. A value
# has digits in three places; int64 has room for the sums of 2**34 of them.
_BITS = 28
_LOWEST = -1074
_PLACES = (1024 - _LOWEST) // _BITS + 2
_DIGIT = (1 << _BITS) - 1


class ExactSums:
    """Sums of floats, several side by side, without rounding.

    The values are finite and at least 0.
    """

    def __init__(self, sums: int) -> None:
        self._digits = np.zeros((sums, _PLACES), dtype=np.int64)

    def add(self, place: int, values: Floats) -> None:
        """Add values to one of the sums."""
        self._digits[place] += _digits(np.zeros(len(values), np.int64), values, 1)[0]

    def add_ranges(self, begin: Ints, end: Ints, values: Floats) -> None:
        """Add each value to the sums from `begin` up to before `end`."""
        sums = len(self._digits)
        change = _digits(begin, values, sums + 1) - _digits(end, values, sums + 1)
        self._digits += np.cumsum(change, axis=0)[:-1]

    def merge(self, other: ExactSums, places: Ints) -> None:
        """Add each sum of another to the one of these places, all different."""
        self._digits[places] += other._digits

    def means(self, counts: Ints) -> Floats:
        """The sums, each divided by a number of its own and rounded once; by 0: NaN."""
        used = np.flatnonzero(self._digits.any(axis=0)).tolist()
        shifts = [_BITS * place for place in used]
        unit = 1 << -_LOWEST
        means = np.full(len(counts), np.nan)
        for place, (digits, count) in enumerate(
            zip(self._digits[:, used].tolist(), counts.tolist(), strict=True)
        ):
            if count:
                total = sum(digit << shift for digit, shift in zip(digits, shifts, strict=True))
                means[place] = total / (count * unit)  # of whole numbers: the nearest float
        return means


def _digits(which: Ints, values: Floats, sums: int) -> Any:
    """What values, each for one of the sums, add to the digits of the sums."""
    result = np.zeros((sums, _PLACES), dtype=np.int64)
    if not len(values):
        return result
    exponent = np.maximum(np.frexp(values)[1], _LOWEST + 53)  # the smallest numbers have fewer bits
    whole = np.ldexp(values, 53 - exponent).astype(np.int64)
    place, shift = np.divmod(exponent - 53 - _LOWEST, _BITS)
    low = (whole & _DIGIT) << shift
    high = ((whole >> _BITS) << shift) + (low >> _BITS)
    lowest = int(place.min())
    width = int(place.max()) - lowest + 1
    key = which * width + (place - lowest)
    for number, digit in enumerate((low & _DIGIT, high & _DIGIT, high >> _BITS)):
        # The weights are floats, which are exact up to 2**53.
        added = np.bincount(key, weights=digit, minlength=sums * width).reshape(sums, width)
        result[:, lowest + number : lowest + number + width] += added.astype(np.int64)
    return result


class Totals:
    """What settings come to over runs; arrays of shape (settings,)."""

    def __init__(self, settings: int) -> None:
        self.epochs = np.zeros(settings, dtype=np.int64)
        self.judged = np.zeros(settings, dtype=np.int64)  # runs whose log has a best
        self.infinite = np.zeros(settings, dtype=np.int64)  # of these, stopped before they had one
        self.regret = ExactSums(settings)

    def add(self, place: int, epochs: npt.NDArray[Any], regret: Floats) -> None:
        """Add what one setting did on some runs."""
        finite = regret[np.isfinite(regret)]
        infinite = int(np.count_nonzero(np.isinf(regret)))
        self.epochs[place] += int(epochs.sum(dtype=np.int64))
        self.judged[place] += len(finite) + infinite
        self.infinite[place] += infinite
        self.regret.add(place, finite)

    def merge(self, other: Totals, places: Ints) -> None:
        """Add what other settings came to, to those of these places, all different."""
        self.epochs[places] += other.epochs
        self.judged[places] += other.judged
        self.infinite[places] += other.infinite
        self.regret.merge(other.regret, places)

    def mean_regret(self) -> Floats:
        """The mean over the runs whose log has a best; NaN without any."""
        means: Floats = np.where(self.infinite > 0, np.inf, self.regret.means(self.judged))
        return means
