"""Records, one per epoch or row, to which JSON, tables and data frames are converted.

`runs_of` interprets the names: labels of runs, the split of the data, coordinates, and metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..language.splits import SPLITS
from .columns import RUN_COLUMNS, SPLIT_COLUMNS, is_coordinate, plain_number
from .rows import Rows
from .run import Run
from .source import Source

__all__ = ["coordinates_among", "few", "flat", "runs_of"]


_DEEPEST = 4  # nested records


def flat(record: Mapping[Any, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The entries of a record; those of nested records get names with slashes.

    >>> dict(flat({"epoch": 1, "val": {"loss": 0.5, "plot": {"_type": "image-file"}}}))
    {'epoch': 1, 'val/loss': 0.5}
    """
    for name, value in record.items():
        path = f"{above}{str(name).strip()}"
        if isinstance(value, Mapping):
            if "_type" not in value and depth < _DEEPEST:  # _type: W&B media, such as pictures
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


def _entries(record: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    if any(isinstance(value, Mapping) for value in record.values()):
        return flat(record)
    return record.items()


class _Row:
    """The contents of one record."""

    __slots__ = ("names_a_metric", "part", "values")

    def __init__(self) -> None:
        self.values: list[tuple[str, float]] = []
        self.part = ""
        self.names_a_metric = False


class _Reader:
    """The meaning of columns so far, the labels of the current run, and columns of other text."""

    def __init__(self, log: Source) -> None:
        self._log = log
        self._columns: dict[Any, tuple[str, int]] = {}
        self.labels: dict[str, str] = {}
        self.texts: dict[str, None] = {}

    def row(self, record: Mapping[Any, Any]) -> _Row:
        row, columns = _Row(), self._columns
        for raw, value in _entries(record):
            name, kind = columns.get(raw) or self._column(raw)
            number = value if type(value) is float else plain_number(value)
            if kind == _RUN and value not in (None, ""):
                self.labels[name] = f"{number:.12g}" if number is not None else str(value)
            elif number is not None:
                row.values.append((name, number))
                row.names_a_metric |= kind != _COORDINATE
            elif value is None:
                row.names_a_metric |= kind != _COORDINATE
            elif isinstance(value, str):
                if kind == _SPLIT and value.strip().lower() in SPLITS:
                    row.part = f"{value.strip()}/"
                elif value:
                    self.texts[name] = None
        if row.part:
            prefixed = ((n if is_coordinate(n) else row.part + n, v) for n, v in row.values)
            row.values = list(prefixed)
        return row

    def _column(self, raw: Any) -> tuple[str, int]:
        if len(self._columns) >= 10 * self._log.limits.names:
            raise self._log.wrong("too many different names: not a log of metrics (see `limits`)")
        self._columns[raw] = _meaning(self._log, raw)
        return self._columns[raw]


def runs_of(log: Source, records: Iterable[Mapping[Any, Any]]) -> Iterator[Run]:
    """The runs in these records; other values than numbers and rows without metrics are skipped.

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
        rows.add(row.values)
    if reader.texts:
        log.notes.append(f"no numbers, left out: {few(reader.texts)}")
    further = [] if log.options.coordinate is None else [log.options.coordinate]
    for key, rows in runs.items():
        if len(runs) > 1:
            rows.name = "/".join(key)[:200] or "unnamed"
        yield rows.run(coordinates=further)
