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

from . import lanes as lanes_module
from .compiled import LaneProgram
from .errors import MissingMetricError, RuleTypeError, name_advice
from .history import Bools, History
from .lanes import Lanes, PlainSteps, program_for
from .rule import Rule
from .stopper import Decision, Stopper
from .trace import OnMissing

__all__ = ["Replay", "replay", "require_all"]

# Below so many runs a lane costs more than a step of the live loop.
_FEW_RUNS = 24


@dataclass(frozen=True, eq=False, repr=False)
class Replay:
    """What a stop rule and a save rule would have done on every run of a history.

    epochs: shape (runs,), int64: how many epochs each run would have lasted.
    stopped: shape (runs,), bool: the stop rule ended it; else its log did.
    saved_epoch: shape (runs,), int64: the last epoch saved, counted from 0; -1 for none.
    stop, save, on_missing, history: what was replayed.

    >>> from earlystop import History, MaxEpochs, replay
    >>> result = replay(MaxEpochs(2), History({"loss": [[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]}))
    >>> result
    Replay(MaxEpochs(2): 2 of 2 runs stopped, 4 of 6 epochs used)
    >>> len(result), result.decisions("run 1")[1].reason
    (2, '2 epochs have been run')
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
        for metrics in self.history.iter_records(run):
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
        require_all(stopper.stop.all_needs + stopper.save.all_needs, history, epochs)
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
        for metrics in history.iter_records(run):
            skipping.step(metrics)
            if skipping.stopped:
                break
        epochs[run], stopped[run] = skipping.epoch, skipping.stopped
        saved_epoch[run] = -1 if skipping.best_epoch is None else skipping.best_epoch
    return epochs, stopped, saved_epoch


def _in_lanes(stopper: Stopper, history: History) -> Arrays:
    """Many runs at once, epoch by epoch."""
    program = program_for((stopper.stop, stopper.save), history)
    epochs = history.lengths.copy()
    stopped = np.zeros(history.runs, dtype=np.bool_)
    saved_epoch = np.full(history.runs, -1, dtype=np.int64)
    with np.errstate(all="ignore"):
        for first in range(0, history.runs, lanes_module.LANES):
            lanes = Lanes(history, slice(first, first + lanes_module.LANES))
            _run_lanes(program, lanes, (epochs, stopped, saved_epoch))
    return epochs, stopped, saved_epoch


def _run_lanes(program: LaneProgram | PlainSteps, lanes: Lanes, results: Arrays) -> None:
    """Take the decisions on some runs, and write them to the results."""
    epochs, stopped, saved_epoch = results
    saved = np.full(len(lanes), -1, dtype=np.int32)
    ended: Any = None  # which lanes the stop rule has ended; None: none
    program.start(len(lanes), lanes.longest)
    for block in lanes.blocks():
        if ended is not None:
            left = np.flatnonzero(~ended & (lanes.lengths > 0))
            if not len(left):
                break
            if len(left) < len(lanes) * lanes_module.DENSE:  # the others cost, and change nothing
                saved_epoch[lanes.runs] = saved
                saved, ended = saved[left], None
                lanes.keep(left)
                program.keep(left)
        for epoch in block:
            stops, saves = program(epoch)
            running = epoch.inside
            if ended is not None:
                running = ~ended if running is None else running & ~ended
            if saves is not False:
                np.copyto(saved, epoch.number, where=saves if running is None else saves & running)
            if stops is not False:
                ends = stops if running is None else stops & running
                if np.count_nonzero(ends):
                    ends = np.broadcast_to(ends, len(lanes))
                    epochs[lanes.runs[ends]] = epoch.number + 1
                    stopped[lanes.runs[ends]] = True
                    ended = ends.copy() if ended is None else ended | ends
    saved_epoch[lanes.runs] = saved


def require_all(names: tuple[str, ...], history: History, epochs: npt.NDArray[np.int64]) -> None:
    """In "raise" mode: no epoch that a live run would have taken may lack one of the metrics.

    epochs: shape (runs,): how many each run takes.
    """
    taken = np.arange(history.epochs) < epochs[:, None]
    gaps = {name: taken & ~history.reported(name) for name in names}
    if any(gap.any() for gap in gaps.values()):
        run, epoch = (int(place) for place in np.argwhere(np.any([*gaps.values()], axis=0))[0])
        name = next(name for name, gap in gaps.items() if gap[run, epoch])
        there = history.records(run)[epoch]
        raise MissingMetricError(
            f"no metric {name!r} at epoch {epoch} of {history.names[run]!r}: "
            f'{name_advice(name, there)} (on_missing="skip" lets rules pass such epochs over)'
        )
