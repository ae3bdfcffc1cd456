"""`Replay`: what rules would have done on every run of a history."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._arguments import argument
from .._plots import Kind, plotter, shown
from ..engine.decision import Decision
from ..engine.stopper import Stopper
from ..errors import RuleError
from ..history import Bools, History
from ..language.improvement import Improvement
from ..language.positions import STEP, number_text
from ..language.rule import OnMissing, Rule
from ..language.units import amount_in_words
from ..rules import Best, Never
from ..rules.best import best_of
from .checks import Checks
from .decide import decide
from .exact_sum import exact_mean
from .positions import LoggedPositions
from .regret import regret_of, values_at
from .stepping import steps_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Replay"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Replay:
    """What a stop rule and a save rule would have done on every run of a history.

    checks: how many checks each run would have taken, shape (runs,), int64.
    stopped: whether the stop rule ended the run, rather than the end of its log, shape (runs,),
        bool.
    saved_check: the number of the last check saved, from 0; -1 for none, shape (runs,), int64.
    stop, save, on_missing, history, unit: the arguments of the replay.
    replayed: the checks of the history, and where they stand.

    >>> from earlystop import History, MaxEpochs, replay
    >>> result = replay(MaxEpochs(2), History({"loss": [[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]}))
    >>> result
    Replay(MaxEpochs(2): 2 of 2 runs stopped, 4 of 6 checks used)
    >>> len(result), result.decisions("run 1")[1].reason
    (2, '2 epochs have been run')
    """

    checks: Ints
    stopped: Bools
    saved_check: Ints
    stop: Rule
    save: Rule
    on_missing: OnMissing
    history: History = field(repr=False)
    unit: str
    replayed: Checks = field(repr=False)

    # Where the runs would have ended, and where their best stands --------------------------------

    @functools.cached_property
    def epochs(self) -> Any:
        """How many epochs each run would have lasted, shape (runs,); fractions if the log has some.

        For a run whose log has no epochs, every check is one.
        """
        return self._positions.epochs_after(self.checks)

    @functools.cached_property
    def steps(self) -> Floats:
        """The step at which each run would have ended, shape (runs,); NaN where unknown."""
        return self.stopped_at(STEP)

    @functools.cached_property
    def saved_epoch(self) -> Any:
        """The epoch of the last save, as the log counts it, shape (runs,); -1 for none.

        For a run whose log has no epochs, it is the number of the check.

        >>> from earlystop import EarlyStopping, History, replay
        >>> losses = {"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [None, 5.0, None, 6.0]}
        >>> places = {"epoch": [0, 0, 1, 1], "step": [10, 20, 30, 40]}
        >>> result = replay(
        ...     EarlyStopping("val_loss", patience=1), History(losses, coordinates=places)
        ... )
        >>> result.saved_epoch, result.saved_index, result.saved_check
        (array([0]), array([1]), array([0]))
        >>> result.epochs, result.steps, result.checks
        (array([2]), array([40.]), array([2]))
        """
        return self._positions.epoch_of(self.saved_check)

    def stopped_at(self, name: str) -> Floats:
        """Where each run would have ended, in a coordinate of the log, shape (runs,).

        name: "epoch", "step", "elapsed_seconds", another coordinate, or a metric. A run that does
            not report it has NaN.

        Raises MissingMetricError for an unknown name.
        """
        return self._positions.at(name, self.checks - 1)

    def best_at(self, name: str) -> Floats:
        """Where the last save of each run stands, as `stopped_at`; NaN for none."""
        return self._positions.at(name, self.saved_check)

    @property
    def end_index(self) -> Ints:
        """The row of the log with which each run would have ended, shape (runs,); -1 for none."""
        return self.replayed.rows_at(self.checks - 1)

    @property
    def saved_index(self) -> Ints:
        """The row of the log of the last save, shape (runs,); -1 for none."""
        return self.replayed.rows_at(self.saved_check)

    @property
    def _positions(self) -> LoggedPositions:
        return self.replayed.positions

    # What the runs would have cost ---------------------------------------------------------------

    @functools.cached_property
    def used(self) -> Any:
        """How much of the unit each run would have taken, shape (runs,); NaN where unknown."""
        return self._positions.amount(self.unit, self.checks)

    @functools.cached_property
    def logged(self) -> Any:
        """How much of the unit the checks of each log take, shape (runs,); NaN where unknown."""
        return self._positions.amount(self.unit, self.replayed.history.lengths)

    @property
    def share_used(self) -> Floats:
        """The share of what each run logged that it would have taken, shape (runs,)."""
        shares: Floats = self.used / np.where(self.logged > 0, self.logged, 1)
        return shares

    @functools.cached_property
    def hours(self) -> Floats:
        """The hours each run would have taken, shape (runs,); NaN where its log has no time."""
        return self._positions.hours(self.checks)

    @functools.cached_property
    def hours_logged(self) -> Floats:
        """The hours that the checks of each log take, shape (runs,); NaN where unknown."""
        return self._positions.hours(self.replayed.history.lengths)

    @property
    def share_saved(self) -> float:
        """The share of all that was logged that would have been saved, measured in the unit."""
        return float(1 - total(self.used) / (total(self.logged) or 1))

    def decisions(self, run: int | str) -> list[Decision]:
        """The decisions on one run, given by number or name: exactly those of a live `Stopper`.

        Raises HistoryError for an unknown run.
        """
        stopper = Stopper(self.stop, self.save, on_missing=self.on_missing)
        decisions: list[Decision] = []
        for step in steps_of(stopper, self.replayed, run):
            decisions.append(stopper.step(step.metrics, **step.place))
            if stopper.stopped:
                break
        return decisions

    @property
    def best(self) -> Floats:
        """The save rule's monitored value at the last saved check, shape (runs,).

        NaN where nothing was saved. Raises RuleError if the save rule has no `Best`.
        """
        runs = np.arange(len(self))
        return values_at(self.history, self._require_best().monitor, self.saved_index, runs)

    @functools.cached_property
    def whole_log(self) -> Replay:
        """The replay of the same history without stopping, which saves the best of each whole log.

        Values are compared without a margin, and a NaN is never the best. Raises RuleError if the
        save rule has no `Best`.
        """
        best = self._require_best().replace(min_delta=0.0, improvement=Improvement())
        outcome = decide(Never(), best, self.replayed.history)
        return Replay(*outcome, Never(), best, "skip", self.history, self.unit, self.replayed)

    @functools.cached_property
    def regret(self) -> Floats:
        """How much worse `best` is than the best of the whole log, shape (runs,).

        At least 0, in the metric's unit; infinite where a run was stopped before anything was
        saved, NaN where its log has no best. Raises RuleError if the save rule has no `Best`.
        """
        return regret_of(self.best, self.whole_log.best, self._require_best().mode)

    @property
    def known_regret(self) -> Floats:
        """The regret of the runs whose log has a best; empty if the save rule has no `Best`."""
        if self.best_rule is None:
            return np.empty(0)
        known: Floats = self.regret[~np.isnan(self.regret)]
        return known

    def summary(self) -> dict[str, Any]:
        """What the rule did over all runs, as plain data; None for values that are unknown.

        unit: of `logged`, `used` and `share_saved`. hours, hours_logged: of the runs whose logs
            have their time.

        >>> from earlystop import EarlyStopping, History, replay
        >>> history = History({"loss": [[3.0, 4.0, 1.0], [3.0, 2.0, 1.0]]})
        >>> replay(EarlyStopping("loss", patience=1), history).summary()["mean_regret"]
        1.0
        """
        regret = self.known_regret
        timed = not np.isnan(self.hours_logged).all()
        return {
            "rule": repr(self.stop),
            "save": repr(self.save),
            "runs": len(self),
            "stopped": int(self.stopped.sum()),
            "unit": self.unit,
            "logged": total(self.logged),
            "used": total(self.used),
            "checks": int(self.checks.sum()),
            "epochs": total(self.epochs),
            "share_saved": self.share_saved,
            "hours_logged": total(self.hours_logged) if timed else None,
            "hours": total(self.hours) if timed else None,
            "mean_regret": exact_mean(regret) if len(regret) else None,
            "max_regret": float(regret.max()) if len(regret) else None,
        }

    @functools.cached_property
    def best_rule(self) -> Best | None:
        """The one `Best` that the save rule is, wraps or combines; None for none or several."""
        return best_of(self.save)

    def _require_best(self) -> Best:
        if self.best_rule is None:
            raise RuleError(
                f"which epoch is best cannot be told by save={self.save!r}: replay with "
                f"{argument('save', Best('val_loss'))}"
            )
        return self.best_rule

    def to_dict(self) -> dict[str, list[Any]]:
        """One row per run, as columns: name, what was logged and used, stopped, saved epoch.

        `logged` and `used` are in `unit`. Where checks are not epochs, also the checks; where the
        log has steps or time, also these. With a `Best` as save rule, also the best value and the
        regret. To get a data frame, call `pandas.DataFrame(result.to_dict())`.

        >>> from earlystop import EarlyStopping, History, replay
        >>> history = History({"loss": [[3.0, 4.0, 1.0]]})
        >>> replay(EarlyStopping("loss", patience=1), history).to_dict()
        {'run': ['run 0'], 'unit': ['checks'], 'logged': [3], 'used': [2], 'epochs': [2], \
'stopped': [True], 'saved_epoch': [0], 'best': [3.0], 'regret': [2.0]}
        """
        columns: dict[str, list[Any]] = {"run": list(self.history.names)}
        columns["unit"] = [self.unit] * len(self)
        for name in ("logged", "used", "epochs", "stopped", "saved_epoch"):
            columns[name] = getattr(self, name).tolist()
        if not np.array_equal(self.epochs, self.checks):
            columns["checks"] = self.checks.tolist()
        if not np.isnan(self.steps).all():
            columns |= {"steps": self.steps.tolist(), "saved_step": self.best_at(STEP).tolist()}
        if not np.isnan(self.hours_logged).all():
            columns |= {"hours_logged": self.hours_logged.tolist(), "hours": self.hours.tolist()}
        if self.best_rule is not None:
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
        runs: one row per run. More runs: the distributions of what is used and of regret over the
        runs (with a `Best` as save rule). Curves are drawn over the log's step, else epoch, else
        row; what is used is measured in the unit.

        others: replays of other rules on the same history.
        run: the run to plot, by number or name.
        kind: "curve" (one run), "rows" or "distribution"; "auto" chooses as above.
        metrics: further metrics to plot next to the monitor, in "curve".
        labels: names for the rules, one per replay; by default, the rules in words.
        ax: matplotlib axes to draw on instead of a new figure: one; for "rows" one or two; for
            "distribution" two.

        Returns the matplotlib figure: `result.plot().savefig("picture.png")`. Needs matplotlib:
        `pip install matplotlib`.

        Raises RuleError for invalid arguments, HistoryError for an unknown run, MissingMetricError
        for an unknown metric, ImportError without matplotlib.

        >>> from earlystop import EarlyStopping, History, replay
        >>> history = History({"loss": [3.0, 2.0, 2.5, 2.6, 1.0]})
        >>> figure = replay(EarlyStopping("loss", patience=1), history).plot()
        >>> figure.axes[0].get_title(loc="left")
        'run 0: patience 1 uses 60 % of 5 checks and gives up 1'
        """
        draw: Callable[..., Figure] = plotter("plot_replays")
        return draw([self, *others], run=run, kind=kind, metrics=metrics, labels=labels, ax=ax)

    def _repr_html_(self) -> str:
        return shown("replay_html", self)

    def __len__(self) -> int:
        return len(self.checks)

    def __repr__(self) -> str:
        used, logged = total(self.used), total(self.logged)
        return (
            f"Replay({self.stop!r}: {int(self.stopped.sum())} of {len(self)} runs stopped, "
            f"{number_text(used)} of {amount_in_words(logged, self.unit)} used)"
        )


def total(amounts: Any) -> Any:
    """The sum of what is known, as a plain number, rounded once; whole numbers stay whole."""
    if amounts.dtype.kind in "iu":
        return amounts.sum().item()
    known = amounts[~np.isnan(amounts)]
    return exact_mean(known, count=1) if len(known) else 0.0
