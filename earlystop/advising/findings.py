"""The numbers of an answer, without its words: `text.py` puts them into sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy.typing as npt

from ..language.rule import OnMissing, Rule
from .counts import Counts
from .regret_scale import Floats, Unit

__all__ = ["Findings", "Line", "Outcome"]


class Outcome(NamedTuple):
    """What a rule would have done on the logged runs.

    regret: the mean. over: the share of runs that lose more than requested.
    used: what runs take on average, in the unit of cost.
    saved: the share of all that was logged that would have been saved.
    """

    rule: Rule
    regret: float
    over: float
    used: float
    saved: float


class Line(NamedTuple):
    """The trade-off along a family of rules, by rising dial: arrays of shape (settings,)."""

    name: str
    patience: npt.NDArray[Any]
    used: Floats
    regret: Floats
    over: Floats


@dataclass(frozen=True, repr=False)
class Findings:
    """All that `advise` found; `Advice` explains the fields."""

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
    plain: Outcome | None
    defaults: tuple[Outcome, ...]
    unpromised: Outcome | None
    runs: int
    chose: int
    left_out: int
    needed: int
    families: int
    cost_unit: str
    logged: float
    stopped_by: Rule | None
    complete: bool
    quantiles: dict[str, float]
    best_at: float
    warnings: tuple[str, ...]
    lines: tuple[Line, ...] = field(compare=False)
    stops: Counts = field(compare=False)
    on_missing: OnMissing = field(compare=False)

    @property
    def observed(self) -> float:
        """The mean regret of the rule on the logged runs."""
        return self.outcome.regret

    @property
    def saved(self) -> float:
        """The share of all that was logged, in the unit of cost, that the rule would have saved."""
        return self.outcome.saved

    @property
    def calibrated(self) -> int:
        """How many runs support the promise."""
        return self.runs - self.chose
