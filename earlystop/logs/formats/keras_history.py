"""Keras's `History.history` as JSON, an object of lists of numbers; others write it, too.

Also one list of numbers alone, which have no name, like those of a plain array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..._arguments import argument
from ..columns import is_coordinate, number, plain_number
from ..known_names import is_metric
from ..log_format import LogFormat
from ..records import few
from ..run import Points, Run
from ..source import Source
from ..spelled_numbers import spelled, unit_note, unit_of_all
from .run_lines import points_of

__all__ = ["FORMAT", "columns_run", "is_series"]


_FIRST = 1000  # names that are looked at


def is_series(value: Any) -> bool:
    """Is this a list of numbers, possibly with nulls?"""
    return (
        isinstance(value, list)
        and bool(value)
        and all(item is None or type(item) is float or _number(item) is not None for item in value)
    )


def _number(item: Any) -> float | None:
    """A number, also one in text with a point: a whole number in text may stand for anything."""
    if isinstance(item, str) and "." in item:
        try:
            return number(item)
        except ValueError:
            return None
    return plain_number(item)


def _unit(series: Any) -> str:
    """The unit of a list of numbers with a unit, such as "93.1%"; "" for any other list."""
    if not isinstance(series, list):
        return ""
    told = [item for item in series if item is not None]
    return unit_of_all(map(str.strip, told)) if all(isinstance(item, str) for item in told) else ""


def _spelled(text: str) -> float | None:
    found = spelled(text.strip())
    return found and found.value


def columns_run(log: Source, columns: Mapping[str, Any], name: str | None = None) -> Run:
    """The run whose metrics and coordinates are these lists; other values are left out.

    Shorter lists are those of metrics that were not reported at every epoch.

    Raises LogError for lists whose lengths do not go together, unless they are not asked for, and
    for more than the limits allow.
    """
    if len(columns) > log.limits.names:
        raise log.wrong(f"more than {log.limits.names:,} metrics (see `limits`)", name or "")
    run = Run(name, 0, {})
    lists, others = dict[str, list[float | None]](), []
    for key, series in columns.items():
        column = str(key).strip()
        if is_series(series):
            lists[column] = list(map(_number, series))
        elif unit := _unit(series):
            lists[column] = [None if item is None else _spelled(item) for item in series]
            run.notes.append(unit_note(column, unit))
        else:
            others.append(column)
    lists = _of_equal_length(log, lists)
    run.length = max(map(len, lists.values()), default=0)
    for column, values in lists.items():
        rows = _rows(log, run, lists, column, name or "")
        points = points_of(log, column, values, name or "")
        points = Points(rows[points.rows], points.values)
        target = run.coordinates if is_coordinate(column) else run.metrics
        if len(points.rows):
            target[column] = points
    if others:
        run.notes.append(f"no lists of numbers, left out: {few(others)}")
    return run


_Lists = dict[str, list[float | None]]


def _of_equal_length(log: Source, lists: _Lists) -> _Lists:
    """The lists, without those that are not asked for if they differ in length."""
    wanted = log.options.wanted
    if wanted is None or len(set(map(len, lists.values()))) < 2:
        return lists
    asked = {name: values for name, values in lists.items() if name in wanted}
    lengths = set(map(len, asked.values()))
    near = {
        n: v for n, v in lists.items() if n in asked or (is_coordinate(n) and len(v) in lengths)
    }
    return near if len(lengths) == 1 and max(lengths) == max(map(len, lists.values())) else lists


def _rows(log: Source, run: Run, lists: _Lists, column: str, where: str) -> Any:
    """The epochs at which the values of a list were reported, shape (values,)."""
    length, values = run.length, len(lists[column])
    if values == length:
        return np.arange(length)
    every = [n for n in (length // values, length // (values + 1) + 1) if length // n == values]
    if values > 1 and every and every[0] > 1:
        run.notes.append(
            f"{column!r} has {values:,} values for {length:,} epochs: taken for one every "
            f"{every[0]:,} epochs"
        )
        return np.arange(1, values + 1) * every[0] - 1
    found = ", ".join(f"{name} {len(series)}" for name, series in lists.items())
    raise log.wrong(
        "expected lists of one length, one value per epoch (null where it was not reported), "
        f"got {found[:2000]}; name the metrics to keep ({argument('metrics')}) to leave out others",
        where,
    )


def _recognise(log: Source) -> bool:
    document = log.document
    if not isinstance(document, dict):
        return is_series(document) and len(document) > 1 and log.value is None
    lists = [str(name) for name, value in document.items() if is_series(value)]
    if not lists or log.value is not None or len(lists) == len(document):
        return bool(lists)
    # Settings have lists of numbers, too.
    return any(is_coordinate(name) or is_metric(name) for name in lists[:_FIRST])


def _read(log: Source) -> Iterator[Run]:
    document = log.document
    if is_series(document):
        document = {log.options.value_name: document}
    if not isinstance(document, dict):
        raise log.wrong("expected a JSON object of lists of numbers")
    yield columns_run(log, document)


FORMAT = LogFormat("keras_history", _recognise, _read, general=True, order=140)
