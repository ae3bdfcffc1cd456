"""Twins: one run that several files of a folder hold, each in its own format."""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..language.coordinate_names import plain_name
from .read_source import ReadSource
from .run import Points, Run
from .same_run import Names, agree_in_many, are_one, is_beginning, namings, tells

__all__ = ["folder_of", "set_twins_aside"]

_MARGIN = 1e-4  # relative: of first values, within which a twin is looked for
_MOST_NAMES = 100  # of a run, by which a twin is looked for
# Folders that tools make within that of the project, or of the run, for logs and states alone.
_OF_TOOLS = re.compile(r"runs|wandb|mlruns|checkpoint-\d+")

_Kind = tuple[str, str]  # the format of a file, and the ending of its name


def folder_of(read: ReadSource) -> str:
    """The folder of a source; itself if it is one."""
    return read.source if os.path.isdir(read.source) else os.path.dirname(read.source)


class _Twin(NamedTuple):
    """A run that may have a twin.

    home: the folder that it belongs to: its own, or that in which a tool made its own.
    above: its folder, its home, and all folders that it lies in.
    firsts: the last word and the first finite value of metrics that may tell it from others.
    held: the kinds of files that hold it once more.
    """

    read: ReadSource
    run: Run
    kind: _Kind
    folder: PurePath
    home: PurePath
    above: frozenset[PurePath]
    firsts: tuple[tuple[str, float], ...]
    held: set[_Kind]


def set_twins_aside(reads: Sequence[ReadSource]) -> None:
    """Leave out the twin with fewer values, or digits, with a note in the report.

    Twins are looked for in one folder, and in folders of which one belongs to the other.
    """
    found = [_twin(read, run) for read in reads if read.parts for run in read.runs]
    if len({twin.kind for twin in found}) < 2:
        return
    found.sort(key=lambda twin: (twin.kind[0] == "tensorboard", -twin.run.values))
    known = _Known()
    for twin in found:
        for first in known.candidates(twin):
            if _set_aside(first, twin, known):
                break
        else:
            known.add(twin)


def _twin(read: ReadSource, run: Run) -> _Twin:
    kind = read.format, os.path.splitext(read.source)[1].lower() if read.format == "table" else ""
    folder = home = PurePath(folder_of(read))
    for number, part in enumerate(folder.parts):
        if number and _OF_TOOLS.fullmatch(part):
            home = PurePath(*folder.parts[:number])
            break
    above = frozenset((folder, home, *folder.parents))
    return _Twin(read, run, kind, folder, home, above, tuple(_firsts(run)), set())


class _Known:
    """The runs so far, by their folders and first values, so that many are searched quickly."""

    def __init__(self) -> None:
        self._twins: list[_Twin | None] = []
        self._values: dict[tuple[PurePath, str], list[tuple[float, int]]] = {}
        self._below: dict[PurePath, list[int]] = {}

    def add(self, twin: _Twin) -> None:
        number = len(self._twins)
        for word, value in twin.firsts:
            bisect.insort(self._values.setdefault((twin.home, word), []), (value, number))
        for folder in twin.above - {twin.home}:
            self._below.setdefault(folder, []).append(number)
        self._twins.append(twin)

    def replace(self, first: _Twin, twin: _Twin) -> None:
        """Forget the first for its twin."""
        self._twins[next(i for i, known in enumerate(self._twins) if known is first)] = None
        self.add(twin)

    def candidates(self, twin: _Twin) -> Iterator[_Twin]:
        """Runs of other formats that begin with the same value of one of its metrics.

        They lie in the same folder, or one of both belongs to the folder of the other.
        """
        numbers = set(self._below.get(twin.home, ()))
        firsts: dict[str, list[float]] = {}
        for word, value in twin.firsts:
            firsts.setdefault(word, []).append(value)
            margin = _MARGIN * abs(value)
            for home in twin.above:
                values = self._values.get((home, word), [])
                begin = bisect.bisect_left(values, (value - margin, -1))
                end = bisect.bisect_right(values, (value + margin, len(self._twins)))
                numbers |= {number for _, number in values[begin:end]}
        for number in sorted(numbers):
            known = self._twins[number]
            if known and known.kind != twin.kind:
                together = known.read.found and twin.read.found
                if (together or known.folder == twin.folder) and _begins_with(known, firsts):
                    yield known


