"""Archives of NumPy arrays, such as the `evaluations.npz` of Stable-Baselines3.

Arrays of one length are the columns of a run. An array with several values per epoch gives a metric
for each of them; for the results of several episodes, the mean is taken. If there are only arrays
of shape (runs, epochs), each row is a run.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...errors import LogError
from ..bounded import Allowance
from ..columns import is_coordinate
from ..known_names import counts_rows, is_metric
from ..log_format import LogFormat
from ..records import few
from ..run import Points, Run
from ..source import Source
from .npy import array_of, runs_of_array

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
    if any(array.ndim == 1 for array in arrays.values()):
        yield _run(log, arrays)
    else:
        yield from _runs(log, arrays)


def _run(log: Source, arrays: Mapping[str, Any]) -> Run:
    """The run of arrays with one row per epoch; several values per row are several metrics."""
    counters = [name for name in arrays if is_coordinate(name) or name in _COUNTERS]
    flat = [name for name in arrays if arrays[name].ndim == 1]
    length = len(arrays[[*counters, *flat][0]])
    run, others, means = Run(None, length, {}), [], []
    rows = np.arange(length)
    for name, array in arrays.items():
        if array.ndim not in (1, 2) or len(array) != length or not array.size:
            others.append(name)
        elif array.ndim == 1:
            target = run.coordinates if name in counters else run.metrics
            target[name] = Points(rows, array.astype(np.float64))
        elif name in _RESULTS:
            means.append(name)
            run.metrics[name] = Points(rows, array.astype(np.float64).mean(axis=1))
        else:
            for place in range(min(array.shape[1], log.limits.names)):
                values = array[:, place].astype(np.float64)
                run.metrics[f"{name}/{place}"] = Points(rows, values)
    if means:
        run.notes.append(f"several episodes an epoch, of which the mean is taken: {few(means)}")
    if others:
        run.notes.append(f"no columns of {length:,} numbers, left out: {few(others)}")
    return run


def _runs(log: Source, arrays: Mapping[str, Any]) -> Iterator[Run]:
    """A run per row of arrays of shape (runs, epochs); results of episodes are of one run."""
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise log.wrong(f"expected arrays with a value an epoch, got {found[:500]}")
    for runs in zip(*(runs_of_array(log, array) for array in arrays.values()), strict=True):
        whole = Run(runs[0].name, runs[0].length, {})
        for name, run in zip(arrays, runs, strict=True):
            target = whole.coordinates if is_coordinate(name) else whole.metrics
            target[name] = run.metrics[log.options.value_name]
        yield whole


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
                    f"{few(members)}; to read one, pass numpy.load(FILE)[NAME]",
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
    """The array; None if it is no column of numbers, for a name that need not have one."""
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


FORMAT = LogFormat("npz", _recognise, _read, general=True, order=8)
