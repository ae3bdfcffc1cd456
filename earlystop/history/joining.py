"""Several histories as one: the runs of the first, those of the second, and so on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .history import History, history_of
from .ragged import Ragged, column_of_values

__all__ = ["joined"]


def joined(histories: Sequence[History]) -> History:
    """One history of all runs; a metric that a history lacks is a gap in it.

    A name that is there twice gets a number.

    >>> one, two = History({"loss": [[3.0, 2.0]]}), History({"loss": [[5.0]], "acc": [[0.1]]})
    >>> both = joined([one, two])
    >>> both.names, both.lengths.tolist(), both.reported("acc").tolist()
    (('run 0', 'run 0 (1)'), [2, 1], [[False, False], [True, False]])
    """
    if len(histories) == 1:
        return histories[0]
    lengths = np.concatenate([history.lengths for history in histories])
    metrics: dict[str, Any] = {}
    gaps: dict[str, Any] = {}
    for name in dict.fromkeys(name for history in histories for name in history.metrics):
        parts = [_values(h, h.values(name) if name in h.metrics else None) for h in histories]
        missing = [_gaps(history, name) for history in histories]
        metrics[name] = column_of_values(np.concatenate(parts), lengths)
        if any(mask.any() for mask in missing):
            gaps[name] = column_of_values(np.concatenate(missing), lengths)
    coordinates = {}
    for name in dict.fromkeys(name for history in histories for name in history.coordinates):
        stored = [h.coordinates.all_stored().get(name) for h in histories]
        values = [_values(h, column) for h, column in zip(histories, stored, strict=True)]
        coordinates[name] = column_of_values(np.concatenate(values), lengths)
    names = _different(name for history in histories for name in history.names)
    return history_of(metrics, gaps, lengths, names, coordinates)


def _values(history: History, column: Any) -> Any:
    """The values of a column, one run after another; NaN for no column."""
    if column is None:
        return np.full(int(history.lengths.sum()), np.nan)
    if isinstance(column, Ragged):
        return column.values
    return column[np.arange(column.shape[1]) < history.lengths[:, None]]


def _gaps(history: History, name: str) -> Any:
    gaps, count = history.gaps(name), int(history.lengths.sum())
    if name not in history.metrics:
        return np.ones(count, np.bool_)
    return np.zeros(count, np.bool_) if gaps is None else _values(history, gaps)


def _different(names: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        candidate, number = name, 0
        while candidate in found:
            number += 1
            candidate = f"{name} ({number})"
        found[candidate] = None
    return list(found)
