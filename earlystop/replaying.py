"""`replay`: the decisions that rules would have taken over logged runs.

The rules' own `step`, written out for arrays (see `compiled.py`), runs over many runs at once, one
lane a run, epoch by epoch; few runs go through a `Stopper` one by one, which is faster there. It is
the same `step` either way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .compiled import LaneProgram, compile_lanes
from .errors import MissingMetricError, RuleTypeError, name_advice
from .history import Bools, History
from .rule import Rule, advance
from .stopper import Decision, Stopper
from .trace import OnMissing

__all__ = ["Replay", "replay"]

# Below so many runs a lane costs more than a step of the live loop.
_FEW_RUNS = 24
# Lanes that are stepped together, and epochs that are laid out for them at a time: enough to make
# little of the cost of a call, few enough to stay in the cache. They bound the memory: 8 bytes
# times their product, 8 MiB, a metric.
_LANES, _BLOCK = 16384, 64
_TILE = 512
# Where fewer lanes than this share still run, the others are dropped.
_DENSE = 0.6


@dataclass(frozen=True, eq=False, repr=False)
class Replay:
    """What a stop rule and a save rule would have done on every run of a history.

    epochs: shape (runs,), int64: how many epochs each run would have lasted.
    stopped: shape (runs,), bool: the stop rule ended it; else its log did.
    saved_epoch: shape (runs,), int64: the last epoch saved, counted from 0; -1 for none.
    stop, save, on_missing, history: what was replayed.
    """

    epochs: npt.NDArray[np.int64]
    stopped: Bools
    saved_epoch: npt.NDArray[np.int64]
    stop: Rule
    save: Rule
    on_missing: OnMissing
    history: History = field(repr=False)

    def decisions(self, run: int | str) -> list[Decision]:
        """The decisions on one run, by number or name: the very ones that stepping gives.

        Raises HistoryError for a run that there is not.
        """
        stopper = Stopper(self.stop, self.save, on_missing=self.on_missing)
        made: list[Decision] = []
        for metrics in self.history.records(run):
            made.append(stopper.step(metrics))
            if stopper.stopped:
                break
        return made

    def __len__(self) -> int:
        return len(self.epochs)

    def __repr__(self) -> str:
        used, logged = int(self.epochs.sum()), int(self.history.lengths.sum())
        return (
            f"Replay({self.stop!r}: {int(self.stopped.sum())} of {len(self)} runs stopped, "
            f"{used} of {logged} epochs used)"
        )


def replay(
    stop: Rule | Stopper,
    history: History,
    *,
    save: Rule | None = None,
    on_missing: OnMissing = "skip",
) -> Replay:
    """Take the decisions of `stop` and `save` over every run of a history.

    stop: a rule, or a `Stopper`, whose two rules are taken; its state is neither used nor changed.
    save: the rule that says what is kept (never, if left out); not together with a Stopper.
    on_missing: "skip": at an epoch without its metric a rule keeps its state and does not fire.
        "raise": such an epoch is an error, as in a live run.

    Raises MissingMetricError for a metric that no epoch reports, and in "raise" mode for the first
    epoch that lacks one; RuleTypeError for arguments that are no rules or no history.

    >>> from earlystop import EarlyStopping, History, replay
    >>> history = History({"val_loss": [[4.0, 3.0, 3.5, 3.6, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0]]})
    >>> result = replay(EarlyStopping("val_loss", patience=2), history)
    >>> result.epochs, result.stopped, result.saved_epoch
    (array([4, 5]), array([ True, False]), array([1, 4]))
    >>> print(result.decisions(0)[-1])
    epoch 3: stop: val_loss has not improved on 3 (epoch 1) by more than 0 for 2 epochs
    """
    if isinstance(stop, Stopper):
        if save is not None:
            raise RuleTypeError(
                "`replay(stop, save=...)`: a Stopper brings its own save rule; "
                "pass `stopper.stop` as the rule to give another"
            )
        rule, save = stop.stop, stop.save
    else:
        rule = stop
    if not isinstance(history, History):
        raise RuleTypeError(
            f"`replay` takes a History, got {type(history).__name__}: wrap the metrics in "
            "earlystop.History(...) or History.from_runs(...)"
        )
    stopper = Stopper(rule, save, on_missing=on_missing)  # checks the arguments
    for part in (stopper.stop, stopper.save):
        history.require(part.all_needs, repr(part))
    take = _stepped if history.runs < _FEW_RUNS else _in_lanes
    epochs, stopped, saved_epoch = take(stopper, history)
    if on_missing == "raise":
        _require_all(stopper, history, epochs)
    return Replay(epochs, stopped, saved_epoch, stopper.stop, stopper.save, on_missing, history)


Arrays = tuple[npt.NDArray[np.int64], Bools, npt.NDArray[np.int64]]


def _stepped(stopper: Stopper, history: History) -> Arrays:
    """Run by run, through the live loop."""
    epochs = history.lengths.copy()
    stopped = np.zeros(history.runs, dtype=np.bool_)
    saved_epoch = np.full(history.runs, -1, dtype=np.int64)
    skipping = Stopper(stopper.stop, stopper.save, on_missing="skip")
    for run in range(history.runs):
        skipping.reset()
        for metrics in history.records(run):
            skipping.step(metrics)
            if skipping.stopped:
                break
        epochs[run], stopped[run] = skipping.epoch, skipping.stopped
        saved_epoch[run] = -1 if skipping.best_epoch is None else skipping.best_epoch
    return epochs, stopped, saved_epoch


def _in_lanes(stopper: Stopper, history: History) -> Arrays:
    """Many runs at once, epoch by epoch."""
    names = _names_used(stopper, history)
    rules = (stopper.stop, stopper.save)
    with_gaps = frozenset(name for name in names if history.gaps(name) is not None)
    program = compile_lanes(rules, names, with_gaps) or _PlainSteps(rules, names)
    epochs = history.lengths.copy()
    stopped = np.zeros(history.runs, dtype=np.bool_)
    saved_epoch = np.full(history.runs, -1, dtype=np.int64)
    with np.errstate(all="ignore"):
        for first in range(0, history.runs, _LANES):
            lanes = slice(first, first + _LANES)
            _run_lanes(program, history, names, lanes, (epochs, stopped, saved_epoch))
    return epochs, stopped, saved_epoch


def _run_lanes(
    program: LaneProgram | _PlainSteps,
    history: History,
    names: tuple[str, ...],
    lanes: Any,
    results: Arrays,
) -> None:
    """Take the decisions on some runs, and write them to the results."""
    epochs, stopped, saved_epoch = results
    runs = np.arange(history.runs)[lanes]  # what the lanes are
    lengths = history.lengths[lanes]
    saved = np.full(len(runs), -1, dtype=np.int32)
    running: Any = None  # which lanes still run; None: all
    program.start(len(runs), int(lengths.max()))
    lengths_there_are = set(np.unique(lengths).tolist())
    for epoch in range(int(lengths.max())):
        if epoch in lengths_there_are:
            running = lengths > epoch if running is None else running & (lengths > epoch)
        place = epoch % _BLOCK
        if place == 0:
            if running is not None:
                left = np.flatnonzero(running)
                if not len(left):
                    break
                if len(left) < len(runs) * _DENSE:  # the others are carried along for nothing
                    saved_epoch[runs] = saved
                    runs, lengths, saved, lanes = runs[left], lengths[left], saved[left], runs[left]
                    program.keep(left)
                    running = None
            block = slice(epoch, epoch + _BLOCK)
            rows = [_rows(history.metrics[name], lanes, block, np.float64) for name in names]
            gaps = [history.gaps(name) for name in names]
            present = [g if g is None else ~_rows(g, lanes, block, np.bool_) for g in gaps]
        stops, saves = program(
            [row[place] for row in rows],
            [row if row is None else row[place] for row in present],
            epoch,
        )
        if saves is not False:
            np.copyto(saved, epoch, where=saves if running is None else saves & running)
        if stops is not False:
            ends = stops if running is None else stops & running
            if np.count_nonzero(ends):
                ends = np.broadcast_to(ends, len(runs))
                epochs[runs[ends]] = epoch + 1
                stopped[runs[ends]] = True
                running = ~ends if running is None else running & ~ends
    saved_epoch[runs] = saved


def _rows(array: Any, lanes: Any, block: slice, dtype: Any) -> Any:
    """A block of epochs, one row an epoch."""
    columns = array[lanes, block]
    rows = np.empty(columns.shape[::-1], dtype=dtype)
    for first in range(0, len(columns), _TILE):  # few lanes at a time: their lines stay cached
        tile = slice(first, first + _TILE)
        rows[:, tile] = columns[tile].T
    return rows


class _PlainSteps:
    """The steps of rules that do not compile for lanes, with the calls of `LaneProgram`."""

    def __init__(self, rules: tuple[Rule, ...], names: tuple[str, ...]) -> None:
        self._rules, self._names = rules, names
        self._states: list[Any] = []

    def start(self, lanes: int, epochs: int) -> None:
        self._states = [rule.init() for rule in self._rules]

    def keep(self, lanes: Any) -> None:
        self._states = [_kept(state, lanes) for state in self._states]

    def __call__(self, rows: Any, present: Any, epoch: int) -> tuple[Any, ...]:
        metrics = _EpochOfLanes(
            dict(zip(self._names, rows, strict=True)),
            {n: p for n, p in zip(self._names, present, strict=True) if p is not None},
        )
        stepped = [
            advance(rule, state, metrics, epoch)
            for rule, state in zip(self._rules, self._states, strict=True)
        ]
        self._states = [after for after, _ in stepped]
        return tuple(fires for _, fires in stepped)


def _kept(state: Any, lanes: Any) -> Any:
    if isinstance(state, tuple):
        parts = [_kept(part, lanes) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state[lanes] if isinstance(state, np.ndarray) and state.ndim else state


class _EpochOfLanes:
    """The metrics of one epoch, one lane a run; to a rule they look like those of a live epoch."""

    def __init__(self, values: dict[str, Any], present: dict[str, Any]) -> None:
        self._values, self._present = values, present

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def reported(self, names: tuple[str, ...]) -> Any:
        present: Any = True
        for name in names:
            present = present & self._present.get(name, True)
        return present

    def replaced(self, name: str, value: Any) -> _EpochOfLanes:
        return _EpochOfLanes({**self._values, name: value}, self._present)

    def any_nonfinite(self) -> Any:
        found: Any = False
        for name, value in self._values.items():
            found = found | (self.reported((name,)) & ~np.isfinite(value))
        return found


def _names_used(stopper: Stopper, history: History) -> tuple[str, ...]:
    """The metrics that the lanes must hold: all of them, where a rule asks for any metric."""
    waiting: list[Rule] = [stopper.stop, stopper.save]
    while waiting:
        rule = waiting.pop()
        if rule.looks_at_any_metric:
            return tuple(history.metrics)
        waiting.extend(rule.parts)
    return tuple(dict.fromkeys(stopper.stop.all_needs + stopper.save.all_needs))


def _require_all(stopper: Stopper, history: History, epochs: npt.NDArray[np.int64]) -> None:
    """In "raise" mode: no epoch that a live run would have taken may lack a metric."""
    before_the_stop = np.arange(history.epochs) < epochs[:, None]
    for name in dict.fromkeys(stopper.stop.all_needs + stopper.save.all_needs):
        gaps = before_the_stop & ~history.reported(name)
        if gaps.any():
            run, epoch = (int(place) for place in np.argwhere(gaps)[0])
            there = history.records(run)[epoch]
            raise MissingMetricError(
                f"no metric {name!r} at epoch {epoch} of {history.names[run]!r}: "
                f'{name_advice(name, there)} (on_missing="skip" lets rules pass such epochs over)'
            )
