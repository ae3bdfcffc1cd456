"""Data frames in memory, of any library, through narwhals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["is_frame", "runs_of_frame"]


def is_frame(source: Any) -> bool:
    """Is this a data frame, lazy or not, or an Arrow table?"""
    kind = type(source)  # asking a lazy frame itself for its columns would resolve it
    return any(hasattr(kind, names) for names in ("column_names", "columns")) and (
        hasattr(kind, "__getitem__") or hasattr(kind, "collect")
    )


def runs_of_frame(log: Source, frame: Any) -> Iterator[Run]:
    """The runs in a data frame with one row per epoch.

    Raises ImportError, naming what to install, if narwhals is not installed; LogError for an
    object that is not a data frame.
    """
    try:
        import narwhals as nw
    except ImportError as error:
        raise ImportError("data frames need narwhals: pip install narwhals") from error
    table = _table(log, frame, nw)
    nan_gaps = _columns_whose_nan_is_a_gap(log, frame, table)
    replaced: dict[str, None] = {}
    yield from runs_of(log, _records(table, nan_gaps, replaced))
    if replaced:
        log.notes.append(
            f"NaN taken for a gap, which pandas writes so, in {', '.join(map(str, replaced))}; "
            "pass nan_is_gap=False if they were logged"
        )


def _table(log: Source, frame: Any, nw: Any) -> Any:
    """The frame as a narwhals data frame."""
    index = getattr(frame, "index", None)
    if getattr(index, "name", None) is not None:  # a named pandas index, which may be the epoch
        frame = frame.reset_index()
    try:
        table = nw.from_native(frame)
        if isinstance(table, nw.LazyFrame):
            table = table.collect()
        table.schema  # noqa: B018  # fails for objects that only resemble a data frame
    except (TypeError, ValueError, nw.exceptions.NarwhalsError) as error:
        raise log.wrong(f"expected a data frame: {str(error)[:200]}") from None
    return table


def _columns_whose_nan_is_a_gap(log: Source, frame: Any, table: Any) -> set[str]:
    if log.options.nan_is_gap is False:
        return set()
    floats = {name for name, kind in table.schema.items() if kind.is_float()}
    if log.options.nan_is_gap:
        return floats
    if not table.implementation.is_pandas_like():
        return set()
    return {name for name in floats if _cannot_hold_gaps(frame, name)}


def _records(table: Any, nan_gaps: set[str], replaced: dict[str, None]) -> Iterator[dict[str, Any]]:
    """The rows, with None for gaps; adds columns in which that was a NaN to `replaced`."""
    for row in table.iter_rows(named=True):
        for name in nan_gaps:
            value = row[name]
            if value is not None and math.isnan(value):
                row[name] = None
                replaced[name] = None
        yield {name: None if _is_null(value) else value for name, value in row.items()}


def _cannot_hold_gaps(frame: Any, name: Any) -> bool:
    """Is this a column of NumPy floats, where pandas marks missing values by NaN?"""
    return (
        hasattr(frame[name].dtype, "itemsize")
        and frame[name].dtype.kind == "f"
        and not hasattr(frame[name].dtype, "na_value")
    )


def _is_null(value: Any) -> bool:
    return type(value).__name__ in ("NAType", "NaTType")
