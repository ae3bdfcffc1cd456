"""The plan of a sweep: which settings share their work.

Settings that differ only in one patience form a family, which is answered by intervals, or, for
`AdaptivePatience`, by its score. Families of plain patience with the same best and the same other
rule share one scan. All other settings are stepped, several rules in one pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._arguments import argument
from ..errors import RuleError
from ..language.config import field_annotations
from ..language.positions import ELAPSED
from ..language.rule import AnyOf, Rule
from ..language.settings import validated
from ..replaying.checks import looked_at
from ..replaying.patience.scan import split_patience
from ..replaying.score.scan import split_adaptive
from ..replaying.tuning import DEFAULT, Tuning
from ..rules import AdaptivePatience, Best, Patience
from .by_interval import PatienceFamily
from .by_score import AdaptiveFamily
from .grid import Axis, apply_settings, child_at, walk
from .groups import FamilyGroup, Group, RuleGroup, ScoreGroup, chunks

__all__ = ["Plan", "default_best", "plan_sweep"]

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[Any]


class _Look(NamedTuple):
    """What rules must have in common to be stepped together: the best, and what they judge."""

    best: Best
    metrics: frozenset[str]


# Families by what they have in common: their values, and the numbers of their settings.
_Families = dict[tuple[_Look, Rule, Patience | AdaptivePatience], list[tuple[Values, Ints]]]


class Plan(NamedTuple):
    """Groups of settings that share work.

    groups: the groups.
    required: the metrics that some epoch must report, each with the `repr` of a rule that reads it.
    units: the metrics in which rules count.
    """

    groups: list[Group]
    required: dict[str, str]
    units: tuple[str, ...]

    @property
    def monitors(self) -> tuple[str, ...]:
        """The metrics by which the best epoch is found."""
        return tuple(dict.fromkeys(group.best.monitor for group in self.groups))


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
    axis = _patience_axis(rule, axes)
    values, rows = _by_patience(rule, axes, len(settings), axis)
    required: dict[str, str] = {}
    units: dict[str, None] = {}
    families: _Families = {}
    stepped: dict[_Look, list[tuple[Rule, int]]] = {}
    for row in rows:  # the settings in a row differ only in the patience
        first = apply_settings(rule, axes, settings[row[0]])
        row_best = default_best(first) if best is None else best
        for reader in (first, row_best):
            for name in reader.all_metrics:
                required.setdefault(name, repr(reader))
        units.update(dict.fromkeys(first.all_units))
        look = _Look(row_best, frozenset(looked_at((first, row_best))))
        split = None if axis is None else _split(first, axes[axis])
        if split is None:
            rules = ((apply_settings(rule, axes, settings[i]), i) for i in row.tolist())
            stepped.setdefault(look, []).extend(rules)
        else:
            key = (look, split[0], split[1].replace(patience=1))
            families.setdefault(key, []).append((values, row))
    groups: list[Group] = [*_family_groups(families, tuning)]
    groups += [
        RuleGroup(*look, chunk, tuning)
        for look, rules in stepped.items()
        for chunk in chunks(rules, tuning.rules_together)
    ]
    return Plan(groups, required, tuple(units))


def _split(rule: Rule, axis: Axis) -> tuple[Rule, Patience | AdaptivePatience] | None:
    """Split a rule into what the patience axis changes, and the rest; None for another form."""
    if type(child_at(rule, axis.path)) is AdaptivePatience:
        return split_adaptive(rule)
    return split_patience(rule)


def _by_patience(
    rule: Rule, axes: Mapping[str, Axis], settings: int, axis: str | None
) -> tuple[Values, Any]:
    """The values of the patience axis, and the numbers of the settings, shape (rows, values).

    Each row is one combination of the other axes.
    """
    if axis is None:
        return np.zeros(1, dtype=np.int64), np.arange(settings).reshape(-1, 1)
    sizes = [len(other.values) for other in axes.values()]
    numbers = np.arange(settings).reshape(sizes)
    kind = type(child_at(rule, axes[axis].path))
    values = [_patience(kind, value) for value in axes[axis].values]
    rows = np.moveaxis(numbers, list(axes).index(axis), -1).reshape(-1, len(values))
    return np.array(values), rows


def _patience(kind: type[Rule], value: Any) -> Any:
    """A validated value of patience; fast for the usual ones, since there may be thousands."""
    if kind is Patience and type(value) is int and 0 <= value < 2**31:
        return value
    if kind is AdaptivePatience and type(value) is float and 0 < value < math.inf:
        return value
    annotation = field_annotations(kind)["patience"]
    return validated(annotation, value, f"{kind.__name__}(patience=...)")


def _family_groups(families: _Families, tuning: Tuning) -> Iterator[FamilyGroup | ScoreGroup]:
    sharing: dict[tuple[_Look, Rule], list[PatienceFamily]] = {}
    for (look, rest, rule), members in families.items():
        values, row = (np.concatenate(part) for part in zip(*members, strict=True))
        order = np.argsort(values, kind="stable")
        values, row = values[order], row[order]
        if isinstance(rule, AdaptivePatience):
            yield ScoreGroup(*look, AdaptiveFamily(rule, rest, values, row), tuning)
        else:
            family = PatienceFamily(rule, rest, values, row)
            sharing.setdefault((look, rest), []).append(family)
    for (look, rest), own in sharing.items():
        for chunk in chunks(own, tuning.families_together):
            yield FamilyGroup(*look, rest, chunk, tuning)


def _patience_axis(rule: Rule, axes: Mapping[str, Axis]) -> str | None:
    """The axis that changes the patience of the rule, or of one rule of an `AnyOf`."""
    for name, axis in axes.items():
        is_top = not axis.path or (len(axis.path) == 1 and type(rule) is AnyOf)
        kind = type(child_at(rule, axis.path))
        if axis.field == "patience" and is_top and kind in (Patience, AdaptivePatience):
            return name
    return None
