"""`evals_result` of XGBoost and LightGBM as JSON, `{set: {metric: [...]}}`.

Also runs by name, `{run: {metric: [...]}}`, and data frames as JSON, `{metric: {row: value}}`,
whose rows may be steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..columns import is_coordinate, plain_number
from ..log_format import LogFormat
from ..run import Run
from ..source import Source
from .keras_history import columns_run, is_series

__all__ = ["FORMAT", "is_evals_result", "runs_of_sets"]

_SET = re.compile(r"(train|valid|val|eval|test|learn|dev|holdout)", re.IGNORECASE)


def _is_set(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(is_series, value.values()))


def _is_frame(document: Any) -> bool:
    return all(
        isinstance(column, dict)
        and bool(column)
        and all(str(row).isdecimal() for row in column)
        and all(not isinstance(cell, (dict, list)) for cell in column.values())
        for column in document.values()
    )


def is_evals_result(document: Any) -> bool:
    """Does a document consist of lists of numbers in objects, or of columns of a data frame?"""
    if not isinstance(document, dict) or not document:
        return False
    return all(map(_is_set, document.values())) or _is_frame(document)


def _read(log: Source) -> Iterator[Run]:
    document = log.document
    if not is_evals_result(document):
        raise log.wrong("expected JSON as {set: {metric: [...]}}")
    if not all(map(_is_set, document.values())):
        yield columns_run(log, _columns(document))
    else:
        yield from runs_of_sets(log, document)


def runs_of_sets(log: Source, sets: dict[str, dict[str, Any]]) -> Iterator[Run]:
    """The run of these data sets, or the runs if the names are not those of data sets."""
    if any(map(_SET.search, sets)):
        columns = {f"{s}/{m}": v for s, metrics in sets.items() for m, v in metrics.items()}
        yield columns_run(log, columns)
    else:
        for name, metrics in sets.items():
            yield columns_run(log, metrics, name)


def _columns(document: dict[str, dict[str, Any]]) -> dict[str, list[Any]]:
    rows = sorted(
        {row for column in document.values() for row in column}, key=lambda r: (len(r), r)
    )
    columns = {
        name: [plain_number(column.get(row)) for row in rows] for name, column in document.items()
    }
    if rows != list(map(str, range(len(rows)))) and not any(map(is_coordinate, columns)):
        return {"step": list(map(float, rows)), **columns}
    return columns


FORMAT = LogFormat(
    "evals_result", lambda log: is_evals_result(log.document), _read, general=True, order=150
)
