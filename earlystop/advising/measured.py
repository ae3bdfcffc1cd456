"""`Measured`: some of the runs that advice rests on, and what each could lose."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from ..history.history import History
from ..language.rule import OnMissing
from ..replaying.checks import Checks, checks_of
from ..rules import Best
from ..sweeping.result import Sweep
from .candidates import Family
from .cost import Cost
from .regret_scale import RegretScale, Unit

__all__ = ["Measured", "Question"]


@dataclass(frozen=True)
class Question:
    """What is asked about runs, wherever they are looked at; it can be pickled.

    unit: what a regret counts in.
    judged: the metrics that the rules and the save judge.
    """

    save: Best
    unit: Unit
    judged: tuple[str, ...]
    on_missing: OnMissing

    def measured(self, history: History, part: int = 0, **options: Any) -> Measured:
        """The runs of a history.

        part: which part of all runs they are. options: those of a sweep over them.
        """
        judged = self.judged if self.on_missing == "skip" else ()
        return Measured(self, checks_of(history, judged), part, options)


class Measured:
    """Some runs, all of which are looked at together.

    checks: their checks. part: which part of all runs they are.
    """

    def __init__(
        self, question: Question, checks: Checks, part: int, options: dict[str, Any]
    ) -> None:
        self.question, self.checks, self.part = question, checks, part
        self._options = options

    @property
    def history(self) -> History:
        """The history of the checks alone."""
        return self.checks.history

    @functools.cached_property
    def scale(self) -> RegretScale:
        """What each run could lose."""
        return RegretScale(self.history, self.question.save, self.question.unit)

    def cost(self, unit: str) -> Cost:
        """What the runs cost, in a unit that all of them tell."""
        return Cost(self.checks, unit)

    def swept(self, family: Family) -> Sweep:
        """What all rules of a family would have done."""
        save, on_missing = self.question.save, self.question.on_missing
        return family.swept(self.history, save, on_missing=on_missing, **self._options)
