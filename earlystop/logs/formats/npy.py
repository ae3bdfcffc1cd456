"""NumPy files of plain numbers: (epochs,), (runs, epochs), or columns of a structured array."""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import shortened
from ..columns import is_coordinate
from ..log_format import LogFormat
from ..run import Points, Run
from ..source import Source

__all__ = ["FORMAT", "array_of", "runs_of_array"]

_LONGEST_HEADER = 2**16
_MOST_AXES = 64  # as in NumPy
_NUMBER_TYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f(2|4|8|12|16))")


def runs_of_array(log: Source, array: Any) -> Iterator[Run]:
    """The runs in an array whose last axis is the epochs.

    Raises LogError for another shape, and for values that are not real numbers.
    """
    if array.dtype.names:
        if array.ndim != 1:
            raise log.wrong(f"expected one row per epoch, got the shape {array.shape}")
        columns = {name: array[name] for name in array.dtype.names}
        if any(column.ndim != 1 or column.dtype.kind not in "fiub" for column in columns.values()):
            raise log.wrong("expected columns of real numbers")
    else:
        if array.dtype.kind not in "fiub":
            raise log.wrong(f"expected real numbers, got {array.dtype}")
        if array.ndim not in (1, 2):
            raise log.wrong(f"expected the shape (epochs,) or (runs, epochs), got {array.shape}")
        columns = {log.options.value_name: array}
    first = next(iter(columns.values()))
    if not first.size:
        raise log.wrong(f"there is no value in it: its shape is {array.shape}")
    rows = np.arange(first.shape[-1])
    for number in range(1 if first.ndim == 1 else len(first)):
        run = Run(None if first.ndim == 1 else f"#{number}", len(rows), {})
        for name, column in columns.items():
            values = column if column.ndim == 1 else column[number]
            target = run.coordinates if is_coordinate(name) else run.metrics
            known = ~np.ma.getmaskarray(values)  # what is masked was not reported
            if known.any():
                target[name] = Points(rows[known], np.ma.getdata(values)[known].astype(np.float64))
        yield run


def _header(log: Source, data: bytes) -> tuple[tuple[int, ...], Any, bool, int]:
    """The shape, type and order of the values, and the offset at which they begin.

    The header is a dictionary as a Python literal, preceded by its length; nothing in it is
    executed. See the specification in numpy.lib.format. NumPy accepts many headers that it never
    writes, so types and lengths are compared with those that it writes.
    """
    width = 2 if data[6:7] == b"\x01" else 4
    begin = 8 + width
    size = int.from_bytes(data[8:begin], "little")
    if data[6:8] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00") or size > _LONGEST_HEADER:
        raise log.wrong("expected a NumPy array of version 1, 2 or 3", "byte 6")
    try:
        with warnings.catch_warnings():  # about odd literals, which do not concern the caller
            warnings.simplefilter("ignore")
            header = ast.literal_eval(data[begin : begin + size].decode("utf-8").strip())
        shape, in_columns = _checked_shape(header["shape"]), header["fortran_order"]
        kind = _type_of(header["descr"])
        if type(in_columns) is not bool:
            raise ValueError(f"the order {shortened(in_columns)}")
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError) as error:
        raise log.wrong(f"expected the header of a NumPy array: {error!s:.200}", "byte 8") from None
    return shape, kind, in_columns, begin + size


def _checked_shape(shape: Any) -> tuple[int, ...]:
    """The shape in a header. Raises ValueError for one that no array has."""
    if (
        type(shape) is not tuple
        or len(shape) > _MOST_AXES
        or not all(type(length) is int and 0 <= length < 2**63 for length in shape)
    ):
        raise ValueError(f"the shape {shortened(shape)}")
    return shape


def _type_of(described: Any) -> Any:
    """The type in a header: one number, or columns of numbers. Raises ValueError for any other."""
    columns = described if type(described) is list else [("", described)]
    for column in columns:
        if type(column) is not tuple or len(column) != 2 or type(column[0]) is not str:
            raise ValueError(f"the column {shortened(column)}")
        if column[1] == "|O":
            raise ValueError("an array of Python objects: not read")
        if type(column[1]) is not str or not _NUMBER_TYPE.fullmatch(column[1]):
            raise ValueError(f"expected real numbers, got the type {shortened(column[1])}")
    return np.dtype(described)


def array_of(log: Source, data: bytes, name: str = "") -> Any:
    """The array in the bytes of a NumPy file.

    name: its name in errors, if it is one of several.

    Raises LogError for a damaged header, and for one that claims another number of bytes.
    """
    shape, kind, in_columns, begin = _header(log, data)
    wanted = math.prod(shape) * kind.itemsize
    if wanted != len(data) - begin or not wanted:
        raise log.wrong(
            f"the header claims {wanted:,} bytes of values (shape {shape}), but the file has "
            f"{len(data) - begin:,}",
            name or f"byte {begin}",
        )
    log.count(math.prod(shape) * len(kind.names or [""]))
    array = np.frombuffer(data, kind, offset=begin)
    return array.reshape(shape, order="F" if in_columns else "C")


def _read(log: Source) -> Iterator[Run]:
    yield from runs_of_array(log, array_of(log, log.whole()))


def _recognise(log: Source) -> bool:
    return log.head.startswith(b"\x93NUMPY")


FORMAT = LogFormat("npy", _recognise, _read, general=True, order=20)
