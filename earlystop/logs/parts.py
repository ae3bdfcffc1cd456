"""Rows that belong to different things: to metrics, to splits of the data, or to runs.

A column of text tells them apart, or one of numbers whose name says so, such as `cv_fold`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..language.splits import SPLITS
from .columns import METRIC_COLUMNS, NAMES_OF_ANYTHING, VALUE_COLUMNS, is_label
from .records import few
from .row_counter import row_counter
from .run import Labels, Points, Run

__all__ = ["told_apart"]

_FEW_REPEATS = 0.06  # of the values: no more are reported again where rows belong together
_MOST_WITHIN = 0.1  # of all repeats: no more are left within the parts of a column that tells rows
_MOST_NAMES = 10_000

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def told_apart(run: Run, coordinate: str | None) -> list[Run]:
    """The runs in one whose rows belong to several things.

    coordinate: the coordinate that counts the rows, as in `row_counter`.

    Text that names splits of the data, as train and val, becomes a part of the names of metrics;
    so does the text of a column such as `metric`, beside one such as `value`. Other columns, of
    text or of numbers such as `cv_fold`, give a run to each of their values, where rows would
    otherwise report the same metrics at the same epoch again and again.
    """
    run = _by_names(run)
    column = _telling(run, coordinate)
    left = [name for name in run.labels if column is None or name not in column.columns]
    left += run.left_out
    if left:
        run.notes.append(f"no numbers, left out: {few(left)}")
    return [run] if column is None else _split(run, column)


def _by_names(run: Run) -> Run:
    """The run with the text that names splits and metrics in the names of its metrics."""
    for name, labels in list(run.labels.items()):
        splits = {text.strip().lower() for text in labels.texts}
        if len(splits) > 1 and splits <= SPLITS:
            _rename(run, name, lambda text, metric: f"{text}/{metric}")
    for name in list(run.labels):
        values = [metric for metric in run.metrics if _last(metric) in VALUE_COLUMNS]
        texts = run.labels[name].texts
        named = bool(texts and values) or (len(texts) > 1 and name.lower() not in NAMES_OF_ANYTHING)
        if named and name.lower() in METRIC_COLUMNS:
            _rename(run, name, _named_by_text)
    return run


def _last(metric: str) -> str:
    return metric.rpartition("/")[2].lower()


def _named_by_text(text: str, metric: str) -> str:
    above, slash, last = metric.rpartition("/")
    whole = last.lower() in VALUE_COLUMNS
    return f"{above}{slash}{text}" if whole else f"{above}{slash}{text}/{last}"


def _rename(run: Run, column: str, renamed: Callable[[str, str], str]) -> None:
    """Rename the metrics of each row by the text in a column."""
    labels = run.labels[column]
    if len(labels.texts) * len(run.metrics) > _MOST_NAMES:
        return
    codes = _codes(labels, run.length)
    metrics: dict[str, Points] = {}
    for name, points in run.metrics.items():
        of_points = codes[points.rows]
        for code in dict.fromkeys(of_points.tolist()):
            here = of_points == code
            new = name if code < 0 else renamed(labels.texts[code], name)
            metrics[new] = _joined(metrics.get(new), points.rows[here], points.values[here])
    run.metrics, run.joined = metrics, True
    del run.labels[column]
    run.notes.append(f"the column {column!r} is a part of the names of metrics")


def _joined(known: Points | None, rows: Ints, values: Floats) -> Points:
    if known is None:
        return Points(rows, values)
    rows, values = np.concatenate([known.rows, rows]), np.concatenate([known.values, values])
    order = np.argsort(rows, kind="stable")
    return Points(rows[order], values[order])


def _codes(labels: Labels, length: int) -> Ints:
    """The codes of all rows, -1 for those without text."""
    codes = np.full(length, -1, dtype=np.int64)
    codes[labels.rows] = labels.codes
    return codes


class _Column(NamedTuple):
    """A column that may tell rows apart, or several as one.

    columns: their names.
    codes: which of its values each row has, shape (rows,), -1 for none.
    names: the name of each value.
    """

    columns: tuple[str, ...]
    codes: Ints
    names: list[str]


def _telling(run: Run, coordinate: str | None) -> _Column | None:
    """The column that tells rows apart which would repeat others; None if there is none."""
    columns = list(_columns(run))
    counter = row_counter(run, coordinate) if columns else None
    if counter is None:
        return None
    counted = _Counted(run, counter.keys, {column.columns[0] for column in columns})
    if len(columns) > 1:
        columns.append(_together(columns))
    return next(filter(counted.is_told_by, columns), None)


def _columns(run: Run) -> Iterator[_Column]:
    """The columns that may tell rows apart: of text, and of numbers whose name says so."""
    for name, labels in run.labels.items():
        if len(labels.texts) > 1:
            yield _Column((name,), _codes(labels, run.length), list(labels.texts))
    for name, points in run.metrics.items():
        if len(points.rows) == run.length and is_label(name):
            values, codes = np.unique(points.values, return_inverse=True)
            if 1 < len(values) <= run.length // 2 and (values == np.floor(values)).all():
                names = [f"{name}={value:.12g}" for value in values.tolist()]
                yield _Column((name,), codes.reshape(-1).astype(np.int64), names)


def _together(columns: list[_Column]) -> _Column:
    """All of these columns as one."""
    table = np.stack([column.codes for column in columns], axis=1)
    values, codes = np.unique(table, axis=0, return_inverse=True)
    names = []
    for value in values.tolist():
        parts = zip(columns, value, strict=True)
        names.append("/".join(column.names[code] for column, code in parts if code >= 0))
    names_of = tuple(column.columns[0] for column in columns)
    return _Column(names_of, codes.reshape(-1).astype(np.int64), names)


class _Counted:
    """The metrics of a run, and what counts its rows."""

    def __init__(self, run: Run, keys: Floats, labels: set[str]) -> None:
        self._points = [points for name, points in run.metrics.items() if name not in labels]
        self._keys, self._length = keys, run.length
        self._values = sum(len(points.rows) for points in self._points)
        self._all = self.repeats(np.zeros(run.length, dtype=np.int64))

    def repeats(self, codes: Ints) -> int:
        """How many values are reported at the key of an earlier one of the same code, or before."""
        number = 0
        for points in self._points:
            code = codes[points.rows]
            order = np.argsort(code, kind="stable")
            key, code = self._keys[points.rows][order], code[order]
            number += int(np.count_nonzero((np.diff(key) <= 0) & (np.diff(code) == 0)))
        return number

    def is_told_by(self, column: _Column) -> bool:
        """Are rows that would repeat others told apart by a column?"""
        codes = column.codes
        number = len(column.names)
        if not 1 < number <= self._length // 2 or (codes < 0).any():
            return False
        if not self._all or self.repeats(codes) > _MOST_WITHIN * self._all:
            return False
        if np.count_nonzero(np.diff(codes)) < number:  # one after the other
            return all(map(is_label, column.columns)) or self._begin_anew(codes)
        return self._all > max(1, _FEW_REPEATS * self._values)

    def _begin_anew(self, codes: Ints) -> bool:
        """Does each part begin where the first does? Otherwise the run was resumed."""
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        keys = self._keys[starts]
        return bool((keys <= keys[0]).all())


def _split(run: Run, column: _Column) -> list[Run]:
    """A run for each value of a column, in the order of their first rows."""
    codes, values = column.codes, range(len(column.names))
    rows_of, place = _grouped(codes, len(column.names))
    parts = []
    for code in values:
        name = f"{run.name}/{column.names[code]}" if run.name else column.names[code]
        parts.append(Run(name, len(rows_of[code]), {}, modes=run.modes, joined=run.joined))
    for kind in ("metrics", "coordinates"):
        for name, points in getattr(run, kind).items():
            if name in column.columns:
                continue
            found, _ = _grouped(codes[points.rows], len(column.names))
            for code in values:
                if len(here := found[code]):
                    part = Points(place[points.rows[here]], points.values[here])
                    getattr(parts[code], kind)[name] = part
    found_runs = [parts[code] for code in dict.fromkeys(codes.tolist()) if parts[code].metrics]
    what = "columns" if len(column.columns) > 1 else "column"
    told = f"{len(found_runs)} runs, told apart by the {what} {few(map(repr, column.columns))}"
    for part in found_runs:
        part.notes = [*run.notes, told]
    return found_runs


def _grouped(codes: Ints, number: int) -> tuple[list[Ints], Ints]:
    """The rows of each code, and the place of each row among those of its code."""
    order = np.argsort(codes, kind="stable")
    begins = np.searchsorted(codes[order], np.arange(number + 1))
    place = np.empty(len(codes), dtype=np.int64)
    place[order] = np.arange(len(codes)) - begins[codes[order]]
    return [order[begins[code] : begins[code + 1]] for code in range(number)], place
