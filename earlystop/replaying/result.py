"""`Replay`: what rules would have done on every run of a history."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._arguments import argument
from .._plots import Kind, plotter
from ..engine.decision import Decision
from ..engine.stopper import Stopper
from ..errors import RuleError
from ..history import Bools, History
from ..language.rule import OnMissing, Rule
from ..rules import Best, Never
from .checks import Checks
from .decide import decide
from .exact_sum import exact_mean
from .regret import regret_of, values_at

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Replay"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Replay:
    """What a stop rule and a save rule would have done on every run of a history.

    epochs: how many epochs each run would have lasted, shape (runs,), int64.
    stopped: whether the stop rule ended the run, rather than the end of its log, shape (runs,),
        bool.
    saved_epoch: the last epoch saved, counted from 0; -1 for none, shape (runs,), int64.
    stop, save, on_missing, history: the arguments of the replay.
    checks: what was replayed: the rows of the history or, where these are not epochs, those that
        report a metric the rules look at. "Epochs" are these checks.

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
    checks: Checks = field(repr=False)

    @property
    def logged(self) -> npt.NDArray[np.int64]:
        """How many epochs each run logged, shape (runs,)."""
        return self.checks.history.lengths

    @property
    def end_index(self) -> npt.NDArray[np.int64]:
        """The row of the log with which each run would have ended, shape (runs,); -1 for none."""
        return self.checks.rows_at(self.epochs - 1)

    @property
    def saved_index(self) -> npt.NDArray[np.int64]:
        """The row of the log of the last save, shape (runs,); -1 for none.

        >>> from earlystop import EarlyStopping, History, replay
        >>> losses = {"loss": [4.0, 3.0, 2.0], "val_loss": [None, 5.0, 6.0]}
        >>> history = History(losses, coordinates={"step": [10, 20, 30]})
        >>> result = replay(EarlyStopping("val_loss", patience=1), history)
        >>> result.saved_epoch, result.saved_index
        (array([0]), array([1]))
        """
        return self.checks.rows_at(self.saved_epoch)

    def decisions(self, run: int | str) -> list[Decision]:
        """The decisions on one run, given by number or name: exactly those of a live `Stopper`.

        Raises HistoryError for an unknown run.
        """
        stopper = Stopper(self.stop, self.save, on_missing=self.on_missing)
        decisions: list[Decision] = []
        for metrics in self.checks.history.iter_records(run):
            decisions.append(stopper.step(metrics))
            if stopper.stopped:
                break
        return decisions

    @property
    def best(self) -> Floats:
        """The save rule's monitored value at the last saved epoch, shape (runs,).

        NaN where nothing was saved. Raises RuleError if the save rule is not a `Best`.
        """
        runs = np.arange(len(self))
        return values_at(self.history, self._best_rule.monitor, self.saved_index, runs)

    @functools.cached_property
    def whole_log(self) -> Replay:
        """The replay of the same history without stopping, which saves the best of each whole log.

        Values are compared without a margin. Raises RuleError if the save rule is not a `Best`.
        """
        best = self._best_rule.replace(min_delta=0.0)
        outcome = decide(Never(), best, self.checks.history)
        return Replay(*outcome, Never(), best, "skip", self.history, self.checks)

    @functools.cached_property
    def regret(self) -> Floats:
        """How much worse `best` is than the best of the whole log, shape (runs,).

        At least 0, in the metric's unit; infinite where a run was stopped before anything was
        saved, NaN where its log has no best. Raises RuleError if the save rule is not a `Best`.
        """
        return regret_of(self.best, self.whole_log.best, self._best_rule.mode)

    @property
    def share_saved(self) -> float:
        """The share of all logged epochs that would have been saved."""
        return 1 - int(self.epochs.sum()) / max(int(self.logged.sum()), 1)

    @property
    def known_regret(self) -> Floats:
        """The regret of the runs whose log has a best; empty if the save rule is not a `Best`."""
        if not isinstance(self.save, Best):
            return np.empty(0)
        known: Floats = self.regret[~np.isnan(self.regret)]
        return known

    def summary(self) -> dict[str, Any]:
        """What the rule did over all runs, as plain data; None for values that are unknown.

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
            "logged": int(self.logged.sum()),
            "epochs": int(self.epochs.sum()),
            "share_saved": self.share_saved,
            "mean_regret": exact_mean(regret) if len(regret) else None,
            "max_regret": float(regret.max()) if len(regret) else None,
        }

    @property
    def _best_rule(self) -> Best:
        if not isinstance(self.save, Best):
            raise RuleError(
                f"which epoch is best cannot be told by save={self.save!r}: replay with "
                f"{argument('save', Best('val_loss'))}"
            )
        return self.save

    def to_dict(self) -> dict[str, list[Any]]:
        """One row per run, as columns: name, epochs logged and used, stopped, saved epoch.

        With a `Best` as save rule, also the best value and the regret. To get a data frame, call
        `pandas.DataFrame(result.to_dict())`.

        >>> from earlystop import EarlyStopping, History, replay
        >>> history = History({"loss": [[3.0, 4.0, 1.0]]})
        >>> replay(EarlyStopping("loss", patience=1), history).to_dict()
        {'run': ['run 0'], 'logged': [3], 'epochs': [2], 'stopped': [True], 'saved_epoch': [0], \
'best': [3.0], 'regret': [2.0]}
        """
        columns: dict[str, list[Any]] = {"run": list(self.history.names)}
        columns["logged"] = self.logged.tolist()
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
        """Plot what the rule did, optionally next to other rules on the same history.

        One run: its monitor, the best of its log, where each rule stops and what it keeps. Up to 25
        runs: one row per run. More runs: the distributions of epochs used and of regret over the
        runs (with a `Best` as save rule).

        others: replays of other rules on the same history.
        run: the run to plot, by number or name.
        kind: "curve" (one run), "rows" or "distribution"; "auto" chooses as above.
        metrics: further metrics to plot next to the monitor, in "curve".
        labels: names for the rules, one per replay; by default, their `repr`.
        ax: matplotlib axes to draw on instead of a new figure: one; for "rows" one or two; for
            "distribution" two.

        Returns the matplotlib figure: `result.plot().savefig("picture.png")`. Needs matplotlib:
        `pip install matplotlib`.

        Raises RuleError for invalid arguments, HistoryError for an unknown run, MissingMetricError
        for an unknown metric, ImportError without matplotlib.

        >>> from earlystop import EarlyStopping, History, replay
        >>> history = History({"loss": [3.0, 2.0, 2.5, 2.6, 1.0]})
        >>> one, two = (replay(EarlyStopping("loss", patience=n), history) for n in (1, 2))
        >>> figure = one.plot(two)
        >>> figure.axes[0].get_title(loc="left")
        'run 0: 5 epochs logged'
        """
        draw: Callable[..., Figure] = plotter("plot_replays")
        return draw([self, *others], run=run, kind=kind, metrics=metrics, labels=labels, ax=ax)

    def __len__(self) -> int:
        return len(self.epochs)

    def __repr__(self) -> str:
        used, logged = int(self.epochs.sum()), int(self.logged.sum())
        return (
            f"Replay({self.stop!r}: {int(self.stopped.sum())} of {len(self)} runs stopped, "
            f"{used} of {logged} epochs used)"
        )
