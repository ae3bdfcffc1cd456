"""Settings of any kind, whose rules are stepped together in the way a replay steps one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import History
from ..history.ragged import slices_within
from ..language.ops import better
from ..language.rule import Rule
from ..replaying.batches import Runs, run_numbers
from ..replaying.regret import regret_of, values_at
from ..replaying.simulate import Outcome, Simulation, simulate_batch, simulate_runs
from ..replaying.tuning import DEFAULT, Tuning
from ..rules import Best, Never
from .columns import Column
from .totals import Totals

__all__ = ["SteppedOutcome"]

Floats = npt.NDArray[np.float64]


class SteppedOutcome:
    """What rules did on some runs, found by stepping them.

    rules: the rules, each with the number of its setting.
    best: decides which epoch is best.

    Raises TooManyLanesError if the states of the rules exceed the memory limit.
    """

    def __init__(
        self,
        rules: Sequence[tuple[Rule, int]],
        best: Best,
        history: History,
        runs: Runs,
        tuning: Tuning = DEFAULT,
    ) -> None:
        self._metrics = [rule.all_metrics for rule, _ in rules]
        self._settings = [setting for _, setting in rules]
        self._mode = best.mode
        stops = [rule for rule, _ in rules]
        numbers = run_numbers(runs)
        if len(numbers) * len(stops) < tuning.few_steps:
            self._outcomes = [_run_by_run(stop, best, history, numbers) for stop in stops]
            of_log = _run_by_run(Never(), best, history, numbers).saved_epoch
            self._best_of_log = values_at(history, best.monitor, of_log, numbers)
        else:
            simulation = simulate_batch(stops, best, history, runs, tuning)
            self._outcomes = simulation.outcomes
            self._best_of_log = _best_of_log(simulation, best, history, numbers, tuning)
        self._best = [
            values_at(history, best.monitor, outcome.saved_epoch, numbers)
            for outcome in self._outcomes
        ]

    @property
    def settings(self) -> int:
        """How many settings there are."""
        return len(self._settings)

    @property
    def nbytes(self) -> int:
        """The memory used by the arrays, in bytes."""
        arrays = (*self._best, *(array for outcome in self._outcomes for array in outcome))
        return sum(array.nbytes for array in arrays)

    def add_to(self, totals: Totals) -> None:
        """Add the runs to the totals of a sweep."""
        for setting, _, column in self.columns(range(max(self._settings) + 1)):
            totals.add(setting, column.checks, column.regret)

    def columns(self, wanted: range) -> Iterator[tuple[int, slice, Column]]:
        """What each of these settings did; yields (setting, lanes, column)."""
        found = zip(self._settings, self._outcomes, self._best, strict=True)
        for setting, outcome, best in found:
            if setting in wanted:
                regret = regret_of(best, self._best_of_log, self._mode)
                yield setting, slice(0, len(best)), Column(*outcome, best, regret)

    def epochs_used(self) -> Iterator[tuple[tuple[str, ...], npt.NDArray[Any]]]:
        """The metrics of each rule, and the epochs it uses."""
        for metrics, outcome in zip(self._metrics, self._outcomes, strict=True):
            yield metrics, outcome.epochs


def _run_by_run(
    stop: Rule, best: Best, history: History, numbers: npt.NDArray[np.int64]
) -> Outcome:
    decided = list(simulate_runs(stop, best, history, numbers))
    epochs, stopped, saved_epoch = (np.array(column) for column in zip(*decided, strict=True))
    return Outcome(epochs.astype(np.int32), stopped, saved_epoch.astype(np.int32))


def _best_of_log(
    simulation: Simulation,
    best: Best,
    history: History,
    numbers: npt.NDArray[np.int64],
    tuning: Tuning,
) -> Floats:
    """The best value of each whole log, shape (runs,); NaN for none.

    Runs that every rule had ended were not stepped to the end; the rest of them is searched here.
    """
    found = values_at(history, best.monitor, simulation.last_saved, numbers)
    if best.monitor not in history.metrics:
        return found
    rest = np.flatnonzero(simulation.epochs_stepped < history.lengths[numbers])
    for part in slices_within(history.lengths[numbers[rest]], tuning.cells_checked):
        lanes = rest[part]
        later = _best_after(history, best, numbers[lanes], simulation.epochs_stepped[lanes])
        replaces = better(later, found[lanes], best.mode) | np.isnan(found[lanes])
        found[lanes] = np.where(replaces, later, found[lanes])
    return found


def _best_after(history: History, best: Best, runs: Any, first: Any) -> Floats:
    """The best value of run i from epoch first[i] on, shape (runs,); NaN for none."""
    begin, end = int(first.min()), int(history.lengths[runs].max())
    values = history.values(best.monitor)[runs, begin:end].astype(np.float64)
    epochs = np.arange(begin, end)
    ignored = (epochs < first[:, None]) | (epochs >= history.lengths[runs][:, None])
    gaps = history.gaps(best.monitor)
    if gaps is not None:
        ignored |= gaps[runs, begin:end]
    values[ignored | np.isnan(values)] = worst = np.inf if best.mode == "min" else -np.inf
    result: Floats = values.min(axis=1) if best.mode == "min" else values.max(axis=1)
    result[result == worst] = np.nan  # the worst possible value is never a best
    return result
