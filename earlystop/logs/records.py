"""Records, one per epoch or row, to which JSON, tables and data frames are converted.

`runs_of` interprets the names: labels of runs, the split of the data, coordinates, and metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..language.splits import SPLITS
from .cells_of_text import CellsOfText
from .columns import RUN_COLUMNS, SPLIT_COLUMNS, is_coordinate, plain_number
from .known_names import is_settings
from .rows import Rows
from .run import Run
from .source import Source

__all__ = ["coordinates_among", "few", "flat", "runs_of"]


_DEEPEST = 4  # nested records


def flat(record: Mapping[Any, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The entries of a record; those of nested records get names with slashes.

    >>> dict(flat({"epoch": 1, "val": {"loss": 0.5, "best": {"f1": 0.25}}}))
    {'epoch': 1, 'val/loss': 0.5, 'val/best/f1': 0.25}
    """
    for name, value in record.items():
        path = f"{above}{str(name).strip()}"
        # _type: W&B media, such as pictures
        if isinstance(value, Mapping) and "_type" not in value and depth < _DEEPEST:
            yield from flat(value, f"{path}/", depth + 1)
        else:
            yield path, value


def few(names: Iterable[str]) -> str:
    """The first 20 of these names, for a note."""
    names = list(names)
    return ", ".join(name[:80] for name in names[:20]) + (", ..." if len(names) > 20 else "")


_COORDINATE, _METRIC, _RUN, _SPLIT = range(4)


def _meaning(log: Source, raw: Any) -> tuple[str, int]:
    """The name of a column, stripped, and its meaning."""
    name = str(raw).strip()
    if is_coordinate(name) or name == log.options.coordinate:
        return name, _COORDINATE
    if name.lower() in RUN_COLUMNS:
        return name, _RUN
    return name, _SPLIT if name.lower() in SPLIT_COLUMNS else _METRIC


def coordinates_among(log: Source, names: Sequence[str]) -> set[str] | None:
    """Those of these names that are coordinates, where all others are metrics.

    None if rows with these names have to be read one by one.
    """
    meanings = {name: _meaning(log, name) for name in names}
    if any(kind in (_RUN, _SPLIT) or plain != raw for raw, (plain, kind) in meanings.items()):
        return None
    return {name for name, (_, kind) in meanings.items() if kind == _COORDINATE}


class _Row:
    """The contents of one record."""

    __slots__ = ("names_a_metric", "part", "texts", "values")

    def __init__(self) -> None:
        self.values: list[tuple[str, float]] = []
        self.texts: list[tuple[str, str]] = []
        self.part = ""
        self.names_a_metric = False


