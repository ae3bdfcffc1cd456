"""`replay`: the decisions that rules would have taken over logged runs.

The rules' own `step`, written out for arrays (see `compiled.py`), runs over many runs at once, one
lane a run, epoch by epoch; few runs go through a `Stopper` one by one, which is faster there. It is
the same `step` either way.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._parallel import in_order, progress_bar
from ..engine.decision import Decision
from ..engine.scalar import Advance, compile_scalar
from ..engine.stopper import Stopper
from ..errors import MissingMetricError, RuleError, RuleTypeError, name_advice
from ..history.history import Bools, History
from ..language.rule import OnMissing, Rule
from ..language.settings import Positive, validated
from ..language.state import flatten
from ..rules import Best, Never, Patience
from . import batches as lanes_module
from .batches import (
    RunBatch,
    Runs,
    blocks_of,
    in_parts,
    numbers_of,
    part_of,
    program_for,
    slices,
)
from .patience import Waited, grown, scan_patience, split_by_missing, split_patience

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..plotting import Kind

__all__ = ["Replay", "regret_of", "replay", "require_all", "run_by_run", "values_at"]

Floats = npt.NDArray[np.float64]

# So many epochs are searched for gaps at a time.
_LOOKED_THROUGH = 2**20
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

    @property
    def best(self) -> Floats:
        """The value that was kept: of the save rule's monitor, where last saved, shape (runs,).

        NaN where nothing was saved. Raises RuleError if the save rule is no `Best`.
        """
        runs = np.arange(len(self))
        return values_at(self.history, self._judge.monitor, self.saved_epoch, runs)

    @functools.cached_property
    def whole_log(self) -> Replay:
        """The same history with nothing stopped: what there was to be kept, by plain comparison.

        Raises RuleError if the save rule is no `Best`.
        """
        judge = self._judge.replace(min_delta=0.0)
        return replay(Never(), self.history, save=judge)

    @functools.cached_property
    def regret(self) -> Floats:
        """How much worse `best` is than the best of the whole log, shape (runs,).

        At least 0, in the metric's unit; infinite where a run was stopped before anything was
        saved, NaN where its log has no best. Raises RuleError if the save rule is no `Best`.
        """
        return regret_of(self.best, self.whole_log.best, self._judge.mode)

    @property
    def share_saved(self) -> float:
        """The share of all logged epochs that would have been saved."""
        return 1 - int(self.epochs.sum()) / max(int(self.history.lengths.sum()), 1)

    @property
    def known_regret(self) -> Floats:
        """The regret of the runs whose log has a best; of none if the save rule is no `Best`."""
        if not isinstance(self.save, Best):
            return np.empty(0)
        known: Floats = self.regret[~np.isnan(self.regret)]
        return known

    def summary(self) -> dict[str, Any]:
        """What the rule did, over all runs; None for what cannot be told.

        >>> from earlystop import EarlyStopping, History, replay
        >>> history = History({"loss": [[3.0, 4.0, 1.0], [3.0, 2.0, 1.0]]})
        >>> replay(EarlyStopping("loss", patience=1), history).summary()["mean_regret"]
        1.0
        """
        regret = self.known_regret
        return {
            "rule": repr(self.stop),
            "save": repr(self.save),
            "runs": len(self),
            "stopped": int(self.stopped.sum()),
            "logged": int(self.history.lengths.sum()),
            "epochs": int(self.epochs.sum()),
            "share_saved": self.share_saved,
            "mean_regret": math.fsum(regret) / len(regret) if len(regret) else None,
            "max_regret": float(regret.max()) if len(regret) else None,
        }

    @property
    def _judge(self) -> Best:
        if not isinstance(self.save, Best):
            raise RuleError(
                f"which epoch is best cannot be told by save={self.save!r}: replay with "
                "save=Best('val_loss')"
            )
        return self.save

    def to_dict(self) -> dict[str, list[Any]]:
        """One row a run, as columns: name, epochs logged and used, stopped, saved epoch.

        With a `Best` as save rule, the best value and the regret, too. `pandas.DataFrame(
        result.to_dict())` makes a frame of it.

        >>> from earlystop import EarlyStopping, History, replay
        >>> history = History({"loss": [[3.0, 4.0, 1.0]]})
        >>> replay(EarlyStopping("loss", patience=1), history).to_dict()
        {'run': ['run 0'], 'logged': [3], 'epochs': [2], 'stopped': [True], 'saved_epoch': [0], \
'best': [3.0], 'regret': [2.0]}
        """
        columns: dict[str, list[Any]] = {"run": list(self.history.names)}
        columns["logged"] = self.history.lengths.tolist()
        for name in ("epochs", "stopped", "saved_epoch"):
            columns[name] = getattr(self, name).tolist()
        if isinstance(self.save, Best):
            columns |= {"best": self.best.tolist(), "regret": self.regret.tolist()}
        return columns

    def plot(
        self,
        *others: Replay,
        run: int | str | None = None,
        kind: Kind = "auto",
        metrics: Sequence[str] = (),
        labels: Sequence[str] | None = None,
        ax: Any = None,
    ) -> Figure:
        """Draw what the rule did, beside other rules over the same history if there are any.

        One run: its monitor, the best of its log, and where each rule stops and what it keeps. Up
        to 25 runs: a row each. More: how much of the runs each rule uses and gives up, as shares of
        runs; with a `Best` as save rule.

        others: replays of other rules over the very same history.
        run: the one to draw, by number or name.
        kind: "curve" (of one run), "rows" or "distribution"; "auto" as above.
        metrics: others to draw beside the monitor, in "curve".
        labels: what to call the rules, one a replay; as they are written, if left out.
        ax: matplotlib axes to draw on, instead of a new figure: one; for "rows" one or two, for
            "distribution" two.

        Gives the matplotlib figure: `result.plot().savefig("picture.png")`. Needs matplotlib: `pip
        install "earlystop[plot]"`.

        Raises RuleError for arguments that make no sense, HistoryError for a run and
        MissingMetricError for a metric that there is not, ImportError without matplotlib.

        >>> from earlystop import EarlyStopping, History, replay
        >>> history = History({"loss": [3.0, 2.0, 2.5, 2.6, 1.0]})
        >>> one, two = (replay(EarlyStopping("loss", patience=n), history) for n in (1, 2))
        >>> figure = one.plot(two)
        >>> figure.axes[0].get_title(loc="left")
        'run 0: 5 epochs logged'
        """
        from ..plotting import plot_replays

        return plot_replays(
            [self, *others], run=run, kind=kind, metrics=metrics, labels=labels, ax=ax
        )

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
    workers: int = 1,
    progress: bool = False,
) -> Replay:
    """Take the decisions of `stop` and `save` over every run of a history.

    stop: a rule, or a `Stopper`, whose two rules are taken; its state is neither used nor changed.
    save: the rule that says what is kept (never, if left out); not together with a Stopper.
    on_missing: "skip": at an epoch without its metric a rule keeps its state and does not fire.
        "raise": such an epoch is an error, as in a live run.
    workers: threads to work on blocks of some 16,000 runs. The decisions do not depend on it.
        Whether they pay depends on the machine and the rule: `benchmarks/` measures it.
    progress: show a progress bar (needs tqdm: `pip install "earlystop[progress]"`).

    Above the history and the result it takes at most 64 MB with one worker, and about as much more
    for each other. (A single run is not taken in parts.)

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
            "earlystop.History(...) or History.from_runs(...); several histories are for `sweep`"
        )
    stopper = Stopper(rule, save, on_missing=on_missing)  # checks the arguments
    workers = validated(Positive, workers, "replay(workers=...)")
    progress = validated(bool, progress, "replay(progress=...)")
    for part in (stopper.stop, stopper.save):
        history.require(part.all_metrics, repr(part))
    if history.runs < _FEW_RUNS:
        epochs, stopped, saved_epoch = _stepped(stopper, history, progress)
    else:
        epochs, stopped, saved_epoch = _in_blocks(stopper, history, workers, progress)
    if on_missing == "raise":
        needs = stopper.stop.all_metrics + stopper.save.all_metrics
        require_all(needs, history, epochs, slice(0, history.runs))
    return Replay(epochs, stopped, saved_epoch, stopper.stop, stopper.save, on_missing, history)


