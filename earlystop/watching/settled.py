"""The rows of a log in progress that are settled: nothing that is still to come changes them.

An epoch may be logged in parts, which are one row of the history: the last row is open until the
next begins. Metrics may go to files of their own (TensorBoard, MLflow), which are written at
different times: then a row that lacks a metric may still get it as long as that metric has not been
reported later. What a run takes back when it is resumed from a checkpoint is another matter: then
decisions are made anew.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ..history import History
from ..language.coordinate_names import EPOCHS, INNER, STEPS, plain_name

__all__ = ["beginning_of", "settled_rows"]


def settled_rows(history: History, metrics: Iterable[str], *, last_counts: bool) -> int:
    """How many rows of the one run of a history are settled.

    metrics: those that rules look at. last_counts: whether the last row has not changed for long
    enough to count as settled.

    >>> log = History({"loss": [3.0, 2.0, 1.0], "val_loss": [4.0, 3.0, None]})
    >>> settled_rows(log, ["val_loss"], last_counts=False)
    2
    >>> settled_rows(log, ["loss", "val_loss"], last_counts=True)
    2
    """
    length = int(history.lengths[0])
    is_open = 0 if last_counts else length if _may_be_one(history) else 1
    settled = length - is_open
    for name in metrics:
        if name in history.metrics:
            rows = np.flatnonzero(history.reported(name)[0])
            settled = min(settled, int(rows[-1]) + 1 if len(rows) else 0)
    return max(settled, 0)


def _may_be_one(history: History) -> bool:
    """May all rows turn out to be one, when the counter of rows takes its second value?

    As long as an epoch or a step has only one value, it is not known to count rows. In some logs it
    never does.
    """
    counters = [name for name in history.coordinates if plain_name(name) in _COUNTERS]
    if not counters or history.lengths[0] > _MOST_AT_ONE:
        return False
    return all(len(np.unique(_known(history.coordinates[name][0]))) < 2 for name in counters)


_COUNTERS = {*EPOCHS, *STEPS, *INNER}
_MOST_AT_ONE = 20  # rows of one epoch that report the same


def _known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known: npt.NDArray[np.float64] = values[~np.isnan(values)]
    return known


def beginning_of(history: History, rows: int) -> History | None:
    """The first rows of the one run of a history; None for none of them.

    >>> beginning_of(History({"loss": [3.0, 2.0, 1.0]}), 2).metrics["loss"].tolist()
    [[3.0, 2.0]]
    """
    length = int(history.lengths[0])
    if rows >= length:
        return history
    if rows <= 0:
        return None
    return history.without(np.arange(history.epochs)[None, :] >= rows)
