"""Runs of several sources that count once: a run logged twice, and final figures beside its log."""

from __future__ import annotations

import collections
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from .known_names import is_metric
from .read_source import ReadSource
from .run import Run

__all__ = ["set_aside"]

_FLOAT32 = 1e-6  # relative: TensorBoard's values, beside the same with more digits
_ROUNDED = 1e-4  # relative: five digits, as some tools write into tables
_MANY = 5  # values that cannot agree to five digits by chance
_MOST_PAIRS = 100_000
_INDICES = 30  # so many different whole numbers are no metric
_SAYS_LITTLE = re.compile(r"(?i)(^|[/_.-])(lr|learning_?rate|momentum|time|epoch|step|fps)")

Floats = npt.NDArray[np.float64]


def set_aside(reads: Sequence[ReadSource]) -> None:
    """Leave out what counts already, or is no run, with a note in the report.

    - Of a run that two files of a folder hold in two formats, the one with fewer values.
    - In a folder, a single record beside a log of more epochs: final figures.
    - In a folder, lists of many different whole numbers: indices of data.
    """
    by_folder: dict[str, list[ReadSource]] = collections.defaultdict(list)
    for read in reads:
        if read.found:
            _leave_out(read, _indices(read), "whole numbers that all differ: indices, not metrics")
        if read.runs and read.parts:
            by_folder[_folder(read)].append(read)
    _final_figures(by_folder)
    for together in by_folder.values():
        _twins(together)


def _folder(read: ReadSource) -> str:
    """The folder of a source; itself if it is one."""
    return read.source if os.path.isdir(read.source) else os.path.dirname(read.source)


def _leave_out(read: ReadSource, runs: list[Run], why: str) -> None:
    if runs:
        left = set(map(id, runs))
        read.runs = [run for run in read.runs if id(run) not in left]
        read.notes.append(f"{why}: left out")


def _indices(read: ReadSource) -> list[Run]:
    return [run for run in read.runs if not run.coordinates and _are_indices(run)]


def _are_indices(run: Run) -> bool:
    for name, points in run.metrics.items():
        values = points.values
        whole = len(values) >= _INDICES and bool((values == np.floor(values)).all())
        if not whole or len(np.unique(values)) < len(values) or is_metric(name):
            return False
    return True


def _final_figures(by_folder: dict[str, list[ReadSource]]) -> None:
    logs = [
        (PurePath(folder), max(run.length for run in read.runs))
        for folder, reads in by_folder.items()
        for read in reads
    ]
    for folder, reads in by_folder.items():
        path = PurePath(folder)
        for read in filter(_is_single_record, reads):
            for other, epochs in logs:
                if epochs > 1 and (other == path or path in other.parents or other in path.parents):
                    why = "a single record beside a log of more epochs: final figures of a run"
                    _leave_out(read, list(read.runs), why)
                    break


def _is_single_record(read: ReadSource) -> bool:
    return read.found and read.format == "records" and [r.length for r in read.runs] == [1]


def _twins(reads: list[ReadSource]) -> None:
    """Leave out runs of a folder that another file holds in another format."""
    runs = [(read, run) for read in reads for run in read.runs]
    formats = collections.Counter(_kind(read) for read, _ in runs)
    if len(formats) < 2 or len(runs) ** 2 > _MOST_PAIRS:
        return
    runs.sort(key=lambda item: (item[0].format == "tensorboard", -item[1].values))
    kept: list[tuple[ReadSource, Run]] = []
    for read, run in runs:
        twin = next(((r, k) for r, k in kept if _kind(r) != _kind(read) and _are_one(k, run)), None)
        if twin is None:
            kept.append((read, run))
            continue
        first, same = twin
        if not _takes_over(same, run):
            kept.append((read, run))
            run.notes.append(
                f"seems to be the run in {_name(first)}, too; both count, as each has metrics that "
                "the other has not"
            )
            continue
        _leave_out(read, [run], f"the same run as in {_name(first)}")
        same.notes.append(f"{_name(read)} holds the same run ({read.format}): it counts once")


def _kind(read: ReadSource) -> tuple[str, str]:
    """The format of a source, and the ending of its name."""
    return read.format, os.path.splitext(read.source)[1].lower() if read.format == "table" else ""


def _name(read: ReadSource) -> str:
    return os.path.basename(read.source)


def _are_one(run: Run, other: Run) -> bool:
    """Have both the same values of the metrics that both have?

    Ultralytics reports the metrics of its best epoch at the last step once more: of several
    metrics, the last value of some may differ.
    """
    told = False
    for name, one, two in _common(run, other):
        number = min(len(one), len(two))
        if len(one) != len(two) and len(np.unique(one[:number])) < 3:
            return False
        relative = _ROUNDED if number >= _MANY else _FLOAT32
        same = np.isclose(one[:number], two[:number], rtol=relative, atol=0.0, equal_nan=True)
        if not same.all() and (number < _MANY or not same[:-1].all()):
            return False
        varies = number == 1 or len(np.unique(one[:number])) > 1
        told |= bool(same.all()) and varies and not _SAYS_LITTLE.search(name)
    return told


def _common(run: Run, other: Run) -> Iterator[tuple[str, Floats, Floats]]:
    for name, points in run.metrics.items():
        if name in other.metrics:
            yield name, points.values, other.metrics[name].values


def _takes_over(run: Run, other: Run) -> bool:
    """Give a run what only its twin has; False if their rows do not go together."""
    missing = [name for name in other.metrics if name not in run.metrics]
    if missing and run.length != other.length:
        return False
    for name in missing:
        run.metrics[name] = other.metrics[name]
    for name, points in other.coordinates.items():
        if run.length == other.length:
            run.coordinates.setdefault(name, points)
    return True
