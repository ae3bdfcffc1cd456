"""`CellColumn`: the numbers of one column of a text table, and the cells that are none."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .columns import number

__all__ = ["CellColumn"]


_KNOWN_TEXTS = 10_000  # that are kept once


class CellColumn:
    """The cells of one column, collected.

    plain: gives the number in a cell as Python writes it, if it is written otherwise. Raises
        ValueError for an ambiguous number.
    length: how many there are.
    odd_rows, odd_texts: the cells that are neither numbers nor empty, as read so far.
    """

    def __init__(self, plain: Callable[[str], str] | None = None) -> None:
        self.length = 0
        self._plain = plain
        self.odd_rows, self.odd_texts = array("q"), list[str]()
        self._values: npt.NDArray[np.float64] = np.empty(0, np.float64)
        self._expected = 0
        self._gaps: list[npt.NDArray[np.int64]] = []
        self._known: dict[str, str] = {}
        self._empty = 0

    def add(self, cells: Sequence[str], *, underscores: bool = True) -> None:
        """Add cells.

        underscores: whether there may be underscores in them, which no number of a log has.
        """
        if self._plain or (underscores and any("_" in cell for cell in cells)):
            self._add_one_by_one(cells)
            return
        try:
            self.append(np.fromiter(map(float, cells), np.float64, len(cells)))
        except ValueError:
            self._add_with_gaps(cells)

    def append(
        self, values: npt.NDArray[np.float64], gaps: npt.NDArray[np.int64] | None = None
    ) -> None:
        """Add numbers. gaps: which of them are not reported."""
        end = self.length + len(values)
        if not len(self._values) and values.flags.owndata:
            self._values = values
        else:
            if end > len(self._values):
                self._grow(max(end, self._expected, 2 * self.length))
            self._values[self.length : end] = values
        if gaps is not None and len(gaps):
            self._gaps.append(gaps + self.length)
            self._empty += len(gaps)
        self.length = end

    def expect(self, cells: int) -> None:
        """Prepare for this number of cells in all; memory is taken only when more cells come."""
        self._expected = cells

    def _grow(self, size: int) -> None:
        before, self._values = self._values, np.empty(size, np.float64)
        self._values[: self.length] = before[: self.length]

    def _add_with_gaps(self, cells: Sequence[str]) -> None:
        filled = [cell or "nan" for cell in cells]
        try:
            values = np.fromiter(map(float, filled), np.float64, len(cells))
        except ValueError:
            self._add_one_by_one(cells)
            return
        self.append(values, np.flatnonzero(np.fromiter(map(len, cells), np.int64, len(cells)) == 0))

    def _add_one_by_one(self, cells: Sequence[str]) -> None:
        values, gaps = [], []
        known = self._known
        for place, cell in enumerate(cells):
            value: float | None
            try:
                value = number(self._plain(cell.strip()) if self._plain else cell)
            except ValueError:
                value, text = None, cell.strip()
                self.odd_rows.append(self.length + place)
                self.odd_texts.append(
                    known.setdefault(text, text) if len(known) < _KNOWN_TEXTS else text
                )
            if value is None:
                gaps.append(place)
            values.append(np.nan if value is None else value)
        self.append(np.array(values, np.float64), np.array(gaps, np.int64))

    @property
    def numbers(self) -> int:
        """How many cells are numbers."""
        return self.length - self._empty

    @property
    def filled(self) -> int:
        """How many cells are numbers or text."""
        return self.numbers + len(self.odd_rows)

    def set_odd(self, values: Sequence[float]) -> None:
        """Set the numbers that the odd cells stand for."""
        rows = np.array(self.odd_rows, np.int64)
        self.values()[rows] = values
        self._keep_gaps(np.setdiff1d(self.gaps(), rows, assume_unique=True))
        self.odd_rows, self.odd_texts = array("q"), []

    def _keep_gaps(self, gaps: npt.NDArray[np.int64]) -> None:
        self._gaps, self._empty = [gaps], len(gaps)

    def cut(self, length: int) -> None:
        """Leave out all cells from this row on."""
        gaps = self.gaps()
        self._keep_gaps(gaps[gaps < length])
        kept = bisect.bisect_left(self.odd_rows, length)
        self.odd_rows, self.odd_texts = self.odd_rows[:kept], self.odd_texts[:kept]
        self.length = length

    def gaps(self) -> npt.NDArray[np.int64]:
        """The rows that are not reported, in ascending order; odd cells are among them."""
        return np.concatenate([np.empty(0, np.int64), *self._gaps])

    def values(self) -> npt.NDArray[np.float64]:
        """The numbers, NaN where there is none, shape (length,)."""
        return self._values[: self.length]
