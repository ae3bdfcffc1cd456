"""`Sweep`: what every setting in a grid would have done on every run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._plots import plotter, shown
from ..errors import HistoryError
from ..history import Bools
from ..language.positions import CHECKS, EPOCH
from ..language.rule import Rule
from ..replaying.batches import Runs, subset
from ..replaying.exact_sum import ExactSums
from ..replaying.positions import whole
from ..replaying.tuning import Tuning
from .arrow import arrow_stream
from .columns import Column, empty_columns
from .groups import Outcome
from .jobs import SweepJob
from .knee import find_knee
from .places import Places
from .plan import Plan
from .quantiles import quantiles, share_of
from .totals import Totals, sums_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Sweep"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Sweep:
    """What every setting in a grid would have done on every run.

    settings: a list of dicts, the product of the grid in its order.
    monitors: the metrics by which the best check is found; usually one.
    unit: the unit of cost: of `mean_used`, `logged` and `share_saved`.
    checks, epochs, stopped, best_check, best_epoch, best, regret: arrays of shape (settings, runs),
        computed on first use. The summaries (`mean_epochs`, ...) do not need them.

    >>> from earlystop import History, Patience, sweep
    >>> table = sweep(Patience("loss"), History({"loss": [[3.0, 4.0, 1.0]]}), patience=[1, 2])
    >>> table
    Sweep(Patience('loss', mode='min'): 2 settings of patience, 1 run)
    >>> table.best.tolist(), table.share_saved.round(2).tolist()
    ([[3.0], [1.0]], [0.33, 0.0])
    >>> table.to_dict()["mean_regret"]
    [2.0, 0.0]
    """

    def __init__(
        self, rule: Rule, settings: list[dict[str, Any]], job: SweepJob, unit: str | None = None
    ) -> None:
        self._set(rule, settings, job.plan, job.tuning)
        self._job = job
        self._kept: list[tuple[Runs, Outcome]] | None = []
        kept_bytes = 0
        for runs, outcome in job.outcomes():
            outcome.add_to(self.totals)
            kept_bytes += outcome.nbytes
            if kept_bytes > self._tuning.kept_bytes:
                self._kept = None
            if self._kept is not None:
                self._kept.append((runs, outcome))
            del outcome
        self._places = job.places
        self.unit = self._places.default_unit() if unit is None else unit
        self.logged: Floats = self._places.logged(self.unit).values()

    def _set(self, rule: Rule, settings: list[dict[str, Any]], plan: Plan, tuning: Tuning) -> None:
        """Set what does not depend on the runs."""
        self.rule, self.settings, self.monitors = rule, settings, plan.monitors
        self._tuning, self.totals = tuning, Totals(len(settings))
        self._summed: dict[str, Floats] = {}

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the runs; a run without a name is called "run" and its number."""
        return self._job.names_of_runs()

    @functools.cached_property
    def lengths(self) -> Ints:
        """The length of every run, shape (runs,)."""
        return np.concatenate(self._job.lengths)

    def positions(self) -> Places:
        """Where the checks stand."""
        return self._places

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self.lengths)

    def __len__(self) -> int:
        return len(self.settings)

    def __repr__(self) -> str:
        axes = ", ".join(self.settings[0])
        settings = f"{len(self)} setting{'s' if len(self) != 1 else ''}"
        runs = f"{self.runs} run{'s' if self.runs != 1 else ''}"
        return f"Sweep({self.rule!r}: {settings} of {axes}, {runs})"

    def _repr_html_(self) -> str:
        return shown("sweep_html", self)

    def columns(self, wanted: range) -> Iterator[tuple[int, Runs, Column]]:
        """What each of these settings did; yields (setting, runs, column) for some runs at a time.

        Raises HistoryError if the outcomes were too large to keep and cannot be computed again.
        """
        if self._kept is None and not self._job.repeatable:
            raise HistoryError(
                "the histories came from an iterator, which is exhausted, and the outcomes of the "
                "runs were too large to keep: for arrays and quantiles pass `sweep` a list, or an "
                "object that can be iterated over again"
            )
        for runs, outcome in self._job.outcomes() if self._kept is None else self._kept:
            for setting, lanes, column in outcome.columns(wanted):
                yield setting, subset(runs, lanes), column

    def _filled(self, dtype: Any, what: Callable[[int, Runs, Column], Any]) -> Any:
        """An array of shape (settings, runs), filled with what `what` makes of each column."""
        table = np.empty((len(self.settings), self.runs), dtype=dtype)
        for setting, runs, column in self.columns(range(len(self.settings))):
            table[setting, runs] = what(setting, runs, column)
        return table

    @functools.cached_property
    def _arrays(self) -> Column:
        """The columns of all settings: arrays of shape (settings, runs)."""
        table = empty_columns(len(self.settings), self.runs)
        for setting, runs, column in self.columns(range(len(self.settings))):
            for array, part in zip(table, column, strict=True):
                array[setting, runs] = part
        return table

    @property
    def checks(self) -> Ints:
        """How many checks each run would have taken, shape (settings, runs), int64."""
        return self._arrays.checks

    @functools.cached_property
    def epochs(self) -> Any:
        """How many epochs each run would have lasted, shape (settings, runs); see `Replay`."""
        return self.amounts(EPOCH)

    def amounts(self, unit: str) -> Any:
        """How much of a unit each run would have taken, shape (settings, runs); NaN where unknown.

        Integers for checks, and for other units if all amounts are whole. Raises MissingMetricError
        for an unknown unit, HistoryError for one that falls within a run.
        """
        if self.positions().are_checks(unit):
            return self.checks
        return whole(self._filled(np.float64, self._amounts_of(unit)))

    def _amounts_of(self, unit: str) -> Callable[[int, Runs, Column], Any]:
        return lambda setting, runs, column: self.positions().amount(
            setting, unit, runs, column.checks
        )

    def best_amounts(self, unit: str) -> Floats:
        """How much of a unit each run takes up to its best check, shape (settings, runs)."""
        amount = self._places.amount
        table: Floats = self._filled(
            np.float64, lambda at, runs, each: amount(at, unit, runs, each.best_check + 1)
        )
        return table

    @functools.cached_property
    def hours(self) -> Floats:
        """The hours each run would have taken, shape (settings, runs); NaN where unknown."""
        hours = self._places.hours
        table: Floats = self._filled(
            np.float64, lambda at, runs, each: hours(at, runs, each.checks)
        )
        return table

    @property
    def stopped(self) -> Bools:
        """Whether the rule ended the run, rather than its log, shape (settings, runs)."""
        return self._arrays.stopped

    @property
    def best_check(self) -> Ints:
        """The best check up to the stop, without a margin, shape (settings, runs); -1 for none."""
        return self._arrays.best_check

    @functools.cached_property
    def best_epoch(self) -> Any:
        """The epoch of the best check, as the log counts it; without epochs, its number."""
        if self.positions().are_checks(EPOCH) and not self.positions().tell_epochs():
            return self.best_check
        of = self.positions().epoch_of
        return whole(self._filled(np.float64, lambda n, runs, each: of(n, runs, each.best_check)))

    @property
    def best(self) -> Floats:
        """The value at the best check, shape (settings, runs); NaN for none."""
        return self._arrays.best

    @property
    def regret(self) -> Floats:
        """How much worse `best` is than the best of the whole log, shape (settings, runs).

        At least 0, in the metric's unit; infinite where a run was stopped before it had any best,
        NaN where its log has none.
        """
        return self._arrays.regret

    @functools.cached_property
    def mean_epochs(self) -> Floats:
        """The mean over runs of the epochs used, shape (settings,)."""
        return self._sums(EPOCH) / self.runs

    @functools.cached_property
    def mean_used(self) -> Floats:
        """The mean over runs of what they use of the unit, shape (settings,)."""
        return self._sums(self.unit) / self.runs

    @functools.cached_property
    def share_saved(self) -> Floats:
        """The share of all that was logged that would have been saved, shape (settings,).

        It is measured in the unit.
        """
        shares: Floats = 1 - self._sums(self.unit) / np.where(self.logged > 0, self.logged, 1)
        return shares

    def _sums(self, unit: str) -> Floats:
        """The sums over runs of what they use of a unit, as far as it is known."""
        if unit not in self._summed:
            self._summed[unit] = self.exact_sums(unit).values()
        return self._summed[unit]

    def exact_sums(self, unit: str) -> ExactSums:
        """For each setting, the sum over runs of what they use of a unit, without rounding."""
        by_checks = self._places.used(unit, self.totals.epochs)
        if by_checks is not None:
            return by_checks
        return sums_of(self.columns, len(self.settings), self._amounts_of(unit))

    @functools.cached_property
    def mean_regret(self) -> Floats:
        """The mean regret over the runs whose log has a best, shape (settings,).

        It is rounded only once, so it does not depend on the order or the batches of runs.
        """
        means = self.totals.mean_regret()
        means.flags.writeable = False
        return means

    @functools.cached_property
    def knee(self) -> int | None:
        """The number of the setting beyond which longer runs bring next to nothing; None for none.

        The cheapest setting has the most to avoid: its mean regret, above the least of all
        settings. The knee is the cheapest setting that avoids all but 1 % of that. If the cheapest
        setting has the least regret, there is no knee. Settings with infinite regret are ignored.

        The knee describes these runs. `advise` says what can be promised of new ones.

        >>> from earlystop import History, Patience, sweep
        >>> history = History({"loss": [[9.0, 5.0, 2.0, 2.1, 1.9, 2.0, 2.0, 2.0, 1.8, 2.0]]})
        >>> sweep(Patience("loss"), history, patience=range(1, 10)).knee
        3
        """
        return find_knee(self.mean_used, self.mean_regret)

    def quantile_epochs(self, q: float) -> Floats:
        """A quantile over runs of the epochs used, shape (settings,).

        Raises RuleError if `q` is not between 0 and 1, and HistoryError as `columns` does.
        """
        return self._quantiles("epochs", q, self._amounts_of(EPOCH))

    def quantile_used(self, q: float) -> Floats:
        """A quantile over runs of what they use of the unit, shape (settings,).

        Raises what `quantile_epochs` raises.
        """
        return self._quantiles("used", q, self._amounts_of(self.unit))

    def quantile_regret(self, q: float) -> Floats:
        """A quantile of the regret over the runs whose log has a best, shape (settings,).

        Raises RuleError if `q` is not between 0 and 1, and HistoryError as `columns` does.
        """
        return self._quantiles("regret", q, lambda setting, runs, column: column.regret)

    def _quantiles(self, name: str, q: float, what: Callable[[int, Runs, Column], Any]) -> Floats:
        share, shape, most = share_of(q, name), (len(self), self.runs), self._tuning.quantile_bytes
        return quantiles(self.columns, shape, share, what, most)

    def plot(self, *, band: tuple[float, float] | None = (0.1, 0.9), ax: Any = None) -> Figure:
        """Plot the trade-off: mean regret over the mean of what is used, with the knee marked.

        Each line follows the grid axis with the most values, with one line per combination of the
        other axes. For more than seven combinations, settings are dots, and one line connects those
        that no other setting beats in both use and regret.

        band: quantiles over runs between which the regret is shaded; None for no band.
        ax: matplotlib axes to draw on instead of a new figure.

        Returns the matplotlib figure: `table.plot().savefig("picture.png")`.

        Raises RuleError for invalid arguments, ImportError without matplotlib, and HistoryError for
        a band if quantiles are unavailable (see `sweep`).

        >>> from earlystop import History, Patience, sweep
        >>> table = sweep(Patience("loss"), History({"loss": [3.0, 4.0, 1.0]}), patience=[1, 2])
        >>> table.plot().axes[0].get_xlabel()
        'mean checks used'
        """
        draw: Callable[..., Figure] = plotter("plot_sweep")
        return draw(self, band=band, ax=ax)

    def to_dict(self) -> dict[str, list[Any]]:
        """One row per setting, as columns: the settings, mean epochs, share saved, mean regret.

        Where cost is measured in another unit than epochs, also the mean of that.
        To get a data frame, call `pandas.DataFrame(table.to_dict())`. Libraries that read Arrow
        data accept the sweep directly: `polars.DataFrame(table)`, `pyarrow.table(table)`,
        `pandas.DataFrame.from_arrow(table)` (pandas 3 or later).
        """
        columns: dict[str, list[Any]] = {
            name: [setting[name] for setting in self.settings] for name in self.settings[0]
        }
        columns["mean_epochs"] = self.mean_epochs.tolist()
        if self.unit not in (CHECKS, EPOCH):
            columns[f"mean_{self.unit}"] = self.mean_used.tolist()
        for name in ("share_saved", "mean_regret"):
            columns[name] = getattr(self, name).tolist()
        return columns

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """`to_dict` as Arrow data, which lets `polars.DataFrame(table)` work.

        Rules among the settings become text. Raises ImportError if pyarrow is not installed.
        """
        return arrow_stream(self.to_dict(), requested_schema)
