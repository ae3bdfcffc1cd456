"""The epoch loop of replay and sweep: stop rules and a save rule, stepped over logged runs.

`simulate_batch` steps many runs side by side; `simulate_runs` steps run by run, through the
function that a live `Stopper` calls, which is faster for few runs. Both step the same rules and
give the same answers. A replay has one stop rule, a sweep has many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..engine.scalar import Advance, compile_scalar
from ..history import Bools, History
from ..language.rule import Rule
from ..language.state import flatten
from .batches import Epoch, RunBatch, Runs, run_numbers
from .interpreted import steps_for
from .tuning import DEFAULT, Tuning

__all__ = ["Outcome", "Simulation", "no_outcome", "simulate_batch", "simulate_runs"]


class Outcome(NamedTuple):
    """What a stop rule and a save rule did; arrays of shape (runs,).

    epochs: epochs used. stopped: the stop rule ended the run, else its log did.
    saved_epoch: the last epoch saved up to then, -1 for none.
    """

    epochs: npt.NDArray[Any]
    stopped: Bools
    saved_epoch: npt.NDArray[Any]


def no_outcome(lengths: npt.NDArray[np.int64]) -> Outcome:
    """The outcome of runs that nothing stops and nothing saves."""
    stopped = np.zeros(len(lengths), dtype=np.bool_)
    return Outcome(lengths.copy(), stopped, np.full(len(lengths), -1, dtype=np.int64))


# Side by side -------------------------------------------------------------------------------------


class Simulation(NamedTuple):
    """What several stop rules did beside one save rule.

    outcomes: one for each stop rule.
    last_saved: the last epoch saved among those that were stepped, -1 for none, shape (runs,).
    epochs_stepped: epochs that were stepped: all of the log, or fewer once every stop rule had
        ended the run, shape (runs,).
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
    """Step rules over runs, all side by side. Runs that every stop rule has ended are dropped.

    Raises TooManyLanesError where the states of the rules take more memory than they may.
    """
    program = steps_for((*stops, save), history, tuning)
    batch = RunBatch(history, runs, program.metrics, tuning)
    going = _Going(len(stops), batch)
    program.start(len(batch), batch.longest)
    for block in batch.blocks():
        left = going.lanes_left(batch, tuning.dense_share)
        if left is not None:
            going.record_end(batch.block_start)
            if not len(left):
                return going.simulation()
            for part in (batch, program, going):
                part.keep(left)
        for epoch in block:
            *fires, saves = program(epoch)
            going.take(epoch, fires, saves)
    going.record_end(None)
    return going.simulation()


class _Going:
    """Which runs each stop rule has not ended yet, and what is known of the others.

    Results have an entry for each run of the batch as it began; `_ids` are the entries of the lanes
    that have not been dropped. A rule that has ended no run has no mask.
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
            going = _both(running, epoch.inside)
            fired = ends if going is None else ends & going
            if np.count_nonzero(fired):
                self._end(number, epoch.number, np.broadcast_to(fired, len(self._ids)))

    def _end(self, number: int, epoch: int, ends: Bools) -> None:
        """A stop rule ends some lanes."""
        outcome, ids = self._outcomes[number], self._ids[ends]
        outcome.epochs[ids], outcome.stopped[ids] = epoch + 1, True
        outcome.saved_epoch[ids] = self._saved[ends]
        running = self._running[number]
        self._running[number] = ~ends if running is None else running & ~ends

    def lanes_left(self, batch: RunBatch, dense_share: float) -> Any:
        """The lanes to go on with, if few enough are left that dropping the others pays."""
        if any(running is None for running in self._running):
            return None  # that rule may end any of them
        going = np.logical_or.reduce(self._running) & (batch.lengths > batch.block_start)
        count = np.count_nonzero(going)
        return going.nonzero()[0] if count < dense_share * len(batch) or not count else None

    def record_end(self, epoch: int | None) -> None:
        """Record what is known so far: before lanes are dropped at `epoch`, and at the end."""
        for outcome, running in zip(self._outcomes, self._running, strict=True):
            on = slice(None) if running is None else running
            outcome.saved_epoch[self._ids[on]] = self._saved[on]
        self._last_saved[self._ids] = self._saved
        if epoch is not None:
            self._stepped[self._ids] = np.minimum(self._stepped[self._ids], epoch)

    def keep(self, lanes: Any) -> None:
        """Drop all other lanes; their results have been recorded."""
        self._ids, self._saved = self._ids[lanes], self._saved[lanes]
        self._running = [running[lanes] for running in self._running]
        self._stepped[self._ids] = self._lengths[self._ids]

    def simulation(self) -> Simulation:
        return Simulation(self._outcomes, self._last_saved, self._stepped)


def _both(one: Any, other: Any) -> Any:
    """Where both masks hold; None is a mask that holds everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


# Run by run ---------------------------------------------------------------------------------------


def simulate_runs(
    stop: Rule, save: Rule, history: History, runs: Runs
) -> Iterator[tuple[int, bool, int]]:
    """Step rules over one run after another: yields epochs used, stopped, and last epoch saved."""
    metrics = stop.all_metrics + save.all_metrics
    whole = all(name in history.metrics and history.gaps(name) is None for name in metrics)
    # Where nothing is missing, "raise" and "skip" decide alike, and "raise" looks up faster.
    advance = compile_scalar((stop, save), "raise" if whole else "skip")
    start = tuple(flatten((stop.init(), save.init())))
    for run in run_numbers(runs).tolist():
        yield _simulate_run(advance, start, history, run)


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