class _Reader:
    """The meaning of columns so far, the labels of the current run, and columns of other text."""

    def __init__(self, log: Source) -> None:
        self._log = log
        self._columns: dict[Any, tuple[str, int]] = {}
        self._texts: dict[str, CellsOfText] = {}
        self._parts: dict[str, None] = {"": None}
        self._longest: dict[str, int] = {}
        self._varying: set[str] = set()
        self.labels: dict[str, str] = {}
        self.left_out: dict[str, None] = {}
        self.settings: dict[str, None] = {}

    def row(self, record: Mapping[Any, Any]) -> _Row:
        row, columns = _Row(), self._columns
        for raw, value in self._entries(record):
            name, kind = columns.get(raw) or self._column(raw)
            if kind == _RUN and value not in (None, ""):
                number = plain_number(value)
                self.labels[name] = f"{number:.12g}" if number is not None else str(value)
            elif type(value) is float:
                row.values.append((name, value))
                row.names_a_metric |= kind != _COORDINATE
            elif isinstance(value, str):
                self._text(row, name, kind, value.strip())
            else:
                self._number(row, name, kind, value)
        if row.part:
            prefixed = ((n if is_coordinate(n) else row.part + n, v) for n, v in row.values)
            row.values = list(prefixed)
        return row

    def _entries(self, record: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
        """The entries of a record, those of nested ones too, but for objects of settings."""
        nested = [name for name, value in record.items() if isinstance(value, Mapping)]
        if not nested:
            return record.items()
        settings = dict.fromkeys(name for name in nested if is_settings(str(name)))
        self.settings |= {str(name).strip(): None for name in settings}
        return flat({name: record[name] for name in record if name not in settings})

    def _number(self, row: _Row, name: str, kind: int, value: Any) -> None:
        """Add a number, or numbers, to a row; anything else is left out."""
        number = plain_number(value)
        if number is not None:
            row.values.append((name, number))
        elif value is not None:
            numbers = _listed(value)
            if numbers is None:
                self.left_out[name] = None
                return
            row.values += self._by_place(name, numbers)
        row.names_a_metric |= kind != _COORDINATE

    def _by_place(self, name: str, numbers: list[float | None]) -> list[tuple[str, float]]:
        """The numbers of a list as metrics, by index; a list that changes its length is noted."""
        number = len(numbers)
        if number and self._longest.setdefault(name, number) != number:
            self._longest[name] = max(self._longest[name], number)
            self._varying.add(name)
        names = [name] if number == 1 else [f"{name}/{place}" for place in range(number)]
        return [(n, value) for n, value in zip(names, numbers, strict=True) if value is not None]

    def varying(self) -> list[str]:
        """The metrics that come from lists of varying length, which are named as left out."""
        self.left_out |= dict.fromkeys(sorted(self._varying))
        places = {name: range(self._longest[name]) for name in self._varying}
        return [*places, *(f"{name}/{i}" for name, many in places.items() for i in many)]

    def _text(self, row: _Row, name: str, kind: int, text: str) -> None:
        """Add to a row what a text says: a split, a number, or what the row belongs to."""
        if kind == _SPLIT and text.lower() in SPLITS:
            row.part = f"{text}/"
            self._parts[row.part] = None
            return
        if not text:
            return
        cells = self._texts.get(name)
        if cells is None:
            cells = self._texts[name] = CellsOfText(name)
        try:
            value = cells.value(text)
        except ValueError:
            pass
        else:
            row.names_a_metric |= kind != _COORDINATE
            if value is None:
                return
            row.values.append((name, value))
        row.texts.append((name, text))

    def decide(self, runs: Sequence[Rows]) -> None:
        """Leave out, of columns with text, the numbers or the text."""
        for name, cells in self._texts.items():
            names = [part + name for part in self._parts]
            values = sum(rows.reported(each) for rows in runs for each in names)
            numbers = cells.are_numbers(values)
            for rows in runs:
                if numbers is not False:
                    rows.leave_out_texts([name])
                if not numbers:
                    rows.leave_out(names)
            if numbers is not False:
                self._log.notes += cells.notes(values)

    def _column(self, raw: Any) -> tuple[str, int]:
        if len(self._columns) >= 10 * self._log.limits.names:
            raise self._log.wrong("too many different names: not a log of metrics (see `limits`)")
        self._columns[raw] = _meaning(self._log, raw)
        return self._columns[raw]


_LONGEST_LIST = 256  # numbers in a cell, one per class, say


def _listed(value: Any) -> list[float | None] | None:
    """The numbers in a list, an array or a tensor, None for nulls; None for anything else."""
    if hasattr(value, "shape") and hasattr(value, "tolist"):
        value = value.tolist()
    while isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, (list, tuple)) or len(value) > _LONGEST_LIST:
        return None
    numbers = list(map(plain_number, value))
    if any(n is None and item is not None for n, item in zip(numbers, value, strict=True)):
        return None
    return numbers


def runs_of(log: Source, records: Iterable[Mapping[Any, Any]]) -> Iterator[Run]:
    """The runs in these records; other values than numbers and rows without metrics are left out.

    Lists of numbers become metrics with the place in their names, as in `iou/0`. The runs know the
    columns of text, which may tell rows apart.

    Raises LogError if there are more names or runs than the limits allow.
    """
    runs: dict[tuple[str, ...], Rows] = {}
    reader = _Reader(log)
    for record in records:
        row = reader.row(record)
        if not row.names_a_metric:
            continue
        key = tuple(reader.labels.values())
        rows = runs.get(key)
        if rows is None:
            if len(runs) >= log.limits.names:
                raise log.wrong(f"more than {log.limits.names:,} runs (see `limits`)")
            rows = runs[key] = log.rows()
        rows.add(row.values, row.texts)
    varying = reader.varying()
    reader.decide([*runs.values()])
    if reader.settings:
        log.notes.append(f"settings, left out: {few(reader.settings)}")
    further = [] if log.options.coordinate is None else [log.options.coordinate]
    for key, rows in runs.items():
        if len(runs) > 1:
            rows.name = "/".join(key)[:200] or "unnamed"
        rows.leave_out(varying)
        run = rows.run(coordinates=further)
        run.left_out = [*reader.left_out]
        yield run
