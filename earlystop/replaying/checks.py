"""Which rows of a log are checks: those that report a metric the rules look at.

A log may have rows in between, of training losses or learning rates. A live loop does not call
`step` for them, so replay, sweep and advise leave them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..history import History
from ..rules import ELAPSED

__all__ = ["Checks", "checks_of"]


class Checks(NamedTuple):
    """The checks of a history.

    history: the history of the checks alone; the same object if every row is one.
    rows: the row of the log of each check, shape (runs, checks); entries beyond the checks of a run
        are 0. None if every row is a check.
    """

    history: History
    rows: npt.NDArray[np.int64] | None

    def rows_at(self, checks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The rows of one check of each run, shape (runs,); -1 (no check) stays -1."""
        if self.rows is None:
            return checks
        runs = np.arange(len(checks))
        return np.where(checks < 0, -1, self.rows[runs, np.maximum(checks, 0)])


def checks_of(history: History, metrics: Iterable[str]) -> Checks:
    """The checks of rules that look at these metrics. Runs without any check have length 0.

    The elapsed time does not make a row a check: it only tells when the row was logged. Rules that
    look at no metric take every row.

    >>> from earlystop import History
    >>> log = History({"loss": [4.0, 3.0, 2.0], "val_loss": [None, 5.0, 4.0]})
    >>> checks = checks_of(log, ["val_loss"])
    >>> checks.history.metrics["val_loss"].tolist(), checks.rows.tolist()
    ([[5.0, 4.0]], [[1, 2]])
    """
    reported = None
    for name in metrics:
        if name == ELAPSED or name not in history.metrics:
            continue
        if history.gaps(name) is None:
            return Checks(history, None)
        reported = history.reported(name) | (False if reported is None else reported)
    if reported is None or not reported.any():
        return Checks(history, None)
    lengths = reported.sum(axis=1)
    if (lengths == history.lengths).all():
        return Checks(history, None)
    rows = np.zeros((history.runs, int(lengths.max())), dtype=np.int64)
    runs, epochs = np.nonzero(reported)
    first = np.cumsum(lengths) - lengths
    rows[runs, np.arange(len(runs)) - first[runs]] = epochs
    return Checks(history.take_epochs(rows, lengths), rows)
