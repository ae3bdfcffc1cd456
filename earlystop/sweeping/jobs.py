"""The work of a sweep: groups of settings on batches of runs, one history after another."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._parallel import in_order, progress_bar
from ..errors import HistoryError, RuleTypeError
from ..history import History
from ..history.history import unreported
from ..language.rule import OnMissing
from ..replaying.batches import Runs, batches_by_length, run_numbers
from ..replaying.checks import Checks, checks_of
from ..replaying.missing import require_reported
from ..replaying.position_columns import position_names
from ..replaying.tuning import DEFAULT, Tuning
from .groups import Group, Outcome, Task
from .places import Places
from .plan import Plan

__all__ = ["SweepJob"]

Ints = npt.NDArray[np.int64]
Parts = Iterable[tuple[Runs, Outcome]]


class SweepJob:
    """All the work of a sweep. It can be done again if the histories can be iterated over again.

    plan: which settings share their work.
    repeatable: whether the work can be done again.
    lengths: the lengths of the runs, one array per history read so far.
    places: where the checks of the runs read so far stand.
    names: the names of the runs, one tuple per history; None for a history without names.
    reported: the metrics that some epoch of the histories read so far reports.
    are_all: whether these are all histories, so that a metric that none of them reports is an
        error.
    """

    def __init__(
        self,
        histories: Iterable[History],
        plan: Plan,
        on_missing: OnMissing,
        workers: int,
        progress: bool,
        tuning: Tuning = DEFAULT,
        *,
        are_all: bool = True,
    ) -> None:
        self._histories, self.plan, self._on_missing = histories, plan, on_missing
        self._workers, self._progress, self.tuning = workers, progress, tuning
        self.repeatable = not isinstance(histories, Iterator)
        self.lengths: list[Ints] = []
        self.places = Places(plan.groups)
        self.names: list[Sequence[str] | None] = []
        self.reported: set[str] = set()
        self._are_all = are_all

    def names_of_runs(self) -> tuple[str, ...]:
        """The names of all runs; a run without a name is called "run" and its number."""
        names: list[str] = []
        for lengths, given in zip(self.lengths, self.names, strict=True):
            first = len(names)
            names.extend(given or (f"run {first + run}" for run in range(len(lengths))))
        return tuple(names)

    def outcomes(self) -> Iterator[tuple[Runs, Outcome]]:
        """Do the work; yields what some settings did on some runs, until all are done.

        Runs are numbered from the first run of the first history.

        Raises HistoryError without a history, or if the histories differ from an earlier pass;
        MissingMetricError for a metric that no epoch reports; RuleTypeError for other objects.
        """
        total = None
        if isinstance(self._histories, Sequence):
            self._require(_reported(self._histories))  # before any work is done
            runs = sum(history.runs for history in self._histories)
            total = runs * sum(group.settings for group in self.plan.groups)
        bar = None
        if self._progress:
            bar = progress_bar("sweep", total=total, unit="run", unit_scale=True)
        try:
            for first, parts in in_order(self._tasks(), self._workers):
                for part, outcome in parts:
                    done = len(run_numbers(part)) * outcome.settings
                    yield _shifted(part, first), outcome
                    del outcome  # free it before the next one is computed
                    if bar is not None:
                        bar.update(done)
        finally:
            if bar is not None:
                bar.close()

    def _tasks(self) -> Iterator[Callable[[], tuple[int, Parts]]]:
        before, names = self.lengths, self.names
        self.lengths, self.names = [], []
        first = 0
        self.places = Places(self.plan.groups)
        for number, history in enumerate(self._checked_histories()):
            self.lengths.append(history.lengths)
            self.names.append(history.given_names)
            if before and not _equal(before[number : number + 1], self.lengths[-1:]):
                break
            checks = self._checks(history)
            self.places.add(checks)
            needed = tuple(self.plan.required)
            stepped = {key: each.positions.for_rules(needed) for key, each in checks.items()}
            for runs in batches_by_length(history.lengths, self.tuning):
                for group in self.plan.groups:
                    rows = stepped[group.metrics]
                    for task in group.tasks(rows, runs):
                        yield functools.partial(self._done, task, group, rows, first)
            first += history.runs
        if before and not _equal(before, self.lengths):
            self.lengths, self.names = before, names
            raise HistoryError(
                "`sweep`: the histories differ from those of the first pass: an iterable must give "
                "the same histories again (or pass a list, or an iterator)"
            )

    def _checks(self, history: History) -> dict[frozenset[str], Checks]:
        """The checks of a history for each group, by the metrics that the group judges."""
        keys = {group.metrics for group in self.plan.groups}
        judged = keys if self._on_missing == "skip" else ()
        checks = {key: checks_of(history, key if key in judged else ()) for key in keys}
        for each in checks.values():
            for unit in self.plan.units:
                each.positions.require_growing(unit)
        return checks

    def _checked_histories(self) -> Iterator[History]:
        """The histories, after checking that together they report every required metric."""
        for history in self._histories:
            self.reported |= _reported([history])
            yield history
        self._require(self.reported)

    def _require(self, reported: set[str]) -> None:
        if not reported:
            raise HistoryError("`sweep` needs at least one history, got none")
        if self._are_all:
            for name, owner in self.plan.required.items():
                if name not in reported:
                    raise unreported(name, owner, reported)

    def _done(self, task: Task, group: Group, history: History, first: int) -> tuple[int, Parts]:
        parts = self._parts(task, group, history)
        return first, parts if self._workers == 1 else list(parts)  # on this worker's thread

    def _parts(self, task: Task, group: Group, history: History) -> Iterator[tuple[Runs, Outcome]]:
        parts = task()
        while True:
            with np.errstate(all="ignore"):
                part = next(parts, None)
            if part is None:
                return
            if self._on_missing == "raise":
                for metrics, epochs in part[1].epochs_used():
                    names = dict.fromkeys((*metrics, *group.best.all_metrics))
                    require_reported(tuple(names), history, epochs, part[0], self.tuning)
            yield part
            del part


def _shifted(runs: Runs, first: int) -> Runs:
    """The same runs, numbered from the first run of the first history."""
    if isinstance(runs, slice):
        return slice(first + runs.start, first + runs.stop)
    return runs + first


def _equal(one: Sequence[Ints], other: Sequence[Ints]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def _reported(histories: Iterable[Any]) -> set[str]:
    """The metrics that at least one epoch reports."""
    found: set[str] = set()
    for history in histories:
        if not isinstance(history, History):
            raise RuleTypeError(
                f"`sweep` takes a History, or several, got {type(history).__name__} among them"
            )
        found.update(filter(history.reports, history.metrics))
        found.update(position_names(history))
    return found
