"""The plan of a sweep: which settings share their work.

Settings that differ only in one patience form a family, which is answered by intervals. Families
with the same best and the same other rule share one scan. All other settings are stepped, several
rules in one pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from .._arguments import argument
from ..errors import RuleError
from ..history import History
from ..language.positions import ELAPSED
from ..language.rule import AnyOf, Rule
from ..language.settings import Count, validated
from ..replaying.batches import Runs, run_numbers, split_to_fit
from ..replaying.checks import looked_at
from ..replaying.patience.scan import scan_patience, split_patience, split_scannable
from ..replaying.tuning import DEFAULT, Tuning
from ..rules import Best, Patience
from .by_interval import IntervalOutcome, PatienceFamily
from .by_stepping import SteppedOutcome
from .grid import Axis, apply_settings, child_at, walk

__all__ = ["FamilyGroup", "Outcome", "Plan", "RuleGroup", "Task", "default_best", "plan_sweep"]

Ints = npt.NDArray[np.int64]
Item = TypeVar("Item")

Outcome = IntervalOutcome | SteppedOutcome
# Computes what some settings did on some runs, part by part.
Task = Callable[[], Iterator[tuple[Runs, Outcome]]]


@dataclass(frozen=True)
class RuleGroup:
    """Rules that are stepped in one pass over a batch.

    best: decides which epoch is best.
    metrics: the metrics that each of the rules judges, or the best.
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
    metrics: the metrics that each of the rules judges, or the best.
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
        rules = (family.rule for family in self.families)
        whole, lacking = split_scannable(rules, self.best, history, runs)
        few = self.tuning.few_steps
        if whole is not None and len(run_numbers(whole)) * self.settings < few:
            whole, lacking = None, runs  # stepping run by run is cheaper
        if whole is not None:
            yield functools.partial(self._scan, history, whole)
        if lacking is not None:
            stepped = [rule for family in self.families for rule in family.rules()]
            for chunk in _chunks(stepped, self.tuning.rules_together):
                group = RuleGroup(self.best, self.metrics, chunk, self.tuning)
                yield from group.tasks(history, lacking)

    def _scan(self, history: History, runs: Runs) -> Iterator[tuple[Runs, IntervalOutcome]]:
        rules = [family.rule for family in self.families]
        scans = scan_patience(rules, self.rest, self.best, history, runs, tuning=self.tuning)
        for part, scan in scans:
            yield part, IntervalOutcome(self.families, self.best, scan, self.tuning)


class _Look(NamedTuple):
    """What rules must have in common to be stepped together: the best, and what they judge."""

    best: Best
    metrics: frozenset[str]


class Plan(NamedTuple):
    """Groups of settings that share work.

    groups: the groups.
    required: the metrics that some epoch must report, each with the `repr` of a rule that reads it.
    units: the metrics in which rules count.
    """

    groups: list[FamilyGroup | RuleGroup]
    required: dict[str, str]
    units: tuple[str, ...]


def default_best(rule: Rule) -> Best:
    """A plain `Best` of the first metric that a rule monitors.

    Metrics that the rule monitors with a `mode` come first; the elapsed time is ignored.

    Raises RuleError for a rule that monitors no metric.

    >>> from earlystop import MaxEpochs, Patience
    >>> default_best(MaxEpochs(9) | Patience("val_loss"))
    Best('val_loss', mode='min')
    """
    monitoring = [child.settings for child in walk(rule) if "monitor" in child.settings]
    for settings in sorted(monitoring, key=lambda settings: "mode" not in settings):
        if settings["monitor"] != ELAPSED:
            return Best(settings["monitor"], mode=settings.get("mode", "auto"))
    raise RuleError(
        f"`sweep`: {rule!r} does not say which metric should be best: pass "
        f"{argument('save', Best('val_loss'))}"
    )


