"""Blocks of a text table, split and converted by pyarrow, where it is installed: the faster way."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._arrow import nulls_of, values_of

__all__ = ["ArrowCells", "Numbers"]


_WORTH_IMPORTING = 2**21  # characters of text, of all tables of this process
_LONG = 2**19  # characters, from which its reader of tables is as fast as a cast, in one call

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Numbers(NamedTuple):
    """A column of numbers.

    values: NaN where there is none, shape (rows,).
    gaps: the rows without a number.
    """

    values: Floats
    gaps: Ints


class ArrowCells:
    """Converts cells by pyarrow.

    Importing it takes as long as reading many small tables, so it is used only if it has been
    imported already, or if there is much to read. After two texts that it cannot convert, it is not
    used again.
    """

    _seen = 0  # characters, by all tables

    def __init__(self) -> None:
        self._refused = 0

    def columns(
        self, data: bytes | bytearray, separator: str, rows: int, width: int
    ) -> list[Numbers] | None:
        """The columns of `rows` rows of `width` plain cells, if all are numbers or empty.

        data: lines of ASCII, each with its end. None for any other text.
        """
        pyarrow = self._library(len(data))
        if pyarrow is None or not separator.isascii():
            return None
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
            if b"\r" in data:
                return None
        way = _parsed if len(data) > _LONG or _has_blanks(data, separator) else _cast
        try:
            return way(pyarrow, data, separator, rows, width)
        except pyarrow.ArrowInvalid:
            self._refused += 1
            return None

    def _library(self, size: int) -> Any:
        ArrowCells._seen += size
        return None if self._refused > 1 else _library(ArrowCells._seen)


def _cast(
    pyarrow: Any, data: bytes | bytearray, separator: str, rows: int, width: int
) -> list[Numbers] | None:
    """The columns of cells without blanks around them. None if they are not as many as said."""
    characters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((characters == ord(separator)) | (characters == _LINE_FEED))
    if len(ends) != rows * width or (characters[ends[width - 1 :: width]] != _LINE_FEED).any():
        return None
    # Arrow's strings follow each other without a gap: so every other one is what ends a cell, and
    # declared missing, as empty cells are.
    bounds = np.empty(2 * len(ends) + 1, np.int32)
    bounds[0], bounds[1::2], bounds[2::2] = 0, ends, ends + 1
    filled = np.zeros((len(ends), 2), np.bool_)
    np.not_equal(bounds[:-1:2], bounds[1::2], out=filled[:, 0])
    known = np.packbits(filled.reshape(-1), bitorder="little")
    buffers = [pyarrow.py_buffer(buffer) for buffer in (known, bounds, data)]
    strings = pyarrow.Array.from_buffers(pyarrow.string(), 2 * len(ends), buffers)
    numbers = strings.cast(pyarrow.float64()).buffers()[1]
    values = np.frombuffer(numbers, np.float64, 2 * len(ends)).reshape(rows, width, 2)[:, :, 0]
    gaps = ~filled[:, 0].reshape(rows, width)
    if not gaps.any():
        return [Numbers(column, _NO_GAPS) for column in values.T]
    values = np.where(gaps, np.nan, values)
    return [Numbers(*of) for of in zip(values.T, map(np.flatnonzero, gaps.T), strict=True)]


_LINE_FEED = 10
_NO_GAPS = np.empty(0, np.int64)


def _has_blanks(data: bytes | bytearray, separator: str) -> bool:
    return b" " in data or (separator != "\t" and b"\t" in data)


def _parsed(
    pyarrow: Any, data: bytes | bytearray, separator: str, rows: int, width: int
) -> list[Numbers] | None:
    """The columns of cells, blanks around them or not. None if the rows are not as many as said."""
    csv = importlib.import_module("pyarrow.csv")
    names = [str(place) for place in range(width)]
    table = csv.read_csv(
        pyarrow.py_buffer(data),
        csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
        csv.ParseOptions(delimiter=separator, quote_char=False),
        csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.float64()), null_values=[""]),
    )
    if table.num_rows != rows:  # it leaves blank lines out
        return None
    return [_numbers(column) for column in table.columns]


def _numbers(column: Any) -> Numbers:
    gaps = np.flatnonzero(nulls_of(column)) if column.null_count else _NO_GAPS
    return Numbers(values_of(column), gaps)


def _library(size: int) -> Any:
    """`pyarrow`, if `size` characters are worth importing it; None if not, or if not installed."""
    if "pyarrow" in sys.modules:
        return sys.modules["pyarrow"]
    if size < _WORTH_IMPORTING or importlib.util.find_spec("pyarrow") is None:
        return None
    return importlib.import_module("pyarrow")
