"""`replay`: the decisions that rules would have taken over logged runs.

The rules' own `step` runs over all runs at once, one lane a run, epoch by epoch; few runs go
through a `Stopper` one by one, which is faster there. It is the same `step` either way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import MissingMetricError, RuleTypeError, name_advice
from .history import Bools, Floats, History
from .rule import Rule, advance
from .stopper import Decision, Stopper
from .trace import OnMissing

__all__ = ["Replay", "replay"]

# Below so many runs a lane costs more than a step of the live loop.
_FEW_RUNS = 24
# Epochs that are turned epoch-major at a time: reads stay in the cache, memory stays small.
_BLOCK = 64


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
    """All runs at once, epoch by epoch."""
    epochs = history.lengths.copy()
    stopped = np.zeros(history.runs, dtype=np.bool_)
    saved_epoch = np.full(history.runs, -1, dtype=np.int64)
    stop_state, save_state = stopper.stop.init(), stopper.save.init()
    lanes = _Lanes(history, _names_used(stopper, history))
    with np.errstate(all="ignore"):
        for epoch in range(history.epochs):
            running = (history.lengths > epoch) & ~stopped
            if not running.any():
                break
            lanes.go_to(epoch)
            stop_state, stops = advance(stopper.stop, stop_state, lanes, epoch)
            save_state, saves = advance(stopper.save, save_state, lanes, epoch)
            saved_epoch[running & saves] = epoch
            ends = running & stops
            epochs[ends] = epoch + 1
            stopped |= ends
    return epochs, stopped, saved_epoch


def _names_used(stopper: Stopper, history: History) -> tuple[str, ...]:
    """The metrics that the lanes must hold: all of them, where a rule asks for any metric."""
    waiting: list[Rule] = [stopper.stop, stopper.save]
    while waiting:
        rule = waiting.pop()
        if rule.looks_at_any_metric:
            return tuple(history.metrics)
        waiting.extend(rule.parts)
    return tuple(dict.fromkeys(stopper.stop.all_needs + stopper.save.all_needs))


class _Lanes:
    """The metrics of one epoch, one lane a run; to a rule they look like those of a live epoch."""

    def __init__(self, history: History, names: tuple[str, ...]) -> None:
        self._history, self._names = history, names
        self._present_in = {n: history.reported(n) for n in names if history.has_gaps(n)}
        self._start = -_BLOCK
        self._values: dict[str, Floats] = {}
        self._present: dict[str, Bools] = {}
        self._shown: dict[str, Any] = {}
        self._epoch = 0

    def go_to(self, epoch: int) -> None:
        if not self._start <= epoch < self._start + _BLOCK:
            self._start = epoch
            block = slice(epoch, epoch + _BLOCK)
            for name in self._names:
                values = self._history.metrics[name][:, block]
                self._values[name] = np.array(values.T, dtype=np.float64, order="C")
            for name, present in self._present_in.items():
                self._present[name] = np.array(present[:, block].T, order="C")
        self._epoch = epoch - self._start

    def __getitem__(self, name: str) -> Any:
        return self._shown[name] if name in self._shown else self._values[name][self._epoch]

    def reported(self, names: tuple[str, ...]) -> Any:
        present: Any = True
        for name in names:
            if name in self._present:
                present = present & self._present[name][self._epoch]
        return present

    def replaced(self, name: str, value: Any) -> _Lanes:
        other = _Lanes.__new__(_Lanes)
        other.__dict__.update(self.__dict__, _shown={**self._shown, name: value})
        return other

    def any_nonfinite(self) -> Any:
        found: Any = False
        for name in self._names:
            found = found | (self.reported((name,)) & ~np.isfinite(self[name]))
        return found


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
