"""Which rows of a log are checks: those that report a metric the rules look at.

A log may have rows between validations, of training losses or learning rates. A live loop does not
call `step` for them, so replay, sweep and advise leave them out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import History
from ..history.ragged import Ragged
from ..language.positions import ELAPSED, EPOCH, STEP
from ..language.rule import Rule
from .positions import LoggedPositions

__all__ = ["Checks", "checks_of", "looked_at"]


class Checks:
    """The checks of a history.

    log: the whole history.
    history: the history of the checks alone; the same object if every row is one.
    rows: the row of the log of each check, of all runs, one run after another, shape (checks,).
        None if every row is a check.
    """

    def __init__(
        self, log: History, history: History, rows: npt.NDArray[np.int64] | None = None
    ) -> None:
        self.log, self.history, self.rows = log, history, rows

    @functools.cached_property
    def positions(self) -> LoggedPositions:
        """Where the checks stand in their runs. Raises what `LoggedPositions` raises."""
        return LoggedPositions(self.log, self.history)

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


def looked_at(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The metrics that rules judge; not those that only say where a check stands.

    >>> from earlystop import MaxSteps, Patience
    >>> looked_at([Patience("val_loss", 1000, unit="step") | MaxSteps(90_000)])
    ('val_loss',)
    """
    names = [name for rule in rules for name in rule.all_metrics]
    units = {EPOCH, STEP, ELAPSED, *(name for rule in rules for name in rule.all_units)}
    return tuple(name for name in dict.fromkeys(names) if name not in units)


def checks_of(history: History, metrics: Iterable[str]) -> Checks:
    """The checks of rules that look at these metrics. Runs without any check have length 0.

    Rules that look at no metric take every row.

    >>> from earlystop import History
    >>> losses = {"loss": [4.0, 3.0, 2.0], "val_loss": [None, 5.0, 4.0]}
    >>> log = History(losses, coordinates={"step": [100, 200, 300]})
    >>> checks = checks_of(log, ["val_loss"])
    >>> checks.history.metrics["val_loss"].tolist(), checks.rows.tolist()
    ([[5.0, 4.0]], [1, 2])
    """
    missing: Any = None  # where none of them was reported
    for name in metrics:
        if name not in history.metrics:
            continue
        gaps = history.gaps(name)
        if gaps is None:
            return Checks(history, history)
        missing = gaps if missing is None else _both(missing, gaps)
    if missing is None or not missing.any():
        return Checks(history, history)
    return Checks(history, history.without(missing), _rows_besides(missing, history.lengths))


def _both(one: Any, other: Any) -> Any:
    """Where both masks of a history hold."""
    if isinstance(one, Ragged):
        return Ragged(one.values & other.values, one.lengths)
    return one & other


def _rows_besides(missing: Any, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The rows outside of a mask of a history, of all runs, one run after another."""
    if isinstance(missing, Ragged):
        numbers = np.arange(len(missing.values)) - missing.starts[missing.rows_of_values()]
        rows: npt.NDArray[np.int64] = numbers[~missing.values]
        return rows
    inside = np.arange(missing.shape[1]) < lengths[:, None]
    return np.nonzero(inside & ~missing)[1]
