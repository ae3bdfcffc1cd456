"""NumPy files of plain numbers: (epochs,), (runs, epochs), or columns of a structured array."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..columns import is_coordinate
from ..log_format import LogFormat
from ..run import Points, Run
from ..source import Source

__all__ = ["FORMAT", "runs_of_array"]

_LONGEST_HEADER = 2**16


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
            target[name] = Points(rows, values.astype(np.float64))
        yield run


def _header(log: Source, data: bytes) -> tuple[tuple[int, ...], Any, bool, int]:
    """The shape, type and order of the values, and the offset at which they begin.

    The header is a dictionary as a Python literal, preceded by its length; nothing in it is
    executed. See the specification in numpy.lib.format.
    """
    width = 2 if data[6:7] == b"\x01" else 4
    begin = 8 + width
    size = int.from_bytes(data[8:begin], "little")
    if data[6:8] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00") or size > _LONGEST_HEADER:
        raise log.wrong("expected a NumPy array of version 1, 2 or 3", "byte 6")
    try:
        header = ast.literal_eval(data[begin : begin + size].decode("utf-8").strip())
        shape, kind, in_columns = header["shape"], header["descr"], header["fortran_order"]
        kind = np.dtype(kind)
        if not all(isinstance(length, int) and length >= 0 for length in shape):
            raise ValueError(f"the shape {shape!r}")
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError) as error:
        raise log.wrong(f"expected the header of a NumPy array: {error!s:.200}", "byte 8") from None
    return tuple(shape), kind, bool(in_columns), begin + size


def _read(log: Source) -> Iterator[Run]:
    data = log.whole()
    shape, kind, in_columns, begin = _header(log, data)
    if kind.hasobject:
        raise log.wrong("expected numbers, got an array of Python objects: not read")
    wanted = math.prod(shape) * kind.itemsize
    if wanted != len(data) - begin or not wanted:
        raise log.wrong(
            f"the header claims {wanted:,} bytes of values (shape {shape}), but the file has "
            f"{len(data) - begin:,}",
            f"byte {begin}",
        )
    array = np.frombuffer(data, kind, offset=begin)
    yield from runs_of_array(log, array.reshape(shape, order="F" if in_columns else "C"))


FORMAT = LogFormat("npy", lambda log: log.head.startswith(b"\x93NUMPY"), _read, order=20)
