"""JSON lines, one run per line: `{"id": ..., "metrics": {name: {"mode": "min", "y": [...]}}}`.

The series of a metric may also be a plain list, without `mode`. The optional coordinate `x` is
named by `x_name`. null is a gap; "nan", "inf" and "-inf" are values that were logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..log_format import LogFormat
from ..records import few
from ..run import Points, Run
from ..source import Source

__all__ = ["FORMAT", "points_of"]


_KEYS = frozenset(("id", "name", "run", "metrics", "x", "x_name"))


def points_of(log: Source, name: str, series: Any, position: str) -> Points:
    """The points in a list of numbers, in which None is a gap.

    name: the name of the metric, for errors.
    position: the position in the source, for errors.

    Raises LogError for other values in it.
    """
    if not isinstance(series, list):
        raise log.wrong(f"expected a list of numbers for {name!r}", position)
    try:
        if None not in series:
            values = np.array(series, dtype=np.float64)
            rows = np.arange(len(series))
        else:
            rows = np.array([i for i, value in enumerate(series) if value is not None], np.int64)
            values = np.array([v for v in series if v is not None], dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise log.wrong(
            f"expected a list of numbers for {name!r}, got other values", position
        ) from None
    if values.ndim != 1:
        raise log.wrong(f"expected a list of numbers for {name!r}, got lists in it", position)
    return Points(rows, values)


def _is_run(record: Any) -> bool:
    metrics = record.get("metrics") if isinstance(record, Mapping) else None
    return isinstance(metrics, Mapping) and bool(metrics) and all(map(_is_series, metrics.values()))


def _is_series(series: Any) -> bool:
    if isinstance(series, list):
        return not any(isinstance(value, (list, Mapping)) for value in series[:1])
    return isinstance(series, Mapping) and "y" in series


def _recognise(log: Source) -> bool:
    if log.first_records:
        return _is_run(log.first_records[0])
    document = log.document
    if isinstance(document, list):
        return bool(document) and all(map(_is_run, document))
    return _is_run(document)


def _read(log: Source) -> Iterator[Run]:
    if log.first_records:
        for line_number, record in log.records():
            yield _run(log, record, f"line {line_number}")
        return
    document = log.document
    for number, record in enumerate(document if isinstance(document, list) else [document]):
        yield _run(log, record, f"run {number}")


def _run(log: Source, record: Mapping[str, Any], position: str) -> Run:
    if not _is_run(record):
        raise log.wrong('expected a run, {"metrics": {name: {"y": [...]}}}', position)
    if len(record["metrics"]) > log.limits.names:
        raise log.wrong(f"more than {log.limits.names:,} metrics (see `limits`)", position)
    given = next((record[key] for key in ("id", "name", "run") if key in record), None)
    run = Run(None if given is None else str(given), 0, {})
    if rest := [str(key) for key in record if key not in _KEYS]:
        run.notes.append(f"beside the metrics, left out: {few(rest)}")
    lengths = {}
    for name, series in record["metrics"].items():
        y = series
        if isinstance(series, Mapping):
            y = series["y"]
            if series.get("mode") in ("min", "max"):
                run.modes[name] = series["mode"]
        run.metrics[name] = points_of(log, name, y, position)
        lengths[name] = len(y)
    if record.get("x") is not None:
        name = str(record.get("x_name") or "x")
        run.coordinates[name] = points_of(log, "x", record["x"], position)
        lengths["x"] = len(record["x"])
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise log.wrong(f"expected lists of one length, got {found}", position)
    run.length = next(iter(lengths.values()))
    run.metrics = {name: points for name, points in run.metrics.items() if len(points.rows)}
    return run


FORMAT = LogFormat("run_lines", _recognise, _read, order=110)
