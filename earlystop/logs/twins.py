"""Twins: one run that several files of a folder hold, each in its own format."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..language.coordinate_names import plain_name
from .beginnings import Beginnings
from .read_source import ReadSource
from .run import Points, Run
from .same_run import Names, agree_in_many, are_one, is_beginning, namings

__all__ = ["folder_of", "set_twins_aside"]

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
    held: the kinds of files that hold it once more.
    """

    read: ReadSource
    run: Run
    kind: _Kind
    folder: PurePath
    home: PurePath
    above: frozenset[PurePath]
    held: set[_Kind]


def set_twins_aside(reads: Sequence[ReadSource]) -> None:
    """Leave out the twin with fewer values, or digits, with a note in the report.

    Twins are looked for in one folder, and in folders of which one belongs to the other.
    """
    if len({_kind(read) for read in reads if read.parts and read.runs}) < 2:
        return
    found = [_twin(read, run) for read in reads if read.parts for run in read.runs]
    found.sort(key=lambda twin: (twin.kind[0] == "tensorboard", -twin.run.values))
    beginnings = Beginnings([twin.run for twin in found])
    counts = [True] * len(found)
    for number, twin in enumerate(found):
        for earlier in beginnings.alike(number):
            first = found[earlier]
            if counts[earlier] and _may_be_one(first, twin):
                left = _left_out(first, twin)
                if left is not None:
                    counts[earlier if left is first else number] = False
                    break


def _kind(read: ReadSource) -> _Kind:
    return read.format, os.path.splitext(read.source)[1].lower() if read.format == "table" else ""


def _twin(read: ReadSource, run: Run) -> _Twin:
    folder = home = PurePath(folder_of(read))
    for number, part in enumerate(folder.parts):
        if number and _OF_TOOLS.fullmatch(part):
            home = PurePath(*folder.parts[:number])
            break
    above = frozenset((folder, home, *folder.parents))
    return _Twin(read, run, _kind(read), folder, home, above, set())


def _may_be_one(one: _Twin, other: _Twin) -> bool:
    """Are they of different formats, and in one folder or the home of one above the other?"""
    if one.kind == other.kind or not (one.home in other.above or other.home in one.above):
        return False
    return one.folder == other.folder or (one.read.found and other.read.found)


def _left_out(first: _Twin, twin: _Twin) -> _Twin | None:
    """Leave one of these out if they are one run, and return it; None if both count."""
    names = _names_of_one_run(first, twin)
    if names is None:
        return None
    one, other = names
    longer = is_beginning(one, other, first.run, twin.run)
    shorter = is_beginning(other, one, twin.run, first.run)
    if twin.kind in first.held and not (longer or shorter):
        return None  # two runs of one seed, say: the first has its twin already
    counts, left = (twin, first) if longer else (first, twin)
    if not _takes_over(counts.run, left.run, *(reversed(names) if longer else names)):
        left.run.notes.append(
            f"seems to be the run in {_name(counts, left)}, too; both count, as each has metrics "
            "that the other has not"
        )
        return None
    counts.held.add(left.kind)
    left.read.leave_out([left.run], f"the same run as in {_name(counts, left)}")
    counts.run.notes.append(
        f"{_name(left, counts)} holds the same run ({left.read.format}): it counts once"
    )
    return left


def _names_of_one_run(first: _Twin, twin: _Twin) -> tuple[Names, Names] | None:
    """The metrics of both in the spelling in which they are one run; None if they are not."""
    for names in namings(first.run, twin.run):
        if are_one(*names, first.run, twin.run):
            apart = first.folder != twin.folder
            return names if not apart or agree_in_many(*names, first.run, twin.run) else None
    return None


def _name(one: _Twin, beside: _Twin) -> str:
    """The name of a file in a note about the other one."""
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
