"""The plan of a sweep: which settings share their work.

Settings that differ only in one patience are a family, answered by intervals; families of the same
metric and the same rule beside it share one scan. All other settings are stepped, several rules in
one pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..history import History
from ..language.rule import AnyOf, Rule
from ..language.settings import Count, validated
from ..replaying.batches import Runs, run_numbers, split_to_fit
from ..replaying.patience.scan import scan_patience, split_by_missing, split_patience
from ..replaying.tuning import DEFAULT, Tuning
from ..rules import ELAPSED, Best, Patience
from .by_interval import IntervalOutcome, PatienceFamily
from .by_stepping import SteppedOutcome
from .grid import Axis, apply_settings, child_at, walk

__all__ = ["FamilyGroup", "Outcome", "Plan", "RuleGroup", "Task", "default_best", "plan_sweep"]

Ints = npt.NDArray[np.int64]
Item = TypeVar("Item")

Outcome = IntervalOutcome | SteppedOutcome
# Finds out what some settings did on some runs, part by part.
Task = Callable[[], Iterator[tuple[Runs, Outcome]]]


@dataclass(frozen=True)
class RuleGroup:
    """Rules, each with the number of its setting, that are stepped in one pass over a batch."""

    best: Best
    rules: list[tuple[Rule, int]]
    tuning: Tuning = DEFAULT

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
    """Families that share one scan of a batch."""

    best: Best
    rest: Rule
    families: list[PatienceFamily]
    tuning: Tuning = DEFAULT

    @property
    def settings(self) -> int:
        """How many settings there are."""
        return sum(len(family.values) for family in self.families)

    def tasks(self, history: History, runs: Runs) -> Iterator[Task]:
        """The work on these runs. Runs with gaps are stepped."""
        monitors = [self.best.monitor, *(family.rule.monitor for family in self.families)]
        whole, lacking = split_by_missing(monitors, history, runs)
        few = self.tuning.few_steps
        if whole is not None and len(run_numbers(whole)) * self.settings < few:
            whole, lacking = None, runs  # stepping run by run is cheaper
        if whole is not None:
            yield functools.partial(self._scan, history, whole)
        if lacking is not None:
            rules = [rule for family in self.families for rule in family.rules()]
            for some in _chunks(rules, self.tuning.rules_together):
                yield from RuleGroup(self.best, some, self.tuning).tasks(history, lacking)

    def _scan(self, history: History, runs: Runs) -> Iterator[tuple[Runs, IntervalOutcome]]:
        rules = [family.rule for family in self.families]
        scans = scan_patience(rules, self.rest, self.best, history, runs, tuning=self.tuning)
        for part, scan in scans:
            yield part, IntervalOutcome(self.families, self.best, scan, self.tuning)


class Plan(NamedTuple):
    """Groups of settings that share work.

    required: the metrics that must be reported somewhere, each with the rule that reads it.
    """

    groups: list[FamilyGroup | RuleGroup]
    required: dict[str, str]


def default_best(rule: Rule) -> Best:
    """The plain best of the first metric that a rule monitors, in a direction if it has one.

    Raises RuleError for a rule that monitors none.

    >>> from earlystop import MaxEpochs, Patience
    >>> default_best(MaxEpochs(9) | Patience("val_loss"))
    Best('val_loss', mode='min')
    """
    monitoring = [part.settings for part in walk(rule) if "monitor" in part.settings]
    for settings in sorted(monitoring, key=lambda settings: "mode" not in settings):
        if settings["monitor"] != ELAPSED:
            return Best(settings["monitor"], mode=settings.get("mode", "auto"))
    raise RuleError(
        f"`sweep`: {rule!r} does not say which metric is to be best: pass save=Best('val_loss')"
    )


def plan_sweep(
    rule: Rule,
    axes: Mapping[str, Axis],
    settings: list[dict[str, Any]],
    best: Best | None,
    tuning: Tuning = DEFAULT,
) -> Plan:
    """Group the settings of a grid by the work that they share.

    best: says which epoch is best; None: the default of each rule.
    """
    patience_axis = _patience_axis(rule, axes)
    values, rows = _by_patience(axes, len(settings), patience_axis)
    required: dict[str, str] = {}
    families: dict[tuple[Best, Rule, Patience], list[tuple[Ints, Ints]]] = {}
    stepped: dict[Best, list[tuple[Rule, int]]] = {}
    for row in rows:  # its settings differ in that patience alone
        first = apply_settings(rule, axes, settings[row[0]])
        row_best = default_best(first) if best is None else best
        for each in (first, row_best):
            for name in each.all_metrics:
                required.setdefault(name, repr(each))
        split = None if patience_axis is None else split_patience(first)
        if split is None:
            rules = ((apply_settings(rule, axes, settings[n]), n) for n in row.tolist())
            stepped.setdefault(row_best, []).extend(rules)
        else:
            key = (row_best, split[0], split[1].replace(patience=0))
            families.setdefault(key, []).append((values, row))
    groups = [*_family_groups(families, tuning)]
    groups += [
        RuleGroup(each, some, tuning)
        for each, rules in stepped.items()
        for some in _chunks(rules, tuning.rules_together)
    ]
    return Plan(groups, required)


def _by_patience(axes: Mapping[str, Axis], settings: int, axis: str | None) -> tuple[Ints, Any]:
    """The values of the patience axis, and the settings with a row for each other combination."""
    if axis is None:
        return np.zeros(1, dtype=np.int64), np.arange(settings).reshape(-1, 1)
    sizes = [len(each.values) for each in axes.values()]
    numbers = np.arange(settings).reshape(sizes)
    values = [_patience(value) for value in axes[axis].values]
    rows = np.moveaxis(numbers, list(axes).index(axis), -1).reshape(-1, len(values))
    return np.array(values, dtype=np.int64), rows


def _patience(value: Any) -> int:
    """A value of patience, validated; the usual ones quickly, since there may be thousands."""
    if type(value) is int and 0 <= value < 2**31:
        return value
    checked: int = validated(Count, value, "Patience(patience=...)")
    return checked


def _family_groups(
    families: Mapping[tuple[Best, Rule, Patience], list[tuple[Ints, Ints]]], tuning: Tuning
) -> Iterator[FamilyGroup | RuleGroup]:
    sharing: dict[tuple[Best, Rule], list[PatienceFamily]] = {}
    for (best, rest, rule), members in families.items():
        values, row = (np.concatenate(part) for part in zip(*members, strict=True))
        rising = np.argsort(values, kind="stable")
        family = PatienceFamily(rule, rest, values[rising], row[rising])
        sharing.setdefault((best, rest), []).append(family)
    for (best, rest), own in sharing.items():
        for some in _chunks(own, tuning.families_together):
            yield FamilyGroup(best, rest, some, tuning)


def _patience_axis(rule: Rule, axes: Mapping[str, Axis]) -> str | None:
    """The axis that is the patience of the rule, or of a member of an any-of."""
    for name, axis in axes.items():
        at_hand = not axis.path or (len(axis.path) == 1 and type(rule) is AnyOf)
        if axis.field == "patience" and at_hand and type(child_at(rule, axis.path)) is Patience:
            return name
    return None


def _chunks(items: list[Item], size: int) -> Iterator[list[Item]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
