"""Archives of NumPy arrays (.npz), an array per metric: evaluations.npz of Stable-Baselines3."""

from __future__ import annotations

import collections
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...errors import LogError
from ..bounded import Allowance
from ..columns import is_coordinate
from ..log_format import LogFormat
from ..records import few
from ..run import Points, Run
from ..source import Source
from .npy import array_of, runs_of_array

__all__ = ["FORMAT"]

_AT_ONCE = 2**20
_MOST_COLUMNS = 256
_EVALUATIONS = {"timesteps", "results"}  # of Stable-Baselines3: an episode a column
_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, IndexError),
    *(NotImplementedError, RuntimeError, OverflowError),  # encrypted, or packed in another way
)


def _recognise(log: Source) -> bool:
    head = log.head
    if not head.startswith(b"PK\x03\x04") or len(head) < 30:
        return False
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].endswith(b".npy")


def _read(log: Source) -> Iterator[Run]:
    left_out: dict[str, str] = {}
    arrays = dict(_arrays(log, left_out))
    if not arrays:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise log.wrong(f"there is no array of numbers in it: {reasons}")
    log.notes += [f"{name}, left out: {why}" for name, why in list(left_out.items())[:20]]
    if not any(array.ndim == 1 and not array.dtype.names for array in arrays.values()):
        yield from _runs(log, arrays)
    else:
        yield _run(log, arrays)


def _arrays(log: Source, left_out: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """The arrays of numbers, by name. Adds what else there is to `left_out`, and why."""
    allowance = Allowance(log)
    try:
        with zipfile.ZipFile(io.BytesIO(log.whole())) as archive:
            members = archive.infolist()
            if len(members) > log.limits.names:
                raise log.wrong(f"more than {log.limits.names:,} arrays (see `limits`)")
            for member in members:
                name = member.filename.removesuffix(".npy")
                try:
                    array = array_of(log, _unpacked(archive, member, allowance))
                except LogError as error:
                    if allowance.left < 0:
                        raise
                    left_out[name] = error.message
                    continue
                log.count(array.size * len(array.dtype.names or [""]))
                yield name, array
    except LogError:
        raise
    except _ERRORS as error:
        raise log.wrong(f"expected an archive of NumPy arrays (.npz): {error!s:.200}") from None


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, allowance: Allowance) -> bytes:
    parts = []
    with archive.open(member) as file:
        while part := file.read(_AT_ONCE):
            allowance.take(len(part))
            parts.append(part)
    return b"".join(parts)


def _runs(log: Source, arrays: Mapping[str, Any]) -> Iterator[Run]:
    """A run a row, of arrays of shape (runs, epochs)."""
    if len(arrays) == 1:
        yield from runs_of_array(log, next(iter(arrays.values())))
        return
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or any(array.dtype.names for array in arrays.values()):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise log.wrong(f"expected arrays with a value an epoch, got {found}")
    runs = [list(runs_of_array(log, array)) for array in arrays.values()]
    for first, *others in zip(*runs, strict=True):
        first.metrics = {
            name: run.metrics[log.options.value_name]
            for name, run in zip(arrays, (first, *others), strict=True)
        }
        yield first


def _run(log: Source, arrays: Mapping[str, Any]) -> Run:
    """One run, of arrays with a row an epoch."""
    length = _length(arrays)
    run, left_out = Run(None, length, {}), []
    rows = np.arange(length)
    for name, array in arrays.items():
        if array.dtype.names or array.ndim not in (1, 2) or len(array) != length:
            left_out.append(f"{name} {array.shape}")
            continue
        for column, values in _columns(log, name, array, arrays.keys() >= _EVALUATIONS):
            coordinate = is_coordinate(column) or column == log.options.coordinate
            counts = coordinate or (column == "timesteps" and "results" in arrays)
            target = run.coordinates if counts else run.metrics
            target[column] = Points(rows, np.asarray(values, np.float64))
    if left_out:
        run.notes.append(f"arrays of other shapes, left out: {few(left_out)}")
    return run


def _length(arrays: Mapping[str, Any]) -> int:
    """The number of epochs: the length of what counts them, or of most arrays."""
    plain = {name: len(a) for name, a in arrays.items() if a.ndim == 1 and not a.dtype.names}
    for name, length in plain.items():
        if is_coordinate(name) or name == "timesteps":
            return length
    return collections.Counter(plain.values()).most_common(1)[0][0]


def _columns(log: Source, name: str, array: Any, evaluations: bool) -> Iterator[tuple[str, Any]]:
    if array.ndim == 1:
        yield name, array
    elif evaluations and array.shape[1]:
        log.notes.append(f"{name}: the mean of {array.shape[1]:,} episodes an evaluation")
        yield name, array.astype(np.float64).mean(axis=1)
    elif array.shape[1] <= _MOST_COLUMNS:
        for place in range(array.shape[1]):
            yield f"{name}/{place}", array[:, place]
    else:
        log.notes.append(f"{name} {array.shape}, left out: too many columns")


FORMAT = LogFormat("npz", _recognise, _read, order=5)
