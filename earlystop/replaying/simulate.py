"""The epoch loop of replay and sweep: stop rules and a save rule, stepped over logged runs.

`simulate_batch` steps many runs side by side. `simulate_runs` steps run by run, through the
function that a live `Stopper` calls, which is faster for few runs. Both give the same answers. A
replay has one stop rule, a sweep has many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..engine.scalar import Advance, compile_scalar
from ..history import Bools, History
from ..language.positions import DERIVED
from ..language.rule import OnMissing, Rule
from ..language.state import flatten
from .batches import Epoch, RunBatch, Runs, run_numbers
from .interpreted import steps_for
from .tuning import DEFAULT, Tuning

__all__ = ["Outcome", "Simulation", "no_outcome", "simulate_batch", "simulate_runs"]


class Outcome(NamedTuple):
    """What a stop rule and a save rule did; arrays of shape (runs,).

    epochs: the epochs used.
    stopped: whether the stop rule ended the run, rather than the end of its log.
    saved_epoch: the last epoch saved up to then, -1 for none.
    """

    epochs: npt.NDArray[Any]
    stopped: Bools
    saved_epoch: npt.NDArray[Any]


def no_outcome(lengths: npt.NDArray[np.int64]) -> Outcome:
    """The outcome for runs that nothing stops and nothing saves."""
    stopped = np.zeros(len(lengths), dtype=np.bool_)
    return Outcome(lengths.copy(), stopped, np.full(len(lengths), -1, dtype=np.int64))


# Side by side -------------------------------------------------------------------------------------


class Simulation(NamedTuple):
    """What several stop rules did, combined with one save rule.

    outcomes: one per stop rule.
    last_saved: the last epoch saved among those that were stepped, -1 for none, shape (runs,).
    epochs_stepped: how many epochs were stepped: the whole log, or fewer if every stop rule had
        ended the run before, shape (runs,).
    """

    outcomes: list[Outcome]
    last_saved: npt.NDArray[np.int32]
    epochs_stepped: npt.NDArray[np.int64]


def simulate_batch(
    stops: Sequence[Rule],
    save: Rule,
    history: History,
    runs: Runs,
    tuning: Tuning = DEFAULT,
) -> Simulation:
    """Step rules over runs side by side. Runs that every stop rule has ended are dropped.

    Raises TooManyLanesError if the states of the rules exceed the memory limit.
    """
    program = steps_for((*stops, save), history, tuning)
    batch = RunBatch(history, runs, program.metrics, tuning)
    progress = _Progress(len(stops), batch)
    program.start(len(batch), batch.longest)
    for block in batch.blocks():
        lanes = progress.lanes_to_keep(batch, tuning.dense_share)
        if lanes is not None:
            progress.record_end(batch.block_start)
            if not len(lanes):
                return progress.simulation()
            for holder in (batch, program, progress):
                holder.keep(lanes)
        for epoch in block:
            *fires, saves = program(epoch)
            progress.take(epoch, fires, saves)
    progress.record_end(None)
    return progress.simulation()


class _Progress:
    """Which runs each stop rule has not ended yet, and the outcomes of those it has.

    Outcomes have one entry per run of the original batch; `_ids` are the entries of the lanes that
    have not been dropped. `_running` has a mask per rule, or None if the rule has ended no run.
    """

    def __init__(self, rules: int, batch: RunBatch) -> None:
        lanes = len(batch)
        self._outcomes = [
            Outcome(
                batch.lengths.astype(np.int32),
                np.zeros(lanes, dtype=np.bool_),
                np.full(lanes, -1, dtype=np.int32),
            )
            for _ in range(rules)
        ]
        self._last_saved = np.full(lanes, -1, dtype=np.int32)
        self._lengths = batch.lengths
        self._stepped = batch.lengths.copy()
        self._ids = np.arange(lanes)
        self._saved = self._last_saved.copy()
        self._running: list[Any] = [None] * rules

    def take(self, epoch: Epoch, fires: Sequence[Any], saves: Any) -> None:
        """Take the answers of the rules at an epoch."""
        if saves is not False:
            where = saves if epoch.inside is None else saves & epoch.inside
            np.copyto(self._saved, epoch.number, where=where)
        for number, (ends, running) in enumerate(zip(fires, self._running, strict=True)):
            if ends is False:
                continue
            may_end = _both(running, epoch.inside)
            fired = ends if may_end is None else ends & may_end
            if np.count_nonzero(fired):
                self._end(number, epoch.number, np.broadcast_to(fired, len(self._ids)))

    def _end(self, number: int, epoch: int, ends: Bools) -> None:
        """Record that a stop rule ends some lanes."""
        outcome, ids = self._outcomes[number], self._ids[ends]
        outcome.epochs[ids], outcome.stopped[ids] = epoch + 1, True
        outcome.saved_epoch[ids] = self._saved[ends]
        running = self._running[number]
        self._running[number] = ~ends if running is None else running & ~ends

    def lanes_to_keep(self, batch: RunBatch, dense_share: float) -> Any:
        """The lanes still needed, if they are so few that dropping the others pays; else None."""
        if any(running is None for running in self._running):
            return None  # that rule may still end any of them
        needed = np.logical_or.reduce(self._running) & (batch.lengths > batch.block_start)
        count = np.count_nonzero(needed)
        return needed.nonzero()[0] if count < dense_share * len(batch) or not count else None

    def record_end(self, epoch: int | None) -> None:
        """Record the last saved epochs: before lanes are dropped at `epoch`, and at the end."""
        for outcome, running in zip(self._outcomes, self._running, strict=True):
            still_running = slice(None) if running is None else running
            outcome.saved_epoch[self._ids[still_running]] = self._saved[still_running]
        self._last_saved[self._ids] = self._saved
        if epoch is not None:
            self._stepped[self._ids] = np.minimum(self._stepped[self._ids], epoch)

    def keep(self, lanes: Any) -> None:
        """Drop all other lanes, whose outcomes have been recorded."""
        self._ids, self._saved = self._ids[lanes], self._saved[lanes]
        self._running = [running[lanes] for running in self._running]
        self._stepped[self._ids] = self._lengths[self._ids]

    def simulation(self) -> Simulation:
        return Simulation(self._outcomes, self._last_saved, self._stepped)


def _both(one: Any, other: Any) -> Any:
    """Where both masks hold; None stands for a mask that holds everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


