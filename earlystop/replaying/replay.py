"""`replay`: the decisions that rules would have made on logged runs."""

from __future__ import annotations

import os
from typing import overload

from ..datasets import Dataset
from ..datasets.working import Workers, check_workers
from ..engine.stopper import Stopper
from ..errors import RuleError, RuleTypeError
from ..history import History
from ..language.keywords import by_keyword
from ..language.rule import OnMissing, Rule
from ..language.settings import Positive, validated
from .of_dataset import ReplayTotals, replay_dataset
from .replayed import replayed
from .result import Replay
from .stepping import checks_for

__all__ = ["Replay", "ReplayTotals", "replay", "stopper_of"]


@overload
def replay(
    stop: Rule | Stopper,
    history: History,
    *,
    save: Rule | None = ...,
    on_missing: OnMissing = ...,
    unit: str | None = ...,
    write: None = ...,
    workers: int = ...,
    progress: bool = ...,
) -> Replay: ...


@overload
def replay(
    stop: Rule | Stopper,
    history: Dataset,
    *,
    save: Rule | None = ...,
    on_missing: OnMissing = ...,
    unit: str | None = ...,
    write: str | os.PathLike[str] | None = ...,
    workers: Workers = ...,
    progress: bool = ...,
) -> ReplayTotals: ...


@by_keyword("save")
def replay(
    stop: Rule | Stopper,
    history: History | Dataset,
    *,
    save: Rule | None = None,
    on_missing: OnMissing = "skip",
    unit: str | None = None,
    write: str | os.PathLike[str] | None = None,
    workers: Workers = 1,
    progress: bool = False,
) -> Replay | ReplayTotals:
    """Make the decisions of `stop` and `save` on every run of a history.

    The checks are the rows that report a metric the rules look at. Rows of training losses between
    validations, say, are none. (With on_missing="raise", every row is a check.) Where they stand is
    told by the coordinates `epoch` and `step` of the history, and by elapsed seconds.

    stop: a rule, or a `Stopper`, whose two rules are used; its state is neither used nor changed.
    history: the runs; or a data set, from `scan_history`, whose parts are read and replayed where
        the workers are. Then the result is a `ReplayTotals`: sums over all runs.
    save: the rule that decides which epochs to save; by default, none are. Not allowed with a
        Stopper, which has its own.
    on_missing: "skip": at a check without its metric a rule keeps its state and does not fire.
        "raise": a row without a metric is an error, as a `step` with it would be in a live run.
    unit: the unit of the cost of runs (see `Replay.used`): "checks", "epoch", "step",
        "elapsed_seconds", or a metric that never falls. By default the step, if every run reports
        it, else the epoch, else checks.
    write: for a data set, a new folder for Parquet files with the columns of `Replay.to_dict`, one
        file for each part, written by the workers as parts are done.
    workers: how many threads work on batches of up to about 16,000 runs; for a data set, processes,
        this one among them, or any `concurrent.futures.Executor`. The decisions do not depend on
        it. Whether more threads are faster depends on the machine and the rule; `benchmarks/`
        measures it.
    progress: show a progress bar (needs tqdm: `pip install tqdm`).

    Beyond the history and the result, it needs at most 64 MB of memory per worker. (A single run is
    not split.)

    Raises MissingMetricError for a metric or unit that no row reports, and with "raise" for the
    first row that lacks one; HistoryError for a position or unit that goes back within a run;
    RuleTypeError for arguments that are not rules or not a history.

    >>> from earlystop import EarlyStopping, History, replay
    >>> history = History({"val_loss": [[4.0, 3.0, 3.5, 3.6, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0]]})
    >>> result = replay(EarlyStopping("val_loss", patience=2), history)
    >>> result.epochs, result.stopped, result.saved_epoch
    (array([4, 5]), array([ True, False]), array([1, 4]))
    >>> print(result.decisions(0)[-1])
    epoch 3: stop: val_loss has not improved on 3 (epoch 1) by more than 0 for 2 epochs
    """
    stopper = stopper_of(stop, save, on_missing, "replay")
    if not isinstance(history, (History, Dataset)):
        raise RuleTypeError(
            f"`replay` takes a History, got {type(history).__name__}: wrap the metrics in "
            "earlystop.History(...) or History.from_runs(...); several histories are for `sweep`"
        )
    progress = validated(bool, progress, "replay(progress=...)")
    unit = validated(str | None, unit, "replay(unit=...)")
    if isinstance(history, Dataset):
        anywhere = check_workers(workers, "replay")
        return replay_dataset(stopper, history, on_missing, unit, write, anywhere, progress)
    if write is not None:
        raise RuleError("`replay(write=...)` is for data sets: a Replay has `to_dict`")
    threads = validated(Positive, workers, "replay(workers=...)")
    checks = checks_for(stopper, history)
    return replayed(stopper, checks, on_missing, unit, threads, progress)


def stopper_of(
    stop: Rule | Stopper, save: Rule | None, on_missing: OnMissing, owner: str
) -> Stopper:
    """A new stopper of these rules, or of those of a stopper.

    Raises RuleTypeError for what is no rule, and for a stopper with another save rule.
    """
    if not isinstance(stop, Stopper):
        return Stopper(stop, save, on_missing=on_missing)
    if save is not None:
        raise RuleTypeError(
            f"`{owner}(stop, save=...)`: a Stopper has its own save rule; "
            "to use another, pass `stopper.stop` as the rule"
        )
    return Stopper(stop.stop, stop.save, on_missing=on_missing)
