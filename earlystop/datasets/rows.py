"""Rows of a table, whatever their order, as a history of runs in the order of their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import LogError
from ..history.history import History, history_of
from ..history.id_names import IdNames
from ..history.ragged import column_of_values, shared_column
from ..language.positions import RESERVED
from .cells import Cells, Ids, Labels
from .layout import Layout

__all__ = ["TableRows", "history_of_rows"]

Ints = npt.NDArray[np.int64]


class TableRows(NamedTuple):
    """Some rows of a table.

    runs: the id of each row's run, or its name. columns: the numbers of each column that was read.
    metrics: the name of each row's metric, in a long table.
    """

    runs: Labels | Ids
    columns: dict[str, Cells]
    metrics: Labels | None = None

    def __len__(self) -> int:
        return len(self.runs.codes if isinstance(self.runs, Labels) else self.runs)


class _Epochs(NamedTuple):
    """How rows become epochs: the rows in order, and the epoch of each; None: as they are.

    lengths: the epochs of each run.
    """

    order: Ints | None
    epoch: Ints | None
    lengths: Ints
    first: Ints  # of the ordered rows, the first of each run

    def of_rows(self, values: Any) -> Any:
        """One value per row, in order."""
        return values if self.order is None else values[self.order]


def history_of_rows(
    rows: TableRows, layout: Layout, metrics: tuple[str, ...] | None, where: str
) -> History | None:
    """The runs of some rows, whole, in the order of their ids; None for no rows.

    metrics: those to keep; one that no row has is a gap everywhere. None for all of a long table.
    where: the files, for errors.

    The epochs of a run are its rows in the order of the step, in a long table those of one step
    together. Of two values of a metric at one step, that of the later row counts.
    """
    if not len(rows):
        return None
    epochs = _epochs_of(rows, layout, where)
    count = int(epochs.lengths.sum())
    if layout.is_long and rows.metrics is not None:
        known = rows.metrics.texts
        more = known if metrics is None else [name for name in known if name in RESERVED]
        metrics = tuple(dict.fromkeys([*(metrics or ()), *more]))
    columns: dict[str, Any] = {}
    gaps: dict[str, Any] = {}
    for name in metrics or ():
        cells = _metric(rows, layout, epochs, name, count)
        columns[name] = column_of_values(cells.values, epochs.lengths)
        if cells.nulls is not None:
            gaps[name] = column_of_values(cells.nulls, epochs.lengths)
    coordinates = dict(_coordinates(rows, layout, epochs, count))
    names = _names(rows.runs, epochs)
    return history_of(columns, gaps, epochs.lengths, names, coordinates)


def _epochs_of(rows: TableRows, layout: Layout, where: str) -> _Epochs:
    runs: Any = rows.runs.codes if isinstance(rows.runs, Labels) else rows.runs
    step = None if layout.step is None else _step(rows.columns[layout.step], where)
    first = _first_rows(runs)
    ordered = bool((np.diff(runs[first]) > 0).all())
    rises = None if step is None else _rises(step, first)
    if ordered and (rises is None or rises.all()):  # as in a table that is sorted
        return _Epochs(None, None, np.diff(np.append(first, len(runs))), first)
    order = np.lexsort((runs,) if step is None else (step, runs))
    first = _first_rows(runs[order])
    ends = np.append(first[1:], len(runs))
    if step is None:
        return _Epochs(order, None, ends - first, first)
    epoch = np.concatenate([[0], np.cumsum(_rises(step[order], first))])
    return _Epochs(order, epoch, epoch[ends - 1] - epoch[first] + 1, first)


def _first_rows(runs: Any) -> Ints:
    """The rows with which a run begins: the row before is of another one."""
    return np.concatenate([[0], np.flatnonzero(runs[1:] != runs[:-1]) + 1])


def _rises(step: Any, first: Ints) -> Any:
    """Whether each row but the first is at a later step than the row before, or of another run."""
    rises = step[1:] > step[:-1]
    rises[first[1:] - 1] = True
    return rises


def _step(cells: Cells, where: str) -> Any:
    untold = int(np.count_nonzero(cells.nulls)) if cells.nulls is not None else 0
    if not untold and cells.values.dtype.kind == "f":
        untold = int(np.count_nonzero(np.isnan(cells.values)))
    if untold:
        raise LogError(f"{untold:,} rows have no step, so their place is unknown", where)
    return cells.values


def _metric(rows: TableRows, layout: Layout, epochs: _Epochs, name: str, count: int) -> Cells:
    """The values of a metric at every epoch, and its gaps."""
    found = rows.columns.get(layout.value or "" if layout.is_long else name)
    if found is None:
        return Cells(np.full(count, np.nan), np.ones(count, np.bool_))
    values = epochs.of_rows(found.values)
    has = None if found.nulls is None else ~epochs.of_rows(found.nulls)
    if layout.is_long:
        own = _rows_of_metric(rows.metrics, name)
        if own is not None:
            own = epochs.of_rows(own)
            has = own if has is None else has & own
    if epochs.epoch is None:
        return Cells(values, None if has is None or has.all() else ~has)
    return _latest(values, has, epochs.epoch, count)


def _rows_of_metric(metrics: Labels | None, name: str) -> Any:
    """Which rows are about a metric; None for all."""
    if metrics is None or metrics.texts == [name]:
        return None
    if name not in metrics.texts:
        return np.zeros(len(metrics.codes), np.bool_)
    return metrics.codes == metrics.texts.index(name)


def _latest(values: Any, has: Any, epoch: Ints, count: int) -> Cells:
    """The value of each epoch: that of the last of its rows that have one."""
    some = np.arange(len(values)) if has is None else np.flatnonzero(has)
    last = np.full(count, -1)
    last[epoch[some]] = some
    missing = last < 0
    if not missing.any():
        return Cells(values[last], None)
    return Cells(np.where(missing, np.nan, values[last]), missing)


def _coordinates(
    rows: TableRows, layout: Layout, epochs: _Epochs, count: int
) -> Iterator[tuple[str, Any]]:
    """The coordinates by name: columns of the history, NaN where unknown."""
    names = {} if layout.step is None else {layout.step: layout.step_name}
    for column, name in (names | {each: each for each in layout.coordinates}).items():
        if column not in rows.columns:
            continue
        cells = rows.columns[column]
        values = epochs.of_rows(cells.values)
        if cells.nulls is not None:
            values = np.where(epochs.of_rows(cells.nulls), np.nan, values)
        if epochs.epoch is not None:
            values = _latest(values, ~np.isnan(values), epochs.epoch, count).values
        row = _row_of_all(values, epochs.lengths)
        if row is not None:
            yield name, shared_column(row.astype(np.float64), len(epochs.lengths))
        else:
            yield name, column_of_values(values.astype(np.float64, copy=False), epochs.lengths)


def _row_of_all(values: npt.NDArray[Any], lengths: Ints) -> npt.NDArray[Any] | None:
    """The values of one run, if those of all runs are the same, as steps often are."""
    if (lengths != lengths[0]).any():
        return None
    table = values.reshape(len(lengths), -1)
    return table[0] if (table[-1] == table[0]).all() and (table == table[0]).all() else None


def _names(runs: Labels | Ids, epochs: _Epochs) -> Sequence[str]:
    if isinstance(runs, Labels):
        return [runs.texts[code] for code in epochs.of_rows(runs.codes)[epochs.first].tolist()]
    return IdNames(epochs.of_rows(runs)[epochs.first])