Arrays = tuple[npt.NDArray[np.int64], Bools, npt.NDArray[Any]]


def _stepped(stopper: Stopper, history: History, progress: bool = False) -> Arrays:
    """All runs, one by one."""
    made = _nothing(history)
    runs = np.arange(history.runs)
    with _bar(history, progress) as done:
        for run, decided in enumerate(run_by_run(stopper.stop, stopper.save, history, runs)):
            for array, value in zip(made, decided, strict=True):
                array[run] = value
            done(1)
    return made


def run_by_run(
    stop: Rule, save: Rule, history: History, runs: npt.NDArray[np.int64]
) -> Iterator[tuple[int, bool, int]]:
    """What is decided on runs, by number, through what a live loop steps by.

    How many epochs each lasts, whether it is stopped, and the last epoch saved, -1 for none.
    """
    needs = stop.all_metrics + save.all_metrics
    whole = all(name in history.metrics and history.gaps(name) is None for name in needs)
    # Where nothing is missing, both ways are one.
    advance = compile_scalar((stop, save), "raise" if whole else "skip")
    start = tuple(flatten((stop.init(), save.init())))
    for run in runs.tolist():
        yield _run(advance, start, history, run)


def _run(
    advance: Advance, state: tuple[Any, ...], history: History, run: int
) -> tuple[int, bool, int]:
    """How many epochs a run lasts, whether it is stopped, and the last epoch saved."""
    done, saved = 0, -1
    metrics: dict[str, float] = {}  # one for all epochs: steps only look at it
    for columns, gaps in history.iter_columns(run):
        names, first = tuple(columns), done
        for epoch, values in enumerate(zip(*columns.values(), strict=True), start=first):
            for name, value in zip(names, values):  # noqa: B905  # as many, and it is the fast way
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


