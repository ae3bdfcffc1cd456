"""`Counts`: how often each of some whole numbers comes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Counts"]

Ints = npt.NDArray[np.int64]


class Counts(NamedTuple):
    """Different whole numbers in rising order, and how often each comes: arrays of shape (n,).

    >>> counts = Counts.of([3, 1, 3]).plus(Counts.of([4]))
    >>> counts.numbers, counts.times, counts.total, counts.median
    (array([1, 3, 4]), array([1, 2, 1]), 4, 3.0)
    """

    numbers: Ints
    times: Ints

    @classmethod
    def of(cls, values: Any) -> Counts:
        """How often each value comes. values: shape (n,)."""
        numbers, times = np.unique(np.asarray(values, np.int64), return_counts=True)
        return cls(numbers, times.astype(np.int64))

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        numbers, places = np.unique(
            np.concatenate([self.numbers, other.numbers]), return_inverse=True
        )
        times = np.zeros(len(numbers), np.int64)
        np.add.at(times, places, np.concatenate([self.times, other.times]))
        return Counts(numbers, times)

    @property
    def total(self) -> int:
        """How many values there are."""
        return int(self.times.sum())

    @property
    def greatest(self) -> int:
        """The greatest value; 0 for none."""
        return int(self.numbers[-1]) if len(self.numbers) else 0

    @property
    def median(self) -> float:
        """The median, as NumPy has it; NaN for none."""
        if not self.total:
            return np.nan
        ends = np.cumsum(self.times)
        middle = [(self.total - 1) // 2, self.total // 2]
        return float(self.numbers[np.searchsorted(ends, middle, side="right")].mean())
