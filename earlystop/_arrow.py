"""Arrow columns as NumPy arrays and back, by their buffers.

pyarrow's own conversions import pandas where it is installed, which takes longer than reading a
table does. Columns are those of one type without offsets: whole numbers, floats, and masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["as_mask", "nulls_of", "values_of"]

Bools = npt.NDArray[np.bool_]


def values_of(column: Any) -> npt.NDArray[Any]:
    """The numbers of an array, or of one in chunks, of shape (rows,); read-only if not copied.

    With nulls they are floats, and NaN there.

    >>> import pyarrow
    >>> values_of(pyarrow.array([1, 2, None]))
    array([ 1.,  2., nan])
    """
    if hasattr(column, "chunks"):
        parts = [values_of(chunk) for chunk in column.chunks]
        if len(parts) > 1:
            return np.concatenate(parts)
        return parts[0] if parts else np.empty(0, column.type.to_pandas_dtype())
    kind = np.dtype(column.type.to_pandas_dtype())
    if not len(column):
        return np.empty(0, kind)
    values = np.frombuffer(column.buffers()[1], kind, len(column), column.offset * kind.itemsize)
    if not column.null_count:
        return values
    floats = values.astype(kind if kind.kind == "f" else np.float64)
    floats[nulls_of(column)] = np.nan
    return floats


def nulls_of(column: Any) -> Bools:
    """Which rows of an array, or of one in chunks, are null: a mask of shape (rows,).

    >>> import pyarrow
    >>> nulls_of(pyarrow.chunked_array([[1, None], [3]]))
    array([False,  True, False])
    """
    if hasattr(column, "chunks"):
        parts = [nulls_of(chunk) for chunk in column.chunks]
        return np.concatenate([np.empty(0, np.bool_), *parts])
    if not column.null_count:
        return np.zeros(len(column), np.bool_)
    first, end = column.offset, column.offset + len(column)
    bits = np.frombuffer(column.buffers()[0], np.uint8, (end + 7) // 8 - first // 8, first // 8)
    known = np.unpackbits(bits, count=first % 8 + len(column), bitorder="little")
    return np.logical_not(known[first % 8 :])


def as_mask(mask: Bools) -> Any:
    """A mask as an Arrow array.

    >>> as_mask(np.array([True, False])).to_pylist()
    [True, False]
    """
    import pyarrow

    bits = pyarrow.py_buffer(np.packbits(mask, bitorder="little"))
    return pyarrow.Array.from_buffers(pyarrow.bool_(), len(mask), [None, bits])
