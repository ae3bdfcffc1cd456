"""`Ladder`: how many of some rising numbers each score has reached."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Ladder"]

_BITS = 44  # what is left of a float64 without them: its exponent and 8 bits of its fraction


class Ladder:
    """Rungs in ascending order, all above 0.

    kind: the type of the levels, which has room for all of them.

    A binary search for every score would take most of the time of a scan. Positive floats are in
    the order of their bits, so the first bits of a score say which rungs it has reached. Only the
    few rungs that begin with the same bits are compared with it.

    >>> Ladder(np.array([2.25, 4.0, 36.0])).levels(np.array([2.25, 35.0, 36.0, 1e300])).tolist()
    [1, 2, 3, 3]
    """

    def __init__(self, rungs: npt.NDArray[np.float64]) -> None:
        self._next = np.append(rungs, np.nan)  # no score reaches NaN
        cells = _cells(rungs)
        self._first, self._last = cells[0], cells[-1]
        every_cell = np.arange(self._last - self._first + 2) + self._first
        self.kind = np.int16 if len(rungs) < 2**15 else np.int32
        self._below = np.searchsorted(cells, every_cell).astype(self.kind)
        self._most = int(np.bincount(cells - self._first).max())  # rungs with the same first bits

    def next(self, levels: Any) -> Any:
        """The score that reaches the next level; NaN after the last."""
        return self._next[levels]

    def levels(self, scores: Any) -> Any:
        """How many rungs each score has reached; scores must be at least the first rung."""
        cells = np.minimum(_cells(scores), self._last + 1)
        levels = self._below.take(cells - self._first)
        for _ in range(self._most):
            more = scores >= self._next.take(levels)
            if self._most > 1 and not more.any():
                break
            levels += more
        return levels


def _cells(numbers: Any) -> Any:
    return numbers.view(np.int64) >> _BITS