def _begins_with(twin: _Twin, firsts: Mapping[str, list[float]]) -> bool:
    """Has one of its metrics one of these first values, by the last word of its name?"""
    return any(
        abs(value - first) <= _MARGIN * abs(value)
        for word, value in twin.firsts
        for first in firsts.get(word, ())
    )


def _firsts(run: Run) -> Iterator[tuple[str, float]]:
    telling = [name for name in run.metrics if tells(name)]
    for name in telling[:_MOST_NAMES]:
        values = run.metrics[name].values
        finite = values[np.isfinite(values)]
        if len(finite):
            yield re.split(r"[/_.-]", name)[-1], float(finite[0])


def _set_aside(first: _Twin, twin: _Twin, known: _Known) -> bool:
    """Leave one of these out if they are one run; False if both count."""
    names = _names_of_one_run(first, twin)
    if names is None:
        return False
    one, other = names
    longer = is_beginning(one, other, first.run, twin.run)
    shorter = is_beginning(other, one, twin.run, first.run)
    if twin.kind in first.held and not (longer or shorter):
        return False  # two runs of one seed, say: the first has its twin already
    counts, left = (twin, first) if longer else (first, twin)
    if not _takes_over(counts.run, left.run, *(reversed(names) if longer else names)):
        left.run.notes.append(
            f"seems to be the run in {_name(counts, left)}, too; both count, as each has metrics "
            "that the other has not"
        )
        return False
    if longer:
        known.replace(left, counts)
    counts.held.add(left.kind)
    left.read.leave_out([left.run], f"the same run as in {_name(counts, left)}")
    counts.run.notes.append(
        f"{_name(left, counts)} holds the same run ({left.read.format}): it counts once"
    )
    return True


def _names_of_one_run(first: _Twin, twin: _Twin) -> tuple[Names, Names] | None:
    """The metrics of both in the spelling in which they are one run; None if they are not."""
    for names in namings(first.run, twin.run):
        if are_one(*names, first.run, twin.run):
            apart = first.folder != twin.folder
            return names if not apart or agree_in_many(*names, first.run, twin.run) else None
    return None


def _name(one: _Twin, beside: _Twin) -> str:
    """How a file is called for who reads about another."""
    if one.folder == beside.folder:
        return os.path.basename(one.read.source)
    return os.path.relpath(one.read.source, os.path.commonpath([one.folder, beside.folder]))


def _takes_over(run: Run, twin: Run, one: Names, other: Names) -> bool:
    """Give a run what only its twin has; False if their rows do not go together."""
    missing = {
        spelled: name
        for spelled, name in other.items()
        if spelled not in one and spelled not in run.coordinates
    }
    placed = _placed(run, twin, list(missing.values()))
    if placed is None:
        return False
    run.metrics |= {spelled: placed[name] for spelled, name in missing.items()}
    if run.length == twin.length:
        known = set(map(plain_name, run.coordinates))
        run.coordinates |= {n: p for n, p in twin.coordinates.items() if plain_name(n) not in known}
    return True


def _placed(run: Run, twin: Run, names: Sequence[str]) -> dict[str, Points] | None:
    """Metrics of the twin in the rows of the run; None if not all of their rows are there."""
    if run.length == twin.length or not names:
        return {name: twin.metrics[name] for name in names}
    for coordinate in run.coordinates:
        if coordinate in twin.coordinates:
            here, there = run.coordinates[coordinate], twin.coordinates[coordinate]
            row_at = dict(zip(here.values.tolist(), here.rows.tolist(), strict=True))
            at_row = dict(zip(there.rows.tolist(), there.values.tolist(), strict=True))
            rows = [row_at.get(at_row.get(row)) for row in range(twin.length)]
            used = {int(row) for name in names for row in twin.metrics[name].rows}
            if len(row_at) == len(here.rows) and all(rows[row] is not None for row in used):
                place = np.array([-1 if row is None else row for row in rows], np.int64)
                return {n: _moved(twin.metrics[n], place) for n in names}
    return None


def _moved(points: Points, place: npt.NDArray[np.int64]) -> Points:
    rows = place[points.rows]
    order = np.argsort(rows, kind="stable")
    return Points(rows[order], points.values[order])
