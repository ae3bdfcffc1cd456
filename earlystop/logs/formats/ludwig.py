"""Ludwig's `training_statistics.json`: `{training: {feature: {metric: [...]}}, validation: ...}`.

A value is a number or, in newer files, a record with its epoch and step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..columns import plain_number
from ..log_format import LogFormat
from ..run import Run
from ..source import Source
from .keras_history import columns_run, is_series

__all__ = ["FORMAT"]

_PARTS = ("training", "validation", "test")
_COUNTERS = ("epoch", "step")


def _numbers(series: Any, name: str = "value") -> Any:
    """The list as numbers: values of records, if it is a list of records."""
    if isinstance(series, list) and series and all(isinstance(item, Mapping) for item in series):
        return [plain_number(item.get(name)) for item in series]
    return series


def _columns(log: Source) -> dict[str, Any]:
    """The lists of numbers by `part/feature/metric`; empty for another document."""
    document = log.document
    if not isinstance(document, Mapping) or not {"training", "validation"} <= document.keys():
        return {}
    columns: dict[str, Any] = {}
    for part in _PARTS:
        features = document.get(part) or {}
        if not isinstance(features, Mapping):
            return {}
        for feature, metrics in features.items():
            if not isinstance(metrics, Mapping):
                return {}
            for metric, series in metrics.items():
                values = _numbers(series)
                if is_series(values):
                    columns[f"{part}/{feature}/{metric}"] = values
                    columns |= _counters(series)
    return columns


def _counters(series: Any) -> dict[str, Any]:
    found = {name: _numbers(series, name) for name in _COUNTERS}
    return {name: values for name, values in found.items() if values is not series}


def _read(log: Source) -> Iterator[Run]:
    columns = _columns(log)
    if not columns:
        raise log.wrong("expected the statistics of a training by Ludwig")
    yield columns_run(log, columns)


FORMAT = LogFormat("ludwig", lambda log: bool(_columns(log)), _read, order=135)
