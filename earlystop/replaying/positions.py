"""The positions of the checks of logged runs: epochs, steps and seconds, all at once.

They mean what `earlystop.engine.positions` takes from a live run. A row that does not report a
position has that of the row before; before the first row that reports one, it has that of this
first row.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from ..engine.positions import counts_from_zero, epochs_by
from ..errors import HistoryError, MissingMetricError, name_advice
from ..history import History
from ..history.history import history_of
from ..history.ragged import Ragged
from ..language.positions import CHECKS, DERIVED, ELAPSED, EPOCH, STEP, number_text
from .position_columns import column_of, shared_position, told_position

__all__ = ["LoggedPositions", "unknown_unit", "whole"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DONE = DERIVED[0]
_MOST_EXACT = 2**31  # so that a sum over runs of whole positions fits into int64


class LoggedPositions:
    """Where the checks of a history stand in their runs.

    log: the whole log, whose first row says when a run began by the clock.
    checks: the history of its checks alone.

    Raises HistoryError for an epoch or a step that goes back within a run, and for a step that
    comes twice.
    """

    def __init__(self, log: History, checks: History) -> None:
        self._log, self._checks = log, checks
        self._lengths: Ints = checks.lengths
        self._starts: Ints = np.cumsum(self._lengths) - self._lengths
        # Kept by the history, and no longer than it: it may be replayed again and again.
        self._known: dict[str, Any] = checks.positions if log is checks else {}
        self._rows: dict[str, Floats | None] = {}
        if _DONE not in self._known:
            self._known[_DONE] = self._epochs_done()
        self.done: Floats | None = self._known[_DONE]
        """How many epochs are done at each check, of all runs, one run after another; NaN in a run
        without epochs. None if every check is one more epoch, or no run has epochs."""

    def column(self, name: str) -> Floats | None:
        """A position at each check, of all runs, one run after another; NaN in a run without it.

        name: "epoch", "step", "elapsed_seconds", a coordinate, or a metric. None for an unknown
        one.
        """
        if name not in self._known:
            values = column_of(self._log, self._checks, name)
            if values is not None and name in (EPOCH, STEP):
                values = self._in_order(name, values)
            self._known[name] = values
        known: Floats | None = self._known[name]
        return known

    def tells(self, name: str) -> bool:
        """Whether any run reports this position."""
        return self._of_one_run(name) is not None or self.column(name) is not None

    def has(self, name: str) -> bool:
        """Whether every run with a check reports this position."""
        if self._of_one_run(name) is not None:
            return True
        values = self.column(name)
        return values is not None and not np.isnan(values[self._starts[self._lengths > 0]]).any()

    def at(self, name: str, checks: Ints, runs: Any = slice(None)) -> Floats:
        """A position at one check of each run, shape (runs,); NaN where it is unknown, or for -1.

        runs: the numbers of the runs, or a slice of them; by default all.

        Raises MissingMetricError for a name that the log does not have.
        """
        usual = self._of_one_run(name)
        values = None if usual is not None else self.column(name)
        if usual is None and values is None and name not in (EPOCH, STEP, ELAPSED):
            known = [*self._checks.coordinates, *self._checks.metrics]
            raise MissingMetricError(f"no position {name!r}: {name_advice(name, known)}")
        found: Floats = np.full(len(checks), np.nan)
        some = checks >= 0
        if usual is not None:
            found[some] = usual[checks[some]]
        elif values is not None:
            found[some] = values[(self._starts[runs] + checks)[some]]
        return found

    def epochs_after(self, checks: Ints, runs: Any = slice(None)) -> Any:
        """How many epochs are done after a number of checks of each run, shape (runs,).

        In a run without epochs, every check is one.
        """
        if self.done is None:
            return checks.astype(np.int64)
        done = np.full(len(checks), np.nan)
        some = checks > 0
        done[some] = self.done[(self._starts[runs] + checks - 1)[some]]
        return whole(np.where(np.isnan(done), checks, done))

    def epoch_of(self, checks: Ints, runs: Any = slice(None)) -> Any:
        """The epoch of one check of each run, as the log counts it, shape (runs,); -1 for none.

        In a run without epochs, it is the number of the check.
        """
        epochs = self.at(EPOCH, checks, runs)
        return whole(np.where(np.isnan(epochs), checks, epochs))

    def amount(self, unit: str, checks: Ints, runs: Any = slice(None)) -> Any:
        """How much of a unit a number of checks of each run takes, shape (runs,); NaN if unknown.

        Raises MissingMetricError for an unknown unit, HistoryError for one that falls.
        """
        if unit == CHECKS:
            return checks.astype(np.int64)
        if unit == EPOCH:
            return self.epochs_after(checks, runs)
        if not self.tells(unit):
            raise unknown_unit(unit, {*self._checks.coordinates, *self._checks.metrics})
        self.require_growing(unit)
        amounts = self.at(unit, checks - 1, runs)
        amounts[checks == 0] = 0.0
        return whole(amounts)

    def spacing(self, unit: str) -> tuple[int, int] | None:
        """How much of a unit is taken up to a check, by its number: first + number * distance.

        Returns first and distance; None if a run differs, or if they are not whole numbers.
        """
        usual = self._of_every_run(self.done) if unit == EPOCH else self._usual(unit)
        values = self.done if unit == EPOCH else usual if usual is not None else self.column(unit)
        if values is None or not len(values):
            return None
        values, numbers = (
            (usual, np.arange(len(usual))) if usual is not None else (values, self._numbers())
        )
        first, second = float(values[0]), np.flatnonzero(numbers == 1)
        distance = float(values[second[0]]) - first if len(second) else 1.0
        if not (first % 1 == distance % 1 == 0 and max(abs(first), distance) < _MOST_EXACT):
            return None
        exact = bool((values == first + numbers * distance).all())
        return (int(first), int(distance)) if exact else None

    def hours(self, checks: Ints, runs: Any = slice(None)) -> Floats:
        """The hours that a number of checks of each run takes, shape (runs,).

        NaN for a run that does not report its time, or whose time falls.
        """
        seconds = self.at(ELAPSED, checks - 1, runs)
        values = self.column(ELAPSED)
        if values is not None:
            falls = np.zeros(len(self._lengths), dtype=np.bool_)
            falls[self._run_of(self._out_of_order(values, again=True))] = True
            seconds[falls[runs]] = np.nan
        return seconds / 3600

    def default_unit(self) -> str:
        """The unit in which the cost of a run is measured: steps, else epochs, else checks."""
        return next((name for name in (STEP, EPOCH) if self.has(name)), CHECKS)

    def require_growing(self, unit: str) -> None:
        """Raise HistoryError if the metric that is the unit falls within a run."""
        values = None if unit in (EPOCH, STEP) else self.column(unit)  # these have been checked
        if values is not None:
            self._check_order(unit, values, again=True)

    def for_rules(self, names: tuple[str, ...]) -> History:
        """The checks, with positions of these names as further metrics, and the epochs done."""
        found = {name: self.column(name) for name in names if name not in self._checks.metrics}
        found |= dict.fromkeys(DERIVED, self.done)
        columns = {name: values for name, values in found.items() if values is not None}
        if not columns:
            return self._checks
        history = self._checks
        metrics, gaps = history.metrics.all_stored(), {n: history.gaps(n) for n in history.metrics}
        for name, values in columns.items():
            metrics[name], gaps[name] = self._stored(values), self._stored(np.isnan(values))
        known = {name: missing for name, missing in gaps.items() if missing is not None}
        coordinates = history.coordinates.all_stored()
        return history_of(
            metrics, known, history.lengths, history.given_names, coordinates, history.report
        )

    def of_run(self, run: int) -> list[dict[str, float]]:
        """The epoch and step of each check of a run, as far as it reports them.

        Nothing if it reports only epochs, and these are the numbers of the checks.
        """
        cells = slice(int(self._starts[run]), int(self._starts[run] + self._lengths[run]))
        found: dict[str, Floats] = {}
        for name in (EPOCH, STEP):
            values = self.column(name)
            if values is None or np.isnan(values[cells]).any():
                continue
            if name == EPOCH or (np.diff(values[cells]) > 0).all():
                found[name] = values[cells]
        if list(found) == [EPOCH] and np.array_equal(found[EPOCH], np.arange(len(found[EPOCH]))):
            found = {}
        numbers = zip(*(values.tolist() for values in found.values()), strict=True)
        places = [dict(zip(found, each, strict=True)) for each in numbers]
        return places or [{} for _ in range(int(self._lengths[run]))]

    def _epochs_done(self) -> Floats | None:
        usual = self._usual(EPOCH)
        if usual is not None and usual[0] in (0, 1) and (np.diff(usual) == 1).all():
            return None
        epochs = self.column(EPOCH)
        if epochs is None or not len(epochs):
            return None
        runs, lengths = self._starts[self._lengths > 0], self._lengths[self._lengths > 0]
        first = epochs[runs]
        second = epochs[runs + (lengths > 1)]
        from_zero = np.repeat(counts_from_zero(first, second - first), lengths)
        from_zero[runs] = counts_from_zero(first, 0)
        fractions = epochs % 1 != 0
        if fractions.any():
            at = np.maximum.accumulate(np.where(fractions, np.arange(len(epochs)), -1))
            from_zero &= at < np.repeat(self._starts, self._lengths)
        done: Floats = epochs_by(epochs, from_zero)
        return None if _equal_or_nan(done, self._numbers() + 1) else done

    def _of_one_run(self, name: str) -> Floats | None:
        """A position in each run, where the history stores it once for all; None elsewhere."""
        if name not in self._rows:
            row = shared_position(self._checks, name)
            rises = row is not None and (name not in (EPOCH, STEP) or (np.diff(row) > 0).all())
            self._rows[name] = row if rises else None
        return self._rows[name]

    def _usual(self, name: str) -> Floats | None:
        """A position in one run, if all runs have the same, which is usual; else None."""
        row = self._of_one_run(name)
        return row if row is not None else self._of_every_run(self.column(name))

    def _of_every_run(self, values: Floats | None) -> Floats | None:
        """The values of one run, if all runs have the same; else None."""
        if values is None or not len(values) or (self._lengths != self._lengths[0]).any():
            return None
        rows = values.reshape(len(self._lengths), -1)
        return rows[0] if (rows == rows[0]).all() else None

    def _numbers(self) -> Ints:
        """The number of each check in its run."""
        numbers: Ints = np.arange(int(self._lengths.sum())) - np.repeat(self._starts, self._lengths)
        return numbers

    def _in_order(self, name: str, values: Floats) -> Floats | None:
        """Positions that never go back: NaN in runs of a log that was read in which they would.

        A tool may write anything (some write a step that is always 0); the notes of a run say so.
        Raises HistoryError for a history that was made with positions that go back.
        """
        usual = self._of_every_run(values)
        if usual is not None and (np.diff(usual) > 0).all():
            return values
        again: Any = True  # where a value may be the same as the one before
        if name == STEP:
            given = told_position(self._checks, name)
            again = np.isnan(values if given is None else given)
        if self._log.report is None:
            self._check_order(name, values, again)
            return values
        wrong = np.unique(self._run_of(self._out_of_order(values, again)))
        if not len(wrong):
            return values
        untold = np.zeros(len(self._lengths), dtype=np.bool_)
        untold[wrong] = True
        rest: Floats = np.where(np.repeat(untold, self._lengths), np.nan, values)
        return None if np.isnan(rest).all() else rest

    def _check_order(self, name: str, values: Floats, again: Any) -> None:
        """Raise HistoryError for a value below the one before, or equal to it where not `again`."""
        for cell in self._out_of_order(values, again)[:1].tolist():
            run = int(self._run_of(cell))
            check = cell - int(self._starts[run])
            now, before = number_text(values[cell]), number_text(values[cell - 1])
            what = f"falls from {before} to {now}" if now != before else f"is {now} twice"
            raise HistoryError(
                f"{name!r} {what} at check {check} of {self._checks.names[run]!r}: positions and "
                "units never go back within a run; put the rows in order, or take the parts of a "
                "run that was started again as runs of their own"
            )

    def _out_of_order(self, values: Floats, again: Any) -> Ints:
        """The cells with a value below the one before in their run, or equal if not `again`."""
        change = np.diff(values)
        wrong = (change < 0) | ((change == 0) & ~np.broadcast_to(again, values.shape)[1:])
        wrong[(self._starts[(self._starts > 0) & (self._starts < len(values))]) - 1] = False
        return np.flatnonzero(wrong) + 1

    def _run_of(self, cells: Any) -> Any:
        return np.searchsorted(self._starts + self._lengths, cells, side="right")

    def _stored(self, values: npt.NDArray[Any]) -> Any:
        """A column of the history with these values."""
        like = self._checks.values(next(iter(self._checks.metrics)))
        if isinstance(like, Ragged):
            return Ragged(values, self._lengths)
        column = np.zeros(like.shape, dtype=values.dtype)
        column[np.arange(like.shape[1]) < self._lengths[:, None]] = values
        return column


def unknown_unit(unit: str, known: Collection[str]) -> MissingMetricError:
    """The error for a unit that no epoch reports. known: the positions and metrics that are."""
    units = {CHECKS, EPOCH, *known}
    return MissingMetricError(
        f"no epoch reports the unit {unit!r}: {name_advice(unit, units, 'units')}"
    )


def whole(amounts: Floats) -> Any:
    """The amounts as whole numbers, if all of them are; otherwise as they are."""
    if np.isfinite(amounts).all() and (amounts % 1 == 0).all() and (abs(amounts) < 2**53).all():
        return amounts.astype(np.int64)
    return amounts


def _equal_or_nan(values: Floats, numbers: Ints) -> bool:
    same = values == numbers
    return bool(same.all() or (same | np.isnan(values)).all())
