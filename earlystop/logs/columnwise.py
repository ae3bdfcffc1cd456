"""Runs of logs that are read by columns: the same as `runs_of` makes of their rows."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .cells_of_text import CellsOfText
from .records import coordinates_among, runs_of
from .rows import labels_of
from .run import Points, Run
from .source import Source

__all__ = ["Column", "joined", "records_of", "run_of_points", "runs_of_columns"]


class Column(NamedTuple):
    """A column of a log.

    name: its name.
    values: the numbers, NaN where there is none, shape (rows,).
    gaps: the rows without a number, in ascending order.
    texts: the text in some of these rows.
    """

    name: str
    values: npt.NDArray[np.float64]
    gaps: npt.NDArray[np.int64]
    texts: Mapping[int, str]

    def cells(self) -> list[Any]:
        """A number, a text or None for every row."""
        cells: list[Any] = self.values.tolist()
        for row in self.gaps.tolist():
            cells[row] = self.texts.get(row)
        return cells


def runs_of_columns(log: Source, columns: Sequence[Column]) -> Iterator[Run]:
    """The runs in these columns, of one length. Raises LogError as `runs_of` does."""
    coordinates = coordinates_among(log, [column.name for column in columns])
    texts = [column for column in columns if column.texts]
    numbers = [column for column in columns if not column.texts]
    rows_count = not texts or any(column.name not in (coordinates or ()) for column in numbers)
    if coordinates is None or not rows_count or not all(map(_is_text, texts)):
        yield from runs_of(log, records_of(columns))
        return
    run = _run(numbers, coordinates)
    run.labels = {column.name: labels_of(column.texts) for column in texts}
    yield run


def _is_text(column: Column) -> bool:
    cells, values = CellsOfText(column.name), 0
    for text in column.texts.values():
        if cells.surely_text:
            return True
        with contextlib.suppress(ValueError):
            values += cells.value(text) is not None
    return cells.are_numbers(values) is False


def records_of(columns: Sequence[Column]) -> Iterator[dict[str, Any]]:
    """The rows, by name."""
    names = [column.name for column in columns]
    for cells in zip(*(column.cells() for column in columns), strict=True):
        yield dict(zip(names, cells, strict=True))


def _run(columns: Sequence[Column], coordinates: Container[str]) -> Run:
    length = len(columns[0].values)
    all_rows, found = np.arange(length), []
    for name, values, gaps, _ in columns:
        rows = np.delete(all_rows, gaps) if len(gaps) else all_rows
        if len(rows):
            found.append((name, Points(rows, values[rows] if len(gaps) else values)))
    found.sort(key=lambda item: int(item[1].rows[0]))  # as they begin to be reported
    return run_of_points(length, dict(found), coordinates)


def run_of_points(length: int, found: Mapping[str, Points], coordinates: Container[str]) -> Run:
    """The run of `length` rows with these values, by name. coordinates: the names of no metrics."""
    run = Run(None, length, {})
    for name, points in found.items():
        (run.coordinates if name in coordinates else run.metrics)[name] = points
    return run


def joined(tables: Sequence[Sequence[Column]]) -> list[Column]:
    """The columns of tables, one below the other; gaps where one of them lacks a column."""
    if len(tables) == 1:
        return [*tables[0]]
    lengths = [len(columns[0].values) for columns in tables]
    places: dict[str, list[Column | None]] = {}
    for number, columns in enumerate(tables):
        for column in columns:
            places.setdefault(column.name, [None] * len(tables))[number] = column
    return [_end_to_end(name, parts, lengths) for name, parts in places.items()]


def _end_to_end(name: str, parts: Sequence[Column | None], lengths: Sequence[int]) -> Column:
    values, gaps, texts, begin = [], [], dict[int, str](), 0
    for part, length in zip(parts, lengths, strict=True):
        values.append(np.full(length, np.nan) if part is None else part.values)
        gaps.append(begin + (np.arange(length) if part is None else part.gaps))
        if part is not None:
            texts |= {row + begin: text for row, text in part.texts.items()}
        begin += length
    return Column(name, np.concatenate(values), np.concatenate(gaps), texts)