def plan_sweep(
    rule: Rule,
    axes: Mapping[str, Axis],
    settings: list[dict[str, Any]],
    best: Best | None,
    tuning: Tuning = DEFAULT,
) -> Plan:
    """Group the settings of a grid by the work that they share.

    rule: the rule that the settings change.
    axes: the axes of the grid, by name.
    settings: all settings, in grid order.
    best: decides which epoch is best; by default, `default_best` of each rule.

    Raises RuleError for values that a rule refuses.
    """
    patience_axis = _patience_axis(rule, axes)
    values, rows = _by_patience(axes, len(settings), patience_axis)
    required: dict[str, str] = {}
    units: dict[str, None] = {}
    families: dict[tuple[_Look, Rule, Patience], list[tuple[Ints, Ints]]] = {}
    stepped: dict[_Look, list[tuple[Rule, int]]] = {}
    for row in rows:  # the settings in a row differ only in the patience
        first = apply_settings(rule, axes, settings[row[0]])
        row_best = default_best(first) if best is None else best
        for reader in (first, row_best):
            for name in reader.all_metrics:
                required.setdefault(name, repr(reader))
        units.update(dict.fromkeys(first.all_units))
        look = _Look(row_best, frozenset(looked_at((first, row_best))))
        split = None if patience_axis is None else split_patience(first)
        if split is None:
            rules = ((apply_settings(rule, axes, settings[i]), i) for i in row.tolist())
            stepped.setdefault(look, []).extend(rules)
        else:
            key = (look, split[0], split[1].replace(patience=0))
            families.setdefault(key, []).append((values, row))
    groups = [*_family_groups(families, tuning)]
    groups += [
        RuleGroup(*look, chunk, tuning)
        for look, rules in stepped.items()
        for chunk in _chunks(rules, tuning.rules_together)
    ]
    return Plan(groups, required, tuple(units))


def _by_patience(axes: Mapping[str, Axis], settings: int, axis: str | None) -> tuple[Ints, Any]:
    """The values of the patience axis, and the numbers of the settings, shape (rows, values).

    Each row is one combination of the other axes.
    """
    if axis is None:
        return np.zeros(1, dtype=np.int64), np.arange(settings).reshape(-1, 1)
    sizes = [len(other.values) for other in axes.values()]
    numbers = np.arange(settings).reshape(sizes)
    values = [_patience(value) for value in axes[axis].values]
    rows = np.moveaxis(numbers, list(axes).index(axis), -1).reshape(-1, len(values))
    return np.array(values, dtype=np.int64), rows


def _patience(value: Any) -> int:
    """A validated value of patience; fast for the usual ones, since there may be thousands."""
    if type(value) is int and 0 <= value < 2**31:
        return value
    checked: int = validated(Count, value, "Patience(patience=...)")
    return checked


def _family_groups(
    families: Mapping[tuple[_Look, Rule, Patience], list[tuple[Ints, Ints]]], tuning: Tuning
) -> Iterator[FamilyGroup | RuleGroup]:
    sharing: dict[tuple[_Look, Rule], list[PatienceFamily]] = {}
    for (look, rest, rule), members in families.items():
        values, row = (np.concatenate(part) for part in zip(*members, strict=True))
        order = np.argsort(values, kind="stable")
        family = PatienceFamily(rule, rest, values[order], row[order])
        sharing.setdefault((look, rest), []).append(family)
    for (look, rest), own in sharing.items():
        for chunk in _chunks(own, tuning.families_together):
            yield FamilyGroup(*look, rest, chunk, tuning)


def _patience_axis(rule: Rule, axes: Mapping[str, Axis]) -> str | None:
    """The axis that changes the patience of the rule, or of one rule of an `AnyOf`."""
    for name, axis in axes.items():
        is_top = not axis.path or (len(axis.path) == 1 and type(rule) is AnyOf)
        if axis.field == "patience" and is_top and type(child_at(rule, axis.path)) is Patience:
            return name
    return None


def _chunks(items: list[Item], size: int) -> Iterator[list[Item]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
