"""Archives of NumPy arrays, such as the `evaluations.npz` of Stable-Baselines3.

Arrays of one length are the columns of a run. Of an array with several values an epoch, such as the
results of several episodes, the mean of each epoch is taken.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import LogError
from ..bounded import Allowance
from ..columns import is_coordinate
from ..known_names import counts_rows, is_metric
from ..log_format import LogFormat
from ..run import Points, Run
from ..source import Source
from .npy import array_of

__all__ = ["FORMAT"]

_MAGIC, _NAME = b"PK\x03\x04", 30  # the first file of an archive, and where its name begins
_ENDING = ".npy"
_COUNTERS = ("timesteps",)
_RESULTS = ("results", "ep_lengths", "successes")  # of Stable-Baselines3
_ERRORS = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError),
    *(RuntimeError, ValueError, OSError),
)  # what zipfile raises for archives that are damaged, encrypted or packed in another way


def _recognise(log: Source) -> bool:
    head = log.head
    length = int.from_bytes(head[26:28], "little")
    return head.startswith(_MAGIC) and head[_NAME : _NAME + length].endswith(_ENDING.encode())


def _read(log: Source) -> Iterator[Run]:
    arrays = _arrays(log)
    counters = [name for name in arrays if is_coordinate(name) or name in _COUNTERS]
    flat = [name for name in arrays if arrays[name].ndim == 1]
    length = len(arrays[next(iter([*counters, *flat]), next(iter(arrays)))])
    run, others, means = Run(None, length, {}), [], []
    rows = np.arange(length)
    for name, array in arrays.items():
        if (
            array.ndim not in (1, 2)
            or len(array) != length
            or not array.size
            or array.dtype.kind not in "fiub"
        ):
            others.append(name)
            continue
        if array.ndim == 2:
            means.append(name)
        column = array.mean(axis=1) if array.ndim == 2 else array
        target = run.coordinates if name in counters else run.metrics
        target[name] = Points(rows, column.astype(np.float64))
    if means:
        run.notes.append(f"several values an epoch, of which the mean is taken: {_few(means)}")
    if others:
        run.notes.append(f"no columns of {length:,} numbers, left out: {_few(others)}")
    yield run


def _arrays(log: Source) -> dict[str, Any]:
    """The arrays of an archive by name. Raises LogError for one without a counter or a metric."""
    allowance, arrays = Allowance(log), {}
    try:
        with log.open() as file, zipfile.ZipFile(file) as archive:
            members = {
                member.filename.removesuffix(_ENDING): member for member in archive.infolist()
            }
            if len(members) > log.limits.names:
                raise log.wrong(f"more than {log.limits.names:,} arrays (see `limits`)")
            if not any(map(_is_logged, members)):
                raise log.wrong(
                    f"an archive of NumPy arrays (.npz), none of which is a known metric: "
                    f"{_few(members)}; to read one, pass numpy.load(FILE)[NAME]",
                    not_a_log=True,
                )
            for name, member in members.items():
                allowance.take(member.file_size)
                array = _array(log, name, archive.read(member))
                if array is not None:
                    arrays[name] = array
    except LogError:
        raise
    except _ERRORS as error:
        raise log.wrong(f"expected an archive of NumPy arrays (.npz): {error!s:.200}") from None
    if not arrays:
        raise log.wrong("an archive of NumPy arrays (.npz) without a row", not_a_log=True)
    return arrays


def _array(log: Source, name: str, data: bytes) -> Any:
    """The array; None if it is no column and none was to be expected."""
    try:
        array = array_of(log, data, name)
    except LogError:
        if _is_logged(name):
            raise
        array = None
    if array is None or not array.ndim or array.dtype.names:
        log.notes.append(f"no column of numbers, left out: {name[:80]}")
        return None
    return array


def _is_logged(name: str) -> bool:
    return name in (*_COUNTERS, *_RESULTS) or counts_rows(name) or is_metric(name)


def _few(names: Any) -> str:
    return ", ".join(str(name)[:80] for name in list(names)[:10])


FORMAT = LogFormat("npz", _recognise, _read, general=True, order=8)
