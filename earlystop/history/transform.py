"""Arrays computed from those of a history: derived metrics, and the epochs that report a metric."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import HistoryError
from .arrays import Bools, Floats, Ints, as_array
from .expressions import RecordedReads, evaluate
from .ragged import Columns, Ragged, as_it_fits

__all__ = ["derived", "reported_epochs", "without_epochs"]


def derived(
    name: str,
    how: str | Callable[[Mapping[str, Floats]], Any],
    metrics: Columns,
    coordinates: Columns,
    gaps: Mapping[str, Any],
) -> tuple[Any, Any]:
    """The column of a derived metric, NaN where it has gaps, and the mask of these.

    how: an expression, or a function of the values by name, arrays of shape (runs, epochs).
    metrics, coordinates: what it is computed from; a metric hides a coordinate of the same name.

    Raises MissingMetricError for an unknown name, HistoryError for an invalid expression or values
    of another shape.
    """
    like = metrics.stored(next(iter(metrics)))
    flat = isinstance(like, Ragged) and isinstance(how, str)  # expressions take the values alone

    def read(column: Any) -> Any:
        return column.values if flat else padded(column)

    def known(columns: Columns) -> Mapping[str, Any]:
        stored = columns.all_stored()
        return {key: read(column) for key, column in stored.items()} if flat else columns

    both: Any = collections.ChainMap(known(metrics), known(coordinates))  # type: ignore[arg-type]  # only read
    values = RecordedReads(both)
    array = np.asarray(evaluate(how, values) if isinstance(how, str) else how(values))
    if array.shape != read(like).shape if flat else array.shape != like.shape:
        raise HistoryError(
            f"the values of {name!r} must have the shape of the metrics, (runs, epochs) = "
            f"{like.shape}, got {array.shape}"
        )
    missing = np.zeros(array.shape, dtype=np.bool_)
    for source in values.names:
        if source in gaps:
            missing |= read(gaps[source])
        elif source not in metrics:
            missing |= np.isnan(read(coordinates.stored(source)))
    return _checked(name, array, missing, like)


def _checked(name: str, array: Any, missing: Bools, like: Any) -> tuple[Any, Any]:
    """Values and gaps as columns stored like `like`. Raises HistoryError if they are no numbers."""
    numbers, more = as_array(name, np.where(missing, np.nan, array))
    values = numbers.reshape(array.shape)
    if more is not None:
        missing |= more.reshape(array.shape)
    if not isinstance(like, Ragged):
        return values, missing
    if array.ndim == 2:
        inside = np.arange(like.shape[1]) < like.lengths[:, None]
        values, missing = values[inside], missing[inside]
    return Ragged(values, like.lengths), Ragged(missing, like.lengths)


def padded(column: Any) -> Any:
    """The column as an array of shape (runs, epochs)."""
    return column.padded() if isinstance(column, Ragged) else column


def without_epochs(
    tables: Iterable[Mapping[str, Any]], like: Any, missing: Any, lengths: Ints
) -> tuple[list[dict[str, Any]], Ints]:
    """Columns without some epochs.

    tables: columns by name, all stored as `like`.
    missing: a mask of the epochs to leave out, stored alike; None for none.
    lengths: of the runs.

    Returns the tables, and how many epochs are left of each run, shape (runs,).
    """
    if isinstance(like, Ragged):
        kept = np.ones(len(like.values), np.bool_) if missing is None else ~missing.values
        counts = np.bincount(like.rows_of_values()[kept], minlength=len(lengths))
        return [
            {
                name: as_it_fits(Ragged(column.values[kept], counts))
                for name, column in table.items()
            }
            for table in tables
        ], counts
    kept = np.arange(like.shape[1]) < lengths[:, None]
    if missing is not None:
        kept &= ~missing
    epochs = reported_epochs(kept)
    return [
        {name: np.take_along_axis(column, epochs, axis=1) for name, column in table.items()}
        for table in tables
    ], kept.sum(axis=1)


def reported_epochs(reported: Bools) -> npt.NDArray[np.intp]:
    """The numbers of the epochs that report a metric, moved to the front of each run.

    reported: where the metric was reported, shape (runs, epochs).

    Returns an array of shape (runs, most epochs reported), with at least one column; in each row,
    ignore the entries beyond the number of epochs that the run reports.

    >>> reported_epochs(np.array([[False, True, True], [False, False, True]])).tolist()
    [[1, 2], [2, 0]]
    """
    most = max(1, int(reported.sum(axis=1).max()))  # a history has at least one epoch
    return np.argsort(~reported, axis=1, kind="stable")[:, :most]
