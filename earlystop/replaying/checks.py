"""Which rows of a log are checks: those that report a metric the rules look at.

A log may have rows in between, of training losses or learning rates. A live loop does not call
`step` for them, so replay, sweep and advise leave them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..history import History
from ..history.ragged import Ragged
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
    >>> log = History({"loss": [4.0, 3.0, 2.0], "val_loss": [None, 5.0, 4.0]})
    >>> checks = checks_of(log, ["val_loss"])
    >>> checks.history.metrics["val_loss"].tolist(), checks.rows.tolist()
    ([[5.0, 4.0]], [1, 2])
    """
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
