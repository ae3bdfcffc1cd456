"""The positions in logs: which column has them, and their values at every row.

A row that does not report a position has that of the row before; before the first row that reports
one, it has that of this first row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import History
from ..history.ragged import Ragged, shared_row
from ..language.coordinate_names import CLOCKS, EPOCHS, RUNTIMES, STEPS, plain_name
from ..language.positions import ELAPSED, EPOCH, STEP

__all__ = ["column_of", "position_names", "row_positions", "shared_position", "told_position"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NAMES = {EPOCH: EPOCHS, STEP: STEPS, ELAPSED: (ELAPSED, *RUNTIMES)}


def position_names(history: History) -> tuple[str, ...]:
    """Which of the reserved positions a history has."""
    names = [name for name in _NAMES if told_position(history, name) is not None]
    if ELAPSED not in names and any(told_position(history, clock) is not None for clock in CLOCKS):
        names.append(ELAPSED)
    return tuple(names)


def row_positions(history: History, name: str) -> Floats | None:
    """A position at every row of a history, of all runs, one run after another.

    As `LoggedPositions.column`, but rows may be in any order. None for an unknown position.

    >>> from earlystop import History
    >>> log = History({"loss": [3.0, 2.0, 1.0]}, coordinates={"step": [10, 10, 20]})
    >>> row_positions(log, "step").tolist()
    [10, 10, 20]
    """
    return column_of(history, history, name)


def told_position(history: History, name: str) -> Floats | None:
    """The values of a metric or coordinate, of all runs, one run after another, NaN in gaps.

    Tools call one position by several names, and a history may have runs of several tools: for each
    run, the first of the names that it has counts.
    """
    columns = _columns(history, name)
    values = next(columns, None)
    if values is None:
        return None
    for more in columns:
        untold = ~_runs_that_tell(values, history.lengths)
        if not untold.any():
            break
        values = np.where(np.repeat(untold, history.lengths), more, values)
    return values


def shared_position(history: History, name: str) -> Floats | None:
    """The values of `told_position` in one run, where the history stores them once for all runs."""
    if name in history.metrics:
        return None
    first: Any = next(iter(_coordinates(history, name)), None)
    if first is None or not (history.lengths == first.shape[1]).all():
        return None
    row = shared_row(first)
    return row if row is not None and len(row) and np.isfinite(row).all() else None


def _columns(history: History, name: str) -> Iterator[Floats]:
    """The columns of a history that hold a position: a metric, then coordinates."""
    if name in history.metrics:
        values, gaps = _values(history.values(name), history.lengths), history.gaps(name)
        yield values if gaps is None else np.where(_values(gaps, history.lengths), np.nan, values)
    for column in _coordinates(history, name):
        yield _values(column, history.lengths)


def _coordinates(history: History, name: str) -> Iterator[Any]:
    """The coordinates of a history that hold a position, as they are stored, the first first."""
    aliases = _NAMES.get(name, (name,))
    known = [known for known in history.coordinates if plain_name(known) in (*aliases, name)]
    places = {alias: place for place, alias in reversed([*enumerate((*aliases, name))])}
    for stored in sorted(known, key=lambda each: places.get(plain_name(each), len(places))):
        yield history.coordinates.stored(stored)
    if not known and name in history.coordinates:
        yield history.coordinates.stored(name)


def _runs_that_tell(values: Floats, lengths: Ints) -> npt.NDArray[np.bool_]:
    """Which runs have a value, or have no rows."""
    ends = np.cumsum(lengths)
    count = np.concatenate([[0], np.cumsum(np.isfinite(values))])
    tell: npt.NDArray[np.bool_] = (count[ends] > count[ends - lengths]) | (lengths == 0)
    return tell


def column_of(log: History, checks: History, name: str) -> Floats | None:
    """A position at each check, without gaps; NaN in a run that does not report it."""
    values = told_position(checks, name)
    if values is None and name == ELAPSED:
        values = _by_clock(log, checks)
    if values is None or np.isfinite(values).all():
        return values
    return _carried(values, checks.lengths)


def _carried(values: Floats, lengths: Ints) -> Floats | None:
    """The values, with gaps filled by the position of the check before, or else of the next."""
    cells = np.arange(len(values))
    known = np.isfinite(values)
    if not known.any():
        return None
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    last = np.maximum.accumulate(np.where(known, cells, -1))
    following = np.minimum.accumulate(np.where(known, cells, len(values))[::-1])[::-1]
    ends = starts + np.repeat(lengths, lengths)
    source = np.where(last >= starts, last, following)
    inside = (source >= starts) & (source < ends)
    return np.where(inside, values[np.where(inside, source, 0)], np.nan)


def _by_clock(log: History, checks: History) -> Floats | None:
    """Seconds since the first row of a run, by the time of day in the log."""
    clock = next((name for name in CLOCKS if told_position(log, name) is not None), "")
    logged, now = told_position(log, clock), told_position(checks, clock)
    if logged is None or now is None:
        return None
    lengths = log.lengths
    finite = np.flatnonzero(np.isfinite(logged))
    starts = np.cumsum(lengths) - lengths
    first = np.searchsorted(finite, starts)  # among those that are known
    began = np.full(len(lengths), np.nan)
    some = first < len(finite)
    cells = finite[first[some]]
    began[some] = np.where(cells < (starts + lengths)[some], logged[cells], np.nan)
    return np.asarray(now - np.repeat(began, checks.lengths))


def _values(column: Any, lengths: Ints) -> Any:
    if isinstance(column, Ragged):
        return column.values
    if (lengths == column.shape[1]).all():
        return column.reshape(-1)
    return column[np.arange(column.shape[1]) < lengths[:, None]]
