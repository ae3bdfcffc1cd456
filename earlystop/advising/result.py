"""`Advice`: which rule to use, what is promised about it, and what that rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._plots import plotter, shown
from .._text import count
from ..language.state import number_to_json
from .findings import Findings, Line, Outcome
from .new_runs import changes_text, check_new_runs
from .text import advice_text, amount_text, guarantee_text
from .watching import PromiseReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..history.history import History

__all__ = ["Advice", "Line", "Outcome", "PromiseReport"]


class Advice(Findings):
    """Which rule to use, what is promised about it, and what that rests on. Made by `advise`.

    rule: for a `Stopper`. It is `Never()` if the promise holds for nothing shorter than training to
        the end; for logs that were stopped early it is then the rule that stopped them.
    monitor, mode: the metric, and whether lower or higher is better.
    max_regret, unit: what a run may lose, and what it counts in: "improvement" (a share of the
        run's own, from its first value to its best), "best" (a share of the magnitude of the best
        value) or "metric".
    bound: for a promise in expectation, the most that a run can lose, or counts as losing.
    at_most, confidence: for a promise with confidence; `at_most` is None for one in expectation.
    promised: the promise that holds for the rule, `max_regret` or `at_most`; 0 if it loses nothing
        anyway.
    outcome: what the rule would have done on the logged runs: `rule`, `regret` (mean), `over` (the
        share of runs that lose more than `max_regret`), `used` (mean) and `saved` (share).
    plain: the same for the plain patience of which as much can be promised; None if there is none,
        or if the advice is one. (To take the better of the two would be to select by these runs.)
    defaults: the same for plain patience of 5, 10 and 20.
    unpromised: if no rule can be promised: the cheapest patience that would have lost no more than
        requested on the logged runs, without a promise.
    runs: how many runs it rests on; of these, `chose` selected the kind of rule, and the others,
        `calibrated`, support the promise.
    left_out: how many runs never reported a number.
    needed: how many runs such a promise takes at all.
    families: how many kinds of rules were considered.
    cost_unit: the unit of cost: "step", "epoch", "checks", "elapsed_seconds" or a metric.
    logged: how much of that the logged runs take on average.
    stopped_by: the rule that seems to have stopped the logs themselves early.
    complete: False if the logs were stopped early; regret then counts from the best found by then.
    quantiles: what runs lose under the rule: the median, 90 %, 95 % and the most.
    best_at: how far into a run its best value stands, on average; 1 is its end.
    warnings: what to know before relying on it.
    lines: the trade-off, along each family.
    stops: after how many checks the rule ends each of the runs, shape (runs,).
    on_missing: what the rules did at checks without their metric.

    >>> from earlystop import History, advise
    >>> falling = [1 / epoch for epoch in range(1, 41)]
    >>> bumps = [5 + 7 * run % 30 for run in range(30)]
    >>> runs = [{"val_loss": [*falling[:bump], *falling[bump - 3 :]]} for bump in bumps]
    >>> advice = advise(History.from_runs(runs), "val_loss", max_regret=0.1)
    >>> advice.rule, advice.promised, advice.runs
    (AdaptivePatience('val_loss', patience=18.0, mode='min'), 0.1, 30)
    """

    def __repr__(self) -> str:
        return f"Advice({self.rule!r}: {guarantee_text(self)}; {count(self.runs, 'run')})"

    def __str__(self) -> str:
        """The answer in full sentences."""
        return advice_text(self)

    def _repr_html_(self) -> str:
        return shown("advice_html", self)

    def amount(self, regret: float) -> str:
        """A regret, with its unit.

        >>> from earlystop import History, advise
        >>> advice = advise(History({"val_loss": [[3.0, 1.0]]}), "val_loss", max_regret=0.1)
        >>> advice.amount(0.025)
        '2.5 % of the improvement'
        """
        return amount_text(self, regret)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON data, without the trade-off; infinities as text."""
        return {
            "rule": repr(self.rule),
            "rule_data": self.rule.to_dict(),
            "monitor": self.monitor,
            "mode": self.mode,
            "max_regret": self.max_regret,
            "unit": self.unit,
            "bound": self.bound,
            "at_most": self.at_most,
            "confidence": self.confidence,
            "promised": self.promised,
            "observed": number_to_json(self.observed),
            "saved": self.saved,
            "outcome": _row(self.outcome),
            "plain": None if self.plain is None else _row(self.plain),
            "defaults": [_row(outcome) for outcome in self.defaults],
            "unpromised": None if self.unpromised is None else _row(self.unpromised),
            "runs": self.runs,
            "chose": self.chose,
            "calibrated": self.calibrated,
            "left_out": self.left_out,
            "needed": self.needed,
            "families": self.families,
            "cost_unit": self.cost_unit,
            "logged": self.logged,
            "stopped_by": None if self.stopped_by is None else repr(self.stopped_by),
            "complete": self.complete,
            "best_at": self.best_at,
            "quantiles": {name: number_to_json(value) for name, value in self.quantiles.items()},
            "warnings": list(self.warnings),
        }

    def check(self, history: History, *, complete: bool = False) -> PromiseReport:
        """Whether new runs look like the old ones, and whether the promise has held so far.

        history: logs of new runs. What a run lost can be seen only if it went on after the rule
            would have stopped it: choose some runs beforehand, and let them go to their end.
        complete: whether all of them went to their end. Otherwise those that end just where the
            rule stops, before the longest, count as stopped by it.

        Returns a `PromiseReport`, to print or to ask: `alike`, `held`. Raises MissingMetricError
        if no run reports the metric, HistoryError if none has a number.

        >>> from earlystop import History, advise
        >>> falling = [1 / epoch for epoch in range(1, 41)]
        >>> runs = [{"val_loss": [*falling[: 5 + run % 30], *falling]} for run in range(90)]
        >>> old, new = History.from_runs(runs[:60]), History.from_runs(runs[60:])
        >>> advice = advise(old, "val_loss", max_regret=0.2)
        >>> report = advice.check(new)
        >>> report.runs, report.alike, report.held
        (30, True, None)
        """
        return check_new_runs(self, history, complete)

    def changes_from(self, earlier: Advice) -> str:
        """What has changed since an earlier advice, in sentences, for logs that grow."""
        return changes_text(self, earlier)

    def plot(self, *, ax: Any = None) -> Figure:
        """The trade-off between cost and regret, with the advice and the usual choices marked.

        ax: matplotlib axes to draw on; a new figure if left out. Returns the figure. Raises
        ImportError without matplotlib (`pip install matplotlib`).
        """
        figure: Figure = plotter("plot_advice")(self, ax=ax)
        return figure


def _row(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON data."""
    numbers = {
        name: number_to_json(value) for name, value in outcome._asdict().items() if name != "rule"
    }
    return {"rule": repr(outcome.rule), "rule_data": outcome.rule.to_dict(), **numbers}
