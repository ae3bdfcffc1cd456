"""Distributions of numbers as counts, which can be added up in any order.

Numbers are counted by the leading bits of their magnitude: 9 binary digits, so that those counted
together differ by less than 0.4 %. With each count the greatest of its numbers is kept. So a
quantile is a number that did occur, the true one or one that is greater by less than 0.4 % of its
magnitude; whole numbers up to 512 are counted apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Binned"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DROPPED = 52 - 8  # bits of the 52 behind the point


class Binned:
    """How numbers are distributed; NaN is ignored. Distributions can be added up.

    apart: up to so many different numbers, each is counted by itself.

    >>> binned = Binned()
    >>> binned.add(np.array([1.0, 2.0, np.nan, np.inf]))
    >>> binned.count, binned.quantile(0.5), binned.at_least(0.9)
    (3, 2.0, inf)
    """

    def __init__(self, apart: int = 0) -> None:
        self._apart, self._is_exact = apart, apart > 0
        self._counts: Ints = np.empty(0, np.int64)
        self._greatest: Floats = np.empty(0)

    def add(self, values: Floats) -> None:
        """Add numbers, shape (n,)."""
        known = values[~np.isnan(values)]
        self._add(known, np.ones(len(known), np.int64))

    def merge(self, other: Binned) -> None:
        """Add the numbers of another distribution, which tells as many apart."""
        self._is_exact &= other._is_exact
        self._add(other._greatest, other._counts)

    def _add(self, values: Floats, counts: Ints) -> None:
        """Add numbers, each so many times."""
        values = np.concatenate([self._greatest, values])
        if not len(values):
            return
        order = np.argsort(values, kind="stable")
        values, counts = values[order] + 0.0, np.concatenate([self._counts, counts])[order]
        bits = values.view(np.int64)  # + 0.0: there is only one zero
        last = _ends(bits)
        if not self._is_exact or len(last) > self._apart:
            self._is_exact, last = False, _ends(bits >> _DROPPED)
        self._counts = np.diff(np.cumsum(counts)[last], prepend=0)
        self._greatest = values[last]

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return int(self._counts.sum())

    def at_least(self, q: float) -> float:
        """The q-quantile as one of the numbers: the higher one between two ranks; NaN for none.

        q: from 0 to 1.
        """
        if not self.count:
            return np.nan
        return self._at(int(np.ceil(q * (self.count - 1))))

    def quantile(self, q: float) -> float:
        """The q-quantile, interpolated between the numbers at two ranks; NaN for none."""
        if not self.count:
            return np.nan
        below, share = divmod(q * (self.count - 1), 1.0)
        low, high = self._at(int(below)), self._at(min(int(below) + 1, self.count - 1))
        return low if share == 0 or low == high else low + (high - low) * share

    def _at(self, rank: int) -> float:
        """The number at a rank, counted from 0."""
        return float(self._greatest[np.searchsorted(np.cumsum(self._counts), rank, side="right")])


def _ends(bins: Ints) -> Ints:
    """Where each run of equal numbers ends."""
    return np.append(np.flatnonzero(np.diff(bins)), len(bins) - 1)