def _in_blocks(stopper: Stopper, history: History, workers: int, progress: bool) -> Arrays:
    """Many runs at once, block by block."""
    tasks = (
        functools.partial(_block, stopper.stop, stopper.save, history, runs)
        for runs in blocks_of(history.runs)
    )
    made = _nothing(history)
    with _bar(history, progress) as advance:
        for parts in in_order(tasks, workers):
            for runs, arrays in parts:
                for array, part in zip(made, arrays, strict=True):
                    array[runs] = part
                advance(len(arrays[0]))
    return made


def _nothing(history: History) -> Arrays:
    """What holds where nothing is stopped or saved."""
    stopped = np.zeros(history.runs, dtype=np.bool_)
    return history.lengths.copy(), stopped, np.full(history.runs, -1, dtype=np.int64)


@contextlib.contextmanager
def _bar(history: History, show: bool) -> Iterator[Callable[[int], Any]]:
    """What to call with how many runs are done."""
    if not show:
        yield lambda runs: None
        return
    with progress_bar("replay", total=history.runs, unit="run") as bar:
        yield bar.update


def _block(stop: Rule, save: Rule, history: History, runs: Runs) -> list[tuple[Runs, Arrays]]:
    """The decisions on some runs, which may be taken in parts."""
    split = split_patience(stop) if type(save) in (Best, Never) else None
    by_steps = functools.partial(_run_lanes, (stop, save), history)
    with np.errstate(all="ignore"):
        if split is None:
            return [*in_parts(by_steps, runs)]
        rest, patience = split
        judge = save if isinstance(save, Best) else Best(patience.monitor, mode=patience.mode)
        whole, others = split_by_missing((patience.monitor, judge.monitor), history, runs)
        made: list[tuple[Runs, Arrays]] = []
        if others is not None:
            made += in_parts(by_steps, others)
        if whole is not None:
            asked = min(max(patience.patience, 1), history.epochs + 1)
            for part, found in scan_patience([patience], rest, judge, history, whole, asked, asked):
                made.append((part, _answers(patience, asked, found)))
                if save == Never():
                    made[-1][1][2].fill(-1)
        return made


