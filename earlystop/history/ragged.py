"""Columns of runs of unequal length, whose memory grows with the number of values.

A column of a history is an array of shape (runs, epochs) or, where that would be mostly padding, a
`Ragged`: the values of all runs, one run after another. Both are read alike, by `[rows, epochs]`, a
few rows or epochs at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Bools, Floats, Ints

__all__ = [
    "Columns",
    "Ragged",
    "as_it_fits",
    "cells_of",
    "column_of_values",
    "new_column",
    "shared_column",
    "shared_row",
    "slices_within",
]

_MOST_PADDING = 4  # times the values there are; beyond it, a column is ragged


class Ragged:
    """The rows of a table, of unequal length, one after another.

    values: of all rows, in order.
    lengths: of the rows, shape (rows,).

    What lies beyond the end of a row reads as NaN, in a mask as False.

    >>> column = Ragged(np.array([3.0, 2.0, 1.0, 5.0]), np.array([3, 1]))
    >>> column.shape, column[:, 1:].tolist(), column[np.array([1, 0]), np.array([0, 2])].tolist()
    ((2, 3), [[2.0, 1.0], [nan, nan]], [5.0, 1.0])
    """

    __slots__ = ("lengths", "starts", "values")

    def __init__(self, values: npt.NDArray[Any], lengths: Ints) -> None:
        self.values, self.lengths = values, lengths
        self.starts: Ints = np.cumsum(lengths) - lengths

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows there are, and how many values the longest has, at least 1."""
        return len(self.lengths), int(self.lengths.max(initial=1))

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    def any(self) -> bool:
        """Is any value true?"""
        return bool(self.values.any())

    def rows_with_any(self) -> Bools:
        """Which rows have a value that is true, shape (rows,)."""
        found = np.zeros(len(self.lengths), dtype=np.bool_)
        found[np.searchsorted(self.starts, np.flatnonzero(self.values), side="right") - 1] = True
        return found

    def padded(self) -> npt.NDArray[Any]:
        """All of it as one array, shape (rows, longest): this takes memory for the padding, too."""
        return np.asarray(self[:, :])

    def take(self, rows: Any) -> Ragged:
        """Some of the rows, selected by a slice, their numbers, or a boolean mask."""
        numbers = np.arange(len(self.lengths))[rows]
        lengths = self.lengths[numbers]
        ends = np.cumsum(lengths)
        shifts = np.repeat(self.starts[numbers] - (ends - lengths), lengths)
        return Ragged(self.values[shifts + np.arange(int(lengths.sum()))], lengths)

    def rows_of_values(self) -> Ints:
        """The number of the row of each of the values."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def __getitem__(self, key: tuple[Any, Any]) -> npt.NDArray[Any]:
        """Rows and columns as an array: a range of columns, or one column for each of the rows."""
        rows, columns = key
        if isinstance(columns, slice):
            first, stop, _ = columns.indices(self.shape[1])
            columns = np.arange(first, max(first, stop))
            if isinstance(rows, slice):
                rows = np.arange(len(self.lengths))[rows]
            if np.ndim(rows):
                rows = np.asarray(rows)[:, None]
        inside = columns < self.lengths[rows]
        if not len(self.values):
            return np.full(inside.shape, self._fill, dtype=self.dtype)
        found = self.values[np.where(inside, self.starts[rows] + columns, 0)]
        return found if inside.all() else np.where(inside, found, self._fill)

    def __setitem__(self, key: tuple[int, Any], values: Any) -> None:
        """Set values of one row, at the numbers of columns or in a range of them."""
        row, columns = key
        start = int(self.starts[row])
        self.values[start : start + int(self.lengths[row])][columns] = values

    @property
    def _fill(self) -> Any:
        return False if self.dtype == np.bool_ else np.nan


def cells_of(lengths: Ints) -> int:
    """The most cells that a column takes for runs of these lengths."""
    padded, total = len(lengths) * int(lengths.max(initial=0)), int(lengths.sum())
    return total if _is_mostly_padding(lengths) else padded


def _is_mostly_padding(lengths: Ints) -> bool:
    padded = len(lengths) * int(lengths.max(initial=0))
    return padded > _MOST_PADDING * int(lengths.sum())


def new_column(lengths: Ints, fill: float | bool) -> Any:
    """A column for runs of these lengths, filled: an array, or ragged if that is mostly padding."""
    if _is_mostly_padding(lengths):
        return Ragged(np.full(int(lengths.sum()), fill), lengths)
    return np.full((len(lengths), int(lengths.max(initial=0))), fill)


def column_of_values(values: npt.NDArray[Any], lengths: Ints) -> Any:
    """A column with these values, of all runs, one run after another; ragged as `new_column`.

    Where all runs are equally long, the values are not copied.

    >>> column_of_values(np.array([3.0, 2.0, 1.0]), np.array([2, 1])).tolist()
    [[3.0, 2.0], [1.0, 0.0]]
    """
    longest = int(lengths.max(initial=0))
    if (lengths == longest).all():
        return values.reshape(len(lengths), longest)
    if _is_mostly_padding(lengths):
        return Ragged(values, lengths)
    column = np.zeros((len(lengths), longest), dtype=values.dtype)
    column[np.arange(longest) < lengths[:, None]] = values
    return column


def shared_column(row: npt.NDArray[Any], runs: int) -> Any:
    """A column of which all rows are this one, which is stored once; it is read-only.

    >>> column = shared_column(np.array([10.0, 20.0]), 3)
    >>> column.shape, shared_row(column).tolist(), shared_row(np.ones((3, 2)))
    ((3, 2), [10.0, 20.0], None)
    """
    return np.broadcast_to(row, (runs, len(row)))


def shared_row(column: Any) -> npt.NDArray[Any] | None:
    """The one row that a column of `shared_column` stores; None for another column."""
    if isinstance(column, Ragged) or not len(column) or column.strides[0]:
        return None
    row: npt.NDArray[Any] = column[0]
    return row


def as_it_fits(column: Any) -> Any:
    """The column as `new_column` would make it; an array stays one."""
    if isinstance(column, Ragged) and not _is_mostly_padding(column.lengths):
        return column[:, :]
    return column


class Columns(Mapping[str, Floats]):
    """Columns by name, as arrays of shape (runs, epochs).

    An array of a ragged column is made when it is first asked for, and kept: it may be large. Where
    a part is enough, read `stored(name)` instead.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = dict(columns)
        self._padded: dict[str, Floats] = {}

    def stored(self, name: str) -> Any:
        """The column as it is stored: an array or a `Ragged`."""
        return self._columns[name]

    def all_stored(self) -> dict[str, Any]:
        """All columns as they are stored."""
        return dict(self._columns)

    def __getitem__(self, name: str) -> Floats:
        column = self._columns[name]
        if not isinstance(column, Ragged):
            array: Floats = column
            return array
        if name not in self._padded:
            self._padded[name] = column.padded()
            self._padded[name].flags.writeable = False
        return self._padded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"Columns({', '.join(map(repr, self._columns))})"


def slices_within(lengths: Ints, cells: int) -> Iterator[slice]:
    """Runs in order, as many at a time as take at most `cells` cells when padded; at least one.

    >>> [(part.start, part.stop) for part in slices_within(np.array([2, 2, 2, 9, 1, 1]), 4)]
    [(0, 2), (2, 3), (3, 4), (4, 6)]
    """
    first = 0
    while first < len(lengths):
        most = max(1, cells // max(1, int(lengths[first])))
        longest = np.maximum.accumulate(np.maximum(lengths[first : first + most], 1))
        padded = longest * np.arange(1, len(longest) + 1)
        end = first + max(1, int(np.searchsorted(padded, cells, side="right")))
        yield slice(first, end)
        first = end
