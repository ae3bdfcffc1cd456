"""`Advice`: which rule to use, what is promised of it, and what that rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._plots import plotter
from .._text import count
from ..language.rule import Rule
from ..language.state import number_to_json
from .regret_scale import Floats, Unit
from .text import advice_text, amount_text, guarantee_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Advice", "Line", "Outcome"]


class Outcome(NamedTuple):
    """What a rule would have done on the logged runs.

    regret: the mean. over: the share of runs that lose more than was asked for. epochs: used, the
    mean. saved: the share of all epochs.
    """

    rule: Rule
    regret: float
    over: float
    epochs: float
    saved: float


class Line(NamedTuple):
    """The trade-off along a family of rules, by rising patience: arrays of shape (settings,)."""

    name: str
    patience: npt.NDArray[np.int64]
    epochs: Floats
    regret: Floats
    over: Floats


@dataclass(frozen=True, repr=False)
class Advice:
    """Which rule to use, what is promised of it, and what that rests on. Made by `advise`.

    rule: for a `Stopper`. It is `Never()` where nothing shorter than training to the end keeps the
        promise, or, for logs that were stopped early, the rule that stopped them.
    monitor, mode: the metric, and whether lower or higher is better.
    max_regret, unit: what was asked for, and what it counts in: "improvement" (a share of the run's
        own, from its first value to its best), "best" (a share of the magnitude of the best value)
        or "metric".
    bound: what a run can lose at most, or counts as losing; of a promise in expectation.
    at_most, confidence: of a promise with confidence; `at_most` is None for one in expectation.
    promised: what the rule keeps to, `max_regret` or `at_most`; 0 where it loses nothing anyway.
    outcome: what the rule would have done on the logged runs: `rule`, `regret` (mean), `over` (the
        share of runs that lose more than `max_regret`), `epochs` (mean) and `saved` (share).
    defaults: the same for plain patience of 5, 10 and 20.
    unpromised: where the promise takes more than there is: the cheapest patience that would have
        kept to it on the logged runs, without a promise.
    runs: how many runs it rests on; of these, `chose` chose the kind of rule, and the others,
        `calibrated`, carry the promise.
    left_out: runs that never reported a number.
    needed: how many runs it takes to carry such a promise at all.
    families: how many kinds of rules there were to choose from.
    stopped_by: the rule by which the logs themselves were stopped early, as it seems.
    complete: False: the logs were stopped early, and regret counts from the best found by then.
    quantiles: what runs lose under the rule: the median, 90 %, 95 % and the most.
    warnings: what to know before relying on it.
    lines: the trade-off, along each family.

    >>> from earlystop import History, advise
    >>> falling = [1 / epoch for epoch in range(1, 41)]
    >>> bumps = [5 + 7 * run % 30 for run in range(30)]
    >>> runs = [{"val_loss": [*falling[:bump], *falling[bump - 3 :]]} for bump in bumps]
    >>> advice = advise(History.from_runs(runs), "val_loss", max_regret=0.1)
    >>> advice.rule, advice.promised, advice.runs
    (Patience('val_loss', patience=1, mode='min'), 0.1, 30)
    """

    rule: Rule
    monitor: str
    mode: str
    max_regret: float
    unit: Unit
    bound: float | None
    at_most: float | None
    confidence: float
    promised: float
    outcome: Outcome
    defaults: tuple[Outcome, ...]
    unpromised: Outcome | None
    runs: int
    chose: int
    left_out: int
    needed: int
    families: int
    logged: float
    stopped_by: Rule | None
    complete: bool
    quantiles: dict[str, float]
    warnings: tuple[str, ...]
    lines: tuple[Line, ...] = field(compare=False)

    @property
    def observed(self) -> float:
        """The mean regret of the rule on the logged runs."""
        return self.outcome.regret

    @property
    def saved(self) -> float:
        """The share of the logged epochs that the rule would have saved."""
        return self.outcome.saved

    @property
    def calibrated(self) -> int:
        """How many runs carry the promise."""
        return self.runs - self.chose

    def __repr__(self) -> str:
        return f"Advice({self.rule!r}: {guarantee_text(self)}; {count(self.runs, 'run')})"

    def __str__(self) -> str:
        """What a person would answer."""
        return advice_text(self)

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

        def row(outcome: Outcome | None) -> dict[str, Any] | None:
            if outcome is None:
                return None
            numbers = {
                name: number_to_json(value)
                for name, value in outcome._asdict().items()
                if name != "rule"
            }
            return {"rule": repr(outcome.rule), "rule_data": outcome.rule.to_dict(), **numbers}

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
            "outcome": row(self.outcome),
            "defaults": [row(outcome) for outcome in self.defaults],
            "unpromised": row(self.unpromised),
            "runs": self.runs,
            "chose": self.chose,
            "calibrated": self.calibrated,
            "left_out": self.left_out,
            "needed": self.needed,
            "families": self.families,
            "logged_epochs": self.logged,
            "stopped_by": None if self.stopped_by is None else repr(self.stopped_by),
            "complete": self.complete,
            "quantiles": {name: number_to_json(value) for name, value in self.quantiles.items()},
            "warnings": list(self.warnings),
        }

    def plot(self, *, ax: Any = None) -> Figure:
        """The trade-off between epochs and regret, with the advice and the usual choices marked.

        ax: matplotlib axes to draw on; a new figure, if left out. Gives the figure. Raises
        ImportError without matplotlib (`pip install "earlystop[plot]"`).
        """
        figure: Figure = plotter("plot_advice")(self, ax=ax)
        return figure
