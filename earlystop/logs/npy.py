"""NumPy files of plain numbers: (epochs,), (runs, epochs), or columns of a structured array."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .format import LogFormat
from .log import Log
from .run import Points, Run, is_coordinate

__all__ = ["FORMAT", "runs_of_array"]


def runs_of_array(log: Log, array: Any) -> Iterator[Run]:
    """The runs of an array: its last axis is that of the epochs.

    Raises LogError for another shape, and for what is no number.
    """
    if array.dtype.names:
        if array.ndim != 1:
            raise log.wrong(f"expected one row an epoch, got the shape {array.shape}")
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
    for place in range(1 if first.ndim == 1 else len(first)):
        run = Run(None if first.ndim == 1 else f"#{place}", len(rows), {})
        for name, column in columns.items():
            values = column if column.ndim == 1 else column[place]
            where = run.coordinates if is_coordinate(name) else run.metrics
            where[name] = Points(rows, values.astype(np.float64))
        yield run


def _read(log: Log) -> Iterator[Run]:
    with log.open() as file:
        data = file.read(log.limits.document + 1)
    if len(data) > log.limits.document:
        raise log.wrong(f"larger than {log.limits.document:,} bytes (see `limits`)")
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        header: Any = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if header is None:
            raise ValueError(f"version {version}")
        shape, _, dtype = header(stream)
        wanted = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise log.wrong("expected numbers, got an array of Python objects: not read")
        if wanted != len(data) - stream.tell() or min(shape, default=1) < 0:
            raise ValueError(
                f"the header claims {wanted:,} bytes of values, there are "
                f"{len(data) - stream.tell():,}"
            )
        stream.seek(0)
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, TypeError, SyntaxError, KeyError, EOFError, OverflowError) as error:
        if type(error).__name__ == "LogError":
            raise
        raise log.wrong(f"expected a NumPy array: {str(error)[:200]}") from None
    yield from runs_of_array(log, array)


FORMAT = LogFormat("npy", lambda log: log.head.startswith(b"\x93NUMPY"), _read)
