"""JSON lines of plain numbers, read by columns: the same values as row by row, but faster.

Records with the same keys are collected together. Where one holds more than numbers and null, or
tells rows apart, the rows have to be read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .columnwise import run_of_points
from .json_text import scanned
from .records import coordinates_among
from .run import Points, Run
from .source import Source

__all__ = ["run_of_lines"]

_NONE = type(None)
_NUMBERS = {float, int, _NONE}


class _OddError(Exception):
    """Something that has to be read row by row."""


class _Piece(NamedTuple):
    """Some of the points of a metric or coordinate. place: the index of its name in the records."""

    rows: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    place: int


class _Group:
    """Records with the same keys: the numbers of their rows, and their values, row by row.

    counts: whether they name a metric; other records are no rows.
    """

    __slots__ = ("counts", "names", "rows", "values")

    def __init__(self, names: tuple[str, ...], counts: bool) -> None:
        self.names, self.counts = names, counts
        self.rows: list[int] = []
        self.values: list[Any] = []

    def drop(self) -> None:
        """Forget records without a metric. Raises _OddError for other values than numbers."""
        if not set(map(type, self.values)) <= _NUMBERS:
            raise _OddError
        self.values = []

    def take(self) -> Iterator[tuple[str, _Piece]]:
        """The points of each name, which are then forgotten. Raises _OddError for other values."""
        rows, width = np.array(self.rows, np.int64), len(self.names)
        for place, name in enumerate(self.names):
            yield name, _points(rows, self.values[place::width], place)
        self.rows, self.values = [], []


def _points(rows: npt.NDArray[np.int64], values: list[Any], place: int) -> _Piece:
    kinds = set(map(type, values))
    if not kinds <= _NUMBERS:
        raise _OddError
    if _NONE in kinds:
        there = np.fromiter((value is not None for value in values), np.bool_, len(values))
        rows, values = rows[there], [value for value in values if value is not None]
    try:
        return _Piece(rows, np.array(values, np.float64), place)
    except OverflowError:  # an integer of hundreds of digits
        raise _OddError from None


class _Lines:
    """Reads JSON lines of plain numbers."""

    def __init__(self, log: Source) -> None:
        self._log = log
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._pieces: dict[str, list[_Piece]] = {}
        self.coordinates: set[str] = set()
        self.length = 0

    def read(self) -> None:
        for block in self._log.blocks():
            *lines, rest = block.text.split("\n")
            for line in lines:
                self._add(line)
            if rest.strip():
                try:
                    self._add(rest)
                except _OddError:
                    if not self._log.cut_off(rest, block.first + len(lines)):
                        raise
            self._flush()

    def _add(self, line: str) -> None:
        try:
            record, end = scanned(line)
        except (StopIteration, ValueError):
            if not line or line.isspace():
                return
            raise _OddError from None
        if type(record) is not dict or (end != len(line) and not line[end:].isspace()):
            raise _OddError
        names = tuple(record)
        group = self._groups.get(names) or self._group(names)
        group.values.extend(record.values())
        if group.counts:
            group.rows.append(self.length)
            self.length += 1

    def _group(self, names: tuple[str, ...]) -> _Group:
        coordinates = coordinates_among(self._log, names)
        if coordinates is None or len(self._groups) >= self._log.limits.names:
            raise _OddError
        self.coordinates |= coordinates
        group = self._groups[names] = _Group(names, len(coordinates) < len(names))
        return group

    def _flush(self) -> None:
        count = 0
        for group in self._groups.values():
            if not group.counts:
                group.drop()
                continue
            count += len(group.rows)
            for name, piece in group.take():
                count += len(piece.rows)
                self._pieces.setdefault(name, []).append(piece)
        self._log.count(count)
        if len(self._pieces) > self._log.limits.names:
            raise _OddError  # which is told row by row

    def points(self) -> dict[str, Points]:
        """The points of each name, in the order in which they are first reported."""
        found = []
        for name, pieces in self._pieces.items():
            rows = np.concatenate([piece.rows for piece in pieces])
            values = np.concatenate([piece.values for piece in pieces])
            if len(rows):
                if (np.diff(rows) < 0).any():
                    order = np.argsort(rows)
                    rows, values = rows[order], values[order]
                place = next(p.place for p in pieces if len(p.rows) and p.rows[0] == rows[0])
                found.append((int(rows[0]), place, name, Points(rows, values)))
        return {name: points for _, _, name, points in sorted(found, key=lambda item: item[:2])}


def run_of_lines(log: Source) -> Run | None:
    """The run in JSON lines, if they are records of plain numbers; None to read them one by one.

    Raises LogError for more values than the limits allow, and for what is not text.
    """
    lines, notes = _Lines(log), len(log.notes)
    try:
        lines.read()
    except _OddError:
        log.recount()
        del log.notes[notes:]
        return None
    return run_of_points(lines.length, lines.points(), lines.coordinates)