# Run by run ---------------------------------------------------------------------------------------


def simulate_runs(
    stop: Rule, save: Rule, history: History, runs: Runs
) -> Iterator[tuple[int, bool, int]]:
    """Step rules over one run after another; yields (checks used, stopped, last check saved)."""
    metrics = stop.all_metrics + save.all_metrics
    complete = all(name in history.metrics and history.gaps(name) is None for name in metrics)
    # If nothing is missing, "raise" and "skip" decide alike, and "raise" is faster.
    on_missing: OnMissing = "raise" if complete else "skip"
    by_checks = compile_scalar((stop, save), on_missing)
    by_epochs, without_epochs = by_checks, None
    if DERIVED[0] in history.metrics:
        by_epochs = compile_scalar((stop, save), on_missing, frozenset(DERIVED))
        without_epochs = history.has_gaps(DERIVED[0])
    start = tuple(flatten((stop.init(), save.init())))
    for run in run_numbers(runs).tolist():
        has_epochs = without_epochs is not None and not without_epochs[run]
        yield _simulate_run(by_epochs if has_epochs else by_checks, start, history, run)


def _simulate_run(
    advance: Advance, state: tuple[Any, ...], history: History, run: int
) -> tuple[int, bool, int]:
    done, saved = 0, -1
    metrics: dict[str, float] = {}  # the same dict at every epoch: steps only read it
    for columns, gaps in history.iter_columns(run):
        names, first = tuple(columns), done
        for epoch, values in enumerate(zip(*columns.values(), strict=True), start=first):
            for name, value in zip(names, values):  # noqa: B905  # equal lengths; strict is slower
                metrics[name] = value
            if gaps:
                for name, missing in gaps.items():
                    if missing[epoch - first]:
                        del metrics[name]
            state, stop, save = advance(state, metrics, epoch)
            if save:
                saved = epoch
            if stop:
                return epoch + 1, True, saved
        done += len(columns[names[0]])
    return done, False, saved
