"""Keras's `History.history` as JSON, an object of lists of equal length; others write it, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..columns import is_coordinate, plain_number
from ..log_format import LogFormat
from ..records import few
from ..run import Run
from ..source import Source
from .run_lines import points_of

__all__ = ["FORMAT", "columns_run"]


def is_series(value: Any) -> bool:
    """Is this a list of numbers, possibly with nulls?"""
    return (
        isinstance(value, list)
        and bool(value)
        and all(item is None or plain_number(item) is not None for item in value)
    )


def columns_run(log: Source, columns: Mapping[str, Any], name: str | None = None) -> Run:
    """The run whose metrics and coordinates are these lists; other values are left out.

    Raises LogError if the lists differ in length, or are more than the limits allow.
    """
    if len(columns) > log.limits.names:
        raise log.wrong(f"more than {log.limits.names:,} metrics (see `limits`)", name or "")
    run = Run(name, 0, {})
    lengths, others = {}, []
    for key, series in columns.items():
        column = str(key).strip()
        if not is_series(series):
            others.append(column)
            continue
        points = points_of(log, column, series, name or "")
        target = run.coordinates if is_coordinate(column) else run.metrics
        target[column] = points
        lengths[column] = len(series)
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise log.wrong(
            "expected lists of one length, one value per epoch (null where it was not reported), "
            f"got {found}",
            name or "",
        )
    run.length = next(iter(lengths.values()), 0)
    run.metrics = {name: points for name, points in run.metrics.items() if len(points.rows)}
    if others:
        run.notes.append(f"no lists of numbers, left out: {few(others)}")
    return run


def _recognise(log: Source) -> bool:
    document = log.document
    return isinstance(document, dict) and any(map(is_series, document.values()))


def _read(log: Source) -> Iterator[Run]:
    if not isinstance(log.document, dict):
        raise log.wrong("expected a JSON object of lists of numbers")
    yield columns_run(log, log.document)


FORMAT = LogFormat("keras_history", _recognise, _read, general=True, order=140)
