"""`GatheredRows`: rows of several pieces of a table in one, as the pieces come."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import LogError
from .cells import Cells, Labels, joined_labels
from .rows import TableRows

__all__ = ["GatheredRows"]


class _Column:
    """One column, written piece by piece into memory that is there for all rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._values: npt.NDArray[Any] | None = None
        self._nulls: npt.NDArray[np.bool_] | None = None

    def write(self, begin: int, values: npt.NDArray[Any], nulls: Any = None) -> None:
        """Write the rows from a number on. nulls: a mask of those that are null; None for none."""
        end = begin + len(values)
        if self._values is None:
            self._values = np.empty(max(self._rows, end), values.dtype)
        kind = np.result_type(self._values, values.dtype)
        if kind != self._values.dtype:
            self._values = self._values.astype(kind)
        if end > len(self._values):  # the file has grown since it was looked at
            self._values = np.resize(self._values, 2 * end)
        self._values[begin:end] = values
        if nulls is not None and self._nulls is None:
            self._nulls = np.zeros(len(self._values), np.bool_)
        if self._nulls is not None:
            if end > len(self._nulls):
                self._nulls = np.append(self._nulls, np.zeros(end, np.bool_))
            self._nulls[begin:end] = False if nulls is None else nulls

    def leave_out(self, begin: int, rows: int) -> None:
        """Rows of a piece that has no such column."""
        self.write(begin, np.full(rows, np.nan), nulls=True)

    def cells(self, rows: int) -> Cells:
        """The first rows."""
        values = np.empty(0) if self._values is None else self._values[:rows]
        return Cells(values, None if self._nulls is None else self._nulls[:rows])


class GatheredRows:
    """Rows of several pieces, in order.

    rows: how many there are at most, as far as is known. where: the files, for errors.
    """

    def __init__(self, rows: int, where: str) -> None:
        self._rows, self._where, self._count = rows, where, 0
        self._ids = _Column(rows)
        self._texts: list[Labels] = []
        self._metrics: list[Labels] = []
        self._columns: dict[str, _Column] = {}

    def add(self, piece: TableRows) -> None:
        """Add the rows of a piece. Raises LogError if only some ids of runs are numbers."""
        begin, rows = self._count, len(piece)
        is_text = isinstance(piece.runs, Labels)
        if begin and is_text != bool(self._texts):
            raise LogError(
                "runs are numbers in some files, and text in others: write them alike", self._where
            )
        if isinstance(piece.runs, Labels):
            self._texts.append(piece.runs)
        else:
            self._ids.write(begin, piece.runs)
        if piece.metrics is not None:
            self._metrics.append(piece.metrics)
        for name in piece.columns.keys() - self._columns.keys():
            self._columns[name] = _Column(self._rows)
            if begin:
                self._columns[name].leave_out(0, begin)
        for name, column in self._columns.items():
            cells = piece.columns.get(name)
            if cells is None:
                column.leave_out(begin, rows)
            else:
                column.write(begin, cells.values, cells.nulls)
        self._count += rows

    def all(self) -> TableRows | None:
        """All rows; None if there are none."""
        if not self._count:
            return None
        runs = joined_labels(self._texts) if self._texts else self._ids.cells(self._count).values
        columns = {name: column.cells(self._count) for name, column in self._columns.items()}
        return TableRows(runs, columns, joined_labels(self._metrics) if self._metrics else None)
