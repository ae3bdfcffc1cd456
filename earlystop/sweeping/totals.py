"""Sums over runs that come out the same in whatever order and in whatever parts runs are added."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ExactSums", "Totals"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# A float64 is a whole number times 2**-1074: it is added up as one, in digits of 28 bits. int64 has
# room for the sums of 2**34 of them.
_BITS = 28
_LOWEST = -1074


def over_ranges(begin: Any, end: Any, amounts: Any, count: int) -> Ints:
    """The sums of whole amounts (None: 1), each over the places from `begin` to before `end`."""
    change = np.bincount(begin, amounts, count + 1) - np.bincount(end, amounts, count + 1)
    sums: Ints = np.cumsum(change.astype(np.int64))[:-1]
    return sums


class ExactSums:
    """Sums of floats, several side by side, without rounding.

    The values are finite and at least 0.
    """

    def __init__(self, sums: int) -> None:
        # The digits of the first sum, and what each later one has more than the one before it; the
        # first digit is that of place `_lowest`, and there are as many as have been needed.
        self._changes = np.zeros((sums + 1, 0), dtype=np.int64)
        self._lowest = 0

    def _digits_at(self, place: int) -> Ints:
        """The digits of a place, one of each sum."""
        if not self._changes.shape[1]:
            self._lowest = place
        below = max(self._lowest - place, 0)
        above = max(place - self._lowest - self._changes.shape[1] + 1, 0)
        if below or above:
            self._changes = np.pad(self._changes, ((0, 0), (below, above)))
            self._lowest -= below
        return self._changes[:, place - self._lowest]

    def add(self, place: int, values: Floats) -> None:
        """Add values to one of the sums."""
        self.add_ranges(np.full(len(values), place), np.full(len(values), place + 1), values)

    def add_ranges(self, begin: Ints, end: Ints, values: Floats) -> None:
        """Add each value to the sums from `begin` up to before `end`."""
        if not len(values):
            return
        first, rows = int(begin.min()), int(end.max()) - int(begin.min()) + 1
        begin, end = begin - first, end - first
        place = (int(np.frexp(values.max())[1]) - _LOWEST) // _BITS
        while values.any():
            unit = _LOWEST + _BITS * place
            digits = np.floor(_scaled(values, -unit))
            values = values - _scaled(digits, unit)
            # The weights are floats, which are exact up to 2**53.
            changes = np.bincount(begin, digits, rows) - np.bincount(end, digits, rows)
            self._digits_at(place)[first : first + rows] += changes.astype(np.int64)
            place -= 1

    def _digits(self) -> npt.NDArray[np.int64]:
        digits: Ints = np.cumsum(self._changes, axis=0)[:-1]
        return digits

    def merge(self, other: ExactSums, places: Ints) -> None:
        """Add each sum of another to the one of these places, all different."""
        for place, digits in enumerate(other._digits().T, start=other._lowest):
            ours = self._digits_at(place)
            ours[places] += digits
            ours[places + 1] -= digits

    def means(self, counts: Ints) -> Floats:
        """The sums, each divided by a number of its own and rounded once; by 0: NaN."""
        digits = self._digits()
        used = np.flatnonzero(digits.any(axis=0))
        if not len(used):
            return np.where(counts > 0, 0.0, np.nan)
        lowest = int(used[0])
        powers = np.array([1 << _BITS * (place - lowest) for place in used.tolist()], dtype=object)
        sums = digits[:, used].astype(object) @ powers
        # The sums are whole numbers of Python, times a power of 2; so are the counts, and a
        # quotient of such numbers is the float nearest to it.
        power = _LOWEST + _BITS * (self._lowest + lowest)
        means = np.full(len(counts), np.nan)
        some = counts > 0
        over = sums[some] * (1 << max(power, 0))
        means[some] = over / (counts[some].astype(object) * (1 << max(-power, 0)))
        return means


def _scaled(values: Floats, exponent: int) -> Floats:
    """The values times a power of 2; a plain product is faster, where there is such a float."""
    return values * 2.0**exponent if abs(exponent) < 1000 else np.ldexp(values, exponent)


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

    def add_ranges(self, begin: Any, end: Any, epochs: npt.NDArray[Any], regret: Floats) -> None:
        """Add what some runs did to the settings from `begin` up to before `end`.

        Who has been judged is not counted.
        """
        settings = len(self.epochs)
        self.epochs += over_ranges(begin, end, epochs, settings)
        infinite = np.isinf(regret)
        if infinite.any():
            self.infinite += over_ranges(begin[infinite], end[infinite], None, settings)
        finite = np.isfinite(regret)
        if not finite.all():
            begin, end, regret = begin[finite], end[finite], regret[finite]
        self.regret.add_ranges(begin, end, regret)

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
