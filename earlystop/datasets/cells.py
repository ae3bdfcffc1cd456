"""Columns of Arrow data as NumPy arrays: ids of runs, names of metrics, and numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._arrow import nulls_of, values_of
from ..errors import LogError
from ..history.arrays import Bools

__all__ = ["Cells", "Ids", "Labels", "ids_of", "joined_labels", "labels_of", "numbers_of"]

Ids = npt.NDArray[Any]


class Cells(NamedTuple):
    """Numbers, and a mask of those that are null: arrays of shape (rows,); None for no nulls."""

    values: npt.NDArray[Any]
    nulls: Bools | None


class Labels(NamedTuple):
    """Text of a column: the different texts in ascending order, and which of them each row has."""

    texts: list[str]
    codes: npt.NDArray[np.int64]


def labels_of(column: Any, what: str) -> Labels:
    """The text of a column of strings, or of a dictionary of strings.

    what: the column and its file, for errors. Raises LogError for a null, or for another type.
    """
    import pyarrow

    if isinstance(column, pyarrow.ChunkedArray):
        parts = [labels_of(chunk, what) for chunk in column.chunks]
        return joined_labels(parts)
    kind = column.type.value_type if hasattr(column, "dictionary") else column.type
    if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        raise LogError(f"expected text, got a column of type {column.type}", what)
    if column.null_count:
        raise LogError(f"{column.null_count:,} rows have no value", what)
    if not hasattr(column, "dictionary"):
        column = column.dictionary_encode()
    return _in_order(column.dictionary.to_pylist(), values_of(column.indices))


def joined_labels(parts: list[Labels]) -> Labels:
    """The text of columns, one after another."""
    if len(parts) == 1:
        return parts[0]
    texts = sorted({text for part in parts for text in part.texts})
    place = {text: number for number, text in enumerate(texts)}
    codes = [np.array([place[text] for text in part.texts], np.int64)[part.codes] for part in parts]
    return Labels(texts, np.concatenate(codes) if codes else np.empty(0, np.int64))


def _in_order(texts: list[str], codes: npt.NDArray[Any]) -> Labels:
    """Labels with each text that occurs once, in ascending order."""
    seen = np.zeros(len(texts), np.bool_)
    seen[codes] = True
    known = sorted({text for text, used in zip(texts, seen.tolist(), strict=True) if used})
    if known == texts:
        return Labels(texts, codes.astype(np.int64))
    place = {text: number for number, text in enumerate(known)}
    to = np.array([place.get(text, -1) for text in texts], np.int64)
    return Labels(known, to[codes] if len(to) else codes.astype(np.int64))


def ids_of(column: Any, what: str) -> Labels | Ids:
    """The ids of runs in a column: whole numbers, or text.

    Raises LogError for a row without one, or for another type.
    """
    import pyarrow

    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
    if not pyarrow.types.is_integer(kind):
        return labels_of(column, what)
    if column.null_count:
        raise LogError(f"{column.null_count:,} rows have no run", what)
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(kind)
    ids = values_of(column)
    if ids.dtype == np.uint64 and len(ids) and ids.max() > np.iinfo(np.int64).max:
        raise LogError("ids of runs beyond 2**63: write them as text", what)
    return np.asarray(ids, dtype=np.int64)


def numbers_of(column: Any, what: str) -> Cells:
    """The numbers of a column; times become seconds (a point in time: since 1970, UTC).

    Raises LogError for a column of another type.
    """
    import pyarrow

    kinds, kind = pyarrow.types, column.type
    nulls = nulls_of(column) if column.null_count else None
    if kinds.is_null(kind):
        return Cells(np.full(len(column), np.nan), np.ones(len(column), np.bool_))
    if kinds.is_dictionary(kind):
        return numbers_of(column.cast(kind.value_type), what)
    if kinds.is_timestamp(kind) or kinds.is_date(kind) or kinds.is_duration(kind):
        return Cells(_seconds(column), nulls)
    if kinds.is_decimal(kind):
        column = column.cast(pyarrow.float64())
    elif not (kinds.is_integer(kind) or kinds.is_floating(kind)):
        raise LogError(f"expected numbers, got a column of type {kind}", what)
    return Cells(values_of(column), nulls)


def _seconds(column: Any) -> Any:
    import pyarrow

    if pyarrow.types.is_date(column.type):
        column = column.cast(pyarrow.timestamp("ms"))
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    return values_of(column.cast(pyarrow.int64())) / per_second
