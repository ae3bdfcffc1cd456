"""Blocks of a text table, split and converted by pyarrow, where it is installed: the faster way."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ArrowCells", "Numbers"]


_WORTH_IMPORTING = 2**21  # characters of text, of all tables of this process
_LONG = 2**18  # characters, from which its reader of tables is faster than a cast


class Numbers(NamedTuple):
    """A column of numbers.

    values: NaN where there is none, shape (rows,).
    gaps: the rows without a number.
    """

    values: npt.NDArray[np.float64]
    gaps: npt.NDArray[np.int64]


class ArrowCells:
    """Converts cells by pyarrow.

    Importing it takes as long as reading many small tables, so it is used only if it has been
    imported already, or if there is much to read. After two texts that it cannot convert, it is not
    used again.
    """

    _seen = 0  # characters, by all tables

    def __init__(self) -> None:
        self._refused = 0

    def columns(self, data: bytes, separator: str, rows: int, width: int) -> list[Numbers] | None:
        """The columns of `rows` rows of `width` plain cells, if all are numbers or empty.

        None for any other text, and for a short one, which is read faster without pyarrow.
        """
        pyarrow = None if len(data) < _LONG else self._library(len(data))
        if pyarrow is None:
            return None
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
            if b"\r" in data:
                return None
        csv = importlib.import_module("pyarrow.csv")
        names = [str(place) for place in range(width)]
        try:
            table = csv.read_csv(
                pyarrow.py_buffer(data),
                csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
                csv.ParseOptions(delimiter=separator, quote_char=False),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pyarrow.float64()), null_values=[""]
                ),
            )
        except pyarrow.ArrowInvalid:
            self._refused += 1
            return None
        if table.num_rows != rows:  # it leaves blank lines out
            return None
        return [_numbers(column) for column in table.columns]

    def split(self, cells: Sequence[str], width: int) -> list[Numbers] | None:
        """The columns of these cells, row by row, if all of them are numbers or empty."""
        pyarrow = self._library(len(cells))
        if pyarrow is None:
            return None
        empty = "" in cells
        array = pyarrow.array([cell or None for cell in cells] if empty else cells)
        try:
            numbers = array.cast(pyarrow.float64())
        except pyarrow.ArrowInvalid:
            self._refused += 1
            return None
        values = numbers.to_numpy(zero_copy_only=False).reshape(-1, width).T
        if not empty:
            return [Numbers(column.copy(), _NO_GAPS) for column in values]
        gaps = numbers.is_null().to_numpy(zero_copy_only=False).reshape(-1, width).T
        return [
            Numbers(column.copy(), np.flatnonzero(gap))
            for column, gap in zip(values, gaps, strict=True)
        ]

    def _library(self, size: int) -> Any:
        ArrowCells._seen += size
        return None if self._refused > 1 else _library(ArrowCells._seen)


_NO_GAPS = np.empty(0, np.int64)


def _numbers(column: Any) -> Numbers:
    gaps = np.flatnonzero(column.is_null().to_numpy()) if column.null_count else _NO_GAPS
    return Numbers(column.to_numpy(), gaps)


def _library(size: int) -> Any:
    """`pyarrow`, if `size` characters are worth importing it; None if not, or if not installed."""
    if "pyarrow" in sys.modules:
        return sys.modules["pyarrow"]
    if size < _WORTH_IMPORTING or importlib.util.find_spec("pyarrow") is None:
        return None
    return importlib.import_module("pyarrow")
