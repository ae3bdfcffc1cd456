"""Which rows of a log that is being written are settled: nothing that is to come changes them.

An epoch may be logged in parts, which are one row of the history: the last row is open until the
next begins. Metrics may go to files of their own (TensorBoard, MLflow), which are written at
different times: then a row that lacks a metric may still get it as long as that metric has not been
reported later. What a run takes back when it is resumed from a checkpoint is another matter: then
decisions are made anew.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..history import History

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
    settled = length if last_counts else length - 1
    for name in metrics:
        if name in history.metrics:
            rows = np.flatnonzero(history.reported(name)[0])
            settled = min(settled, int(rows[-1]) + 1 if len(rows) else 0)
    return max(settled, 0)


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
