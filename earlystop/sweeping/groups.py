"""Groups of settings of a sweep that share their work on a batch of runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ..history import History
from ..language.rule import Rule
from ..replaying.batches import Runs, run_numbers, split_to_fit
from ..replaying.patience.scan import scan_patience, split_by_missing, split_scannable
from ..replaying.score.scan import scan_scores
from ..replaying.tuning import DEFAULT, Tuning
from ..rules import Best
from .by_interval import IntervalOutcome, PatienceFamily
from .by_score import AdaptiveFamily, ScoreOutcome
from .by_stepping import SteppedOutcome

__all__ = ["FamilyGroup", "Group", "Outcome", "RuleGroup", "ScoreGroup", "Task", "chunks"]

Item = TypeVar("Item")
Outcome = IntervalOutcome | ScoreOutcome | SteppedOutcome
# Computes what some settings did on some runs, part by part.
Task = Callable[[], Iterator[tuple[Runs, Outcome]]]


@dataclass(frozen=True)
class RuleGroup:
    """Rules that are stepped in one pass over a batch.

    best: decides which epoch is best.
    metrics: the metrics that each of the rules, or the best, judges.
    rules: the rules, each with the number of its setting.
    """

    best: Best
    metrics: frozenset[str]
    rules: list[tuple[Rule, int]]
    tuning: Tuning = DEFAULT

    @property
    def numbers(self) -> list[int]:
        """The numbers of the settings."""
        return [number for _, number in self.rules]

    @property
    def settings(self) -> int:
        """How many settings there are."""
        return len(self.rules)

    def tasks(self, history: History, runs: Runs) -> Iterator[Task]:
        """The work on these runs."""
        yield functools.partial(self._step, history, runs)

    def _step(self, history: History, runs: Runs) -> Iterator[tuple[Runs, SteppedOutcome]]:
        def outcome(part: Runs) -> SteppedOutcome:
            return SteppedOutcome(self.rules, self.best, history, part, self.tuning)

        yield from split_to_fit(outcome, runs)


@dataclass(frozen=True)
class FamilyGroup:
    """Families that share one scan of a batch.

    best: decides which epoch is best.
    metrics: the metrics that each of the rules, or the best, judges.
    rest: the rule that every family combines with its `Patience`, or `Never()`.
    families: the families.
    """

    best: Best
    metrics: frozenset[str]
    rest: Rule
    families: list[PatienceFamily]
    tuning: Tuning = DEFAULT

    @property
    def settings(self) -> int:
        """How many settings there are."""
        return sum(len(family.values) for family in self.families)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the settings."""
        return [number for family in self.families for number in family.settings.tolist()]

    def tasks(self, history: History, runs: Runs) -> Iterator[Task]:
        """The work on these runs. Runs that a scan cannot answer are stepped."""
        patience = (family.rule for family in self.families)
        whole, lacking = split_scannable(patience, self.best, history, runs)
        few = self.tuning.few_steps
        if whole is not None and len(run_numbers(whole)) * self.settings < few:
            whole, lacking = None, runs  # stepping run by run is cheaper
        if whole is not None:
            yield functools.partial(self._scan, history, whole)
        if lacking is not None:
            rules = (rule for family in self.families for rule in family.rules())
            yield from _stepped(self, rules, history, lacking)

    def _scan(self, history: History, runs: Runs) -> Iterator[tuple[Runs, IntervalOutcome]]:
        rules = [family.rule for family in self.families]
        scans = scan_patience(rules, self.rest, self.best, history, runs, tuning=self.tuning)
        for part, scan in scans:
            yield part, IntervalOutcome(self.families, self.best, scan, self.tuning)


@dataclass(frozen=True)
class ScoreGroup:
    """The settings of one `AdaptiveFamily`, which share a scan of a batch.

    best: decides which epoch is best.
    metrics: the metrics that each of the rules, or the best, judges.
    """

    best: Best
    metrics: frozenset[str]
    family: AdaptiveFamily
    tuning: Tuning = DEFAULT

    @property
    def settings(self) -> int:
        """How many settings there are."""
        return len(self.family.values)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the settings."""
        return [*self.family.settings.tolist()]

    def tasks(self, history: History, runs: Runs) -> Iterator[Task]:
        """The work on these runs. Runs with gaps are stepped."""
        monitors = (self.best.monitor, self.family.rule.monitor)
        whole, lacking = split_by_missing(monitors, history, runs)
        if whole is not None and len(run_numbers(whole)) * self.settings < self.tuning.few_steps:
            whole, lacking = None, runs  # stepping run by run is cheaper
        if whole is not None:
            yield functools.partial(self._scan, history, whole)
        if lacking is not None:
            yield from _stepped(self, self.family.rules(), history, lacking)

    def _scan(self, history: History, runs: Runs) -> Iterator[tuple[Runs, ScoreOutcome]]:
        rule, dials, rest = self.family.rule, self.family.values, self.family.rest
        scans = scan_scores(rule, dials, rest, self.best, history, runs, self.tuning)
        for part, scan in scans:
            yield part, ScoreOutcome(self.family, self.best, scan, self.tuning)


Group = FamilyGroup | ScoreGroup | RuleGroup


def _stepped(
    group: FamilyGroup | ScoreGroup,
    rules: Iterable[tuple[Rule, int]],
    history: History,
    runs: Runs,
) -> Iterator[Task]:
    """The work of stepping the rules of a group."""
    for chunk in chunks([*rules], group.tuning.rules_together):
        yield from RuleGroup(group.best, group.metrics, chunk, group.tuning).tasks(history, runs)


def chunks(items: list[Item], size: int) -> Iterator[list[Item]]:
    """The items in order, in lists of at most `size`."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
