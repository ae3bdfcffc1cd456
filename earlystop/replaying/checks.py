"""Which rows of a log are checks: those that report a metric the rules look at.

A log that numbers steps may have many rows of one epoch, of training losses or learning rates. A
live loop does not call `step` for them, so replay, sweep and advise leave them out. Where the rows
of a log are its epochs, every row is a check, as every epoch is in a live loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..history import History
from ..history.ragged import Ragged
from ..logs.columns import EPOCHS, STEPS
from ..rules import ELAPSED

__all__ = ["Checks", "checks_of"]


class Checks(NamedTuple):
    """The checks of a history.

    history: the history of the checks alone; the same object if every row is one.
    rows: the row of the log of each check, of all runs, one run after another, shape (checks,).
        None if every row is a check.
    """

    history: History
    rows: npt.NDArray[np.int64] | None = None

    def rows_at(self, checks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The rows of one check of each run, shape (runs,); -1 (no check) stays -1."""
        if self.rows is None:
            return checks
        lengths = self.history.lengths
        first = np.cumsum(lengths) - lengths
        found: npt.NDArray[np.int64] = np.full(len(checks), -1)
        some = checks >= 0
        found[some] = self.rows[(first + checks)[some]]
        return found


def checks_of(history: History, metrics: Iterable[str]) -> Checks:
    """The checks of rules that look at these metrics. Runs without any check have length 0.

    The elapsed time does not make a row a check: it only tells when the row was logged. Rules that
    look at no metric take every row.

    >>> from earlystop import History
    >>> losses = {"loss": [4.0, 3.0, 2.0], "val_loss": [None, 5.0, 4.0]}
    >>> log = History(losses, coordinates={"step": [100, 200, 300]})
    >>> checks = checks_of(log, ["val_loss"])
    >>> checks.history.metrics["val_loss"].tolist(), checks.rows.tolist()
    ([[5.0, 4.0]], [1, 2])
    """
    if _rows_are_epochs(history):
        return Checks(history)
    missing: Any = None  # where none of them was reported
    for name in metrics:
        if name == ELAPSED or name not in history.metrics:
            continue
        gaps = history.gaps(name)
        if gaps is None:
            return Checks(history)
        missing = gaps if missing is None else _both(missing, gaps)
    if missing is None or not missing.any():
        return Checks(history)
    return Checks(history.without(missing), _rows_besides(missing, history.lengths))


def _rows_are_epochs(history: History) -> bool:
    """Whether the rows are epochs, as far as the log numbers them: not if it numbers steps alone.

    Neither are they if several rows have one number, or numbers have fractions.
    """
    by_name = {name.lower(): name for name in history.coordinates}
    numbered = next((by_name[name] for name in EPOCHS if name in by_name), None)
    if numbered is None:
        return not any(name in by_name for name in STEPS)
    column = history.coordinates.stored(numbered)
    if isinstance(column, Ragged):
        values, same_run = column.values, np.diff(column.rows_of_values()) == 0
        repeated = (np.diff(values) == 0) & same_run
    else:
        inside = np.arange(column.shape[1]) < history.lengths[:, None]
        values = column[inside]
        repeated = (np.diff(column, axis=1) == 0) & inside[:, 1:]
    values = values[np.isfinite(values)]
    return not repeated.any() and bool((values == np.floor(values)).all())


def _both(one: Any, other: Any) -> Any:
    """Where both masks of a history hold."""
    if isinstance(one, Ragged):
        return Ragged(one.values & other.values, one.lengths)
    return one & other


def _rows_besides(missing: Any, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The rows of all runs, one run after another, that a mask of a history leaves."""
    if isinstance(missing, Ragged):
        numbers = np.arange(len(missing.values)) - missing.starts[missing.rows_of_values()]
        rows: npt.NDArray[np.int64] = numbers[~missing.values]
        return rows
    inside = np.arange(missing.shape[1]) < lengths[:, None]
    return np.nonzero(inside & ~missing)[1]