def _answers(rule: Patience, patience: int, found: Waited) -> Arrays:
    """What a rule comes to, with this patience."""
    epochs, stopped, saved_epoch = found.epochs, found.stopped, found.best_epoch
    pieces = found.pieces
    pieces = pieces.only((pieces.first <= patience) & (patience <= pieces.last))
    wait = np.maximum(patience, grown(rule, pieces.reference_epoch))
    epochs[pieces.track] = pieces.reference_epoch + wait + 1
    stopped[pieces.track] = True
    saved_epoch[pieces.track] = pieces.best_epoch
    return epochs, stopped, saved_epoch


def _run_lanes(rules: tuple[Rule, Rule], history: History, runs: Runs) -> Arrays:
    """Take the decisions of a stop and a save rule on some runs, by their steps.

    Raises TooManyLanesError.
    """
    program = program_for(rules, history)
    lanes = RunBatch(history, runs, program.metrics)
    epochs, stopped = lanes.lengths.copy(), np.zeros(len(lanes), dtype=np.bool_)
    saved_epoch = np.full(len(lanes), -1, dtype=np.int32)
    ids = np.arange(len(lanes))  # the places in the results of the lanes that are left
    saved = saved_epoch.copy()
    ended: Any = None  # which lanes the stop rule has ended; None: none
    program.start(len(lanes), lanes.longest)
    for block in lanes.blocks():
        if ended is not None:
            left = np.flatnonzero(~ended & (lanes.lengths > 0))
            if not len(left):
                break
            if len(left) < len(lanes) * lanes_module.DENSE:  # the others cost, and change nothing
                saved_epoch[ids] = saved
                ids, saved, ended = ids[left], saved[left], None
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
                    epochs[ids[ends]], stopped[ids[ends]] = epoch.number + 1, True
                    ended = ends.copy() if ended is None else ended | ends
    saved_epoch[ids] = saved
    return epochs, stopped, saved_epoch


def require_all(
    names: tuple[str, ...], history: History, epochs: npt.NDArray[Any], runs: Runs
) -> None:
    """In "raise" mode: no epoch that a live run would have taken may lack one of the metrics.

    runs: which are meant. epochs: how many each of them takes.
    """
    gaps = {name: history.gaps(name) for name in names}
    suspect = [n for n in names if n not in history.metrics or gaps[n] is not None]
    longest = int(epochs.max())
    for some in slices(len(epochs), max(1, _LOOKED_THROUGH // max(longest, 1))):
        rows: Any = part_of(runs, some)
        taken = np.arange(longest) < epochs[some, None]
        lacks = {
            name: taken if (gap := gaps[name]) is None else taken & gap[rows, :longest]
            for name in suspect
        }
        if any(lack.any() for lack in lacks.values()):
            place, epoch = map(int, np.argwhere(np.any([*lacks.values()], axis=0))[0])
            name = next(name for name, lack in lacks.items() if lack[place, epoch])
            run = int(numbers_of(rows)[place])
            there = next(itertools.islice(history.iter_records(run), epoch, None))
            raise MissingMetricError(
                f"no metric {name!r} at epoch {epoch} of {history.names[run]!r}: "
                f'{name_advice(name, there)} (on_missing="skip" lets rules pass such epochs over)'
            )


def values_at(history: History, monitor: str, epochs: Any, runs: Any) -> Floats:
    """The values of a metric at these epochs, one for each run given; NaN for epoch -1."""
    if monitor not in history.metrics:
        return np.full(len(runs), np.nan)
    values: Floats = history.metrics[monitor][runs, np.maximum(epochs, 0)].astype(np.float64)
    values[epochs < 0] = np.nan
    return values


def regret_of(best: Floats, of_log: Floats, mode: str) -> Floats:
    """How much worse `best` is than the best of the log."""
    with np.errstate(invalid="ignore", over="ignore"):  # of infinities and what is far apart
        worse: Floats = best - of_log if mode == "min" else of_log - best
    worse[best == of_log] = 0.0  # infinities, too
    worse[np.isnan(best) & ~np.isnan(of_log)] = np.inf
    return worse
