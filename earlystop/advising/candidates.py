"""The rules that advice selects from, in families: rules that differ only in one dial."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..errors import RuleError, RuleTypeError
from ..history.history import History
from ..language.rule import AllOf, AnyOf, Rule
from ..replaying.checks import looked_at
from ..rules import AdaptivePatience, Best, Patience, Smoothed, Warmup
from ..sweeping.grid import Axis, apply_settings, axes_of, child_at
from ..sweeping.sweep import Sweep, run_sweep
from .presmooth import PresmoothedHistory

__all__ = [
    "DIALS",
    "Family",
    "FamilyName",
    "candidate_metrics",
    "candidate_units",
    "default_families",
    "families_of",
    "patience_values",
    "plain_family",
]

FamilyName = Literal["adaptive", "patience", "all"]

# The dials of `AdaptivePatience` that are tried: 24 a decade, rounded to two digits. They are the
# same for all logs, which the promise rests on. The first fires at once; the last, in runs of up to
# a thousand checks, never.
DIALS = tuple(float(f"{10 ** (step / 24):.2g}") for step in range(6 * 24 + 1))

# What the family "all" tries besides. A minimum gain of a fixed share of the best
# value pays on logs of many kinds; the others pay on some.
_SHARES = (0.001, 0.003, 0.01, 0.03)
_GROWTHS = (0.1, 0.25)
_WINDOWS = (3, 5)
_PATIENCE = (Patience, AdaptivePatience)
# A larger dial inside makes these fire later, or never.
_RISING = (AnyOf, AllOf, Smoothed, Warmup)


@dataclass(frozen=True)
class Family:
    """Rules that differ in one dial: the larger it is, the later they stop.

    path: to the child of `rule` that has the dial; () is the rule itself.
    values: the values of the dial, rising.
    alone: the only rule of the family, which need not have a dial; None for a real family.
    """

    rule: Rule
    path: tuple[int, ...]
    values: tuple[float, ...]
    alone: Rule | None = None

    @property
    def turned(self) -> Rule:
        """The rule that has the dial."""
        return child_at(self.rule, self.path)

    @property
    def dial(self) -> str:
        """The field that is varied."""
        return str(self.turned.dial)

    def member(self, number: int) -> Rule:
        """The rule with the value of this index."""
        if self.alone is not None:
            return self.alone
        return _turned_to(self.rule, self.path, self.values[number])

    def only(self, number: int) -> Family:
        """The family of one rule, by index."""
        return dataclasses.replace(self, values=(self.values[number],))

    def up_to(self, most: int) -> Family | None:
        """The rules whose patience is at most `most`; None if no rule is left."""
        values = tuple(value for value in self.values if value <= most)
        if type(self.turned) is not Patience or self.alone is not None or values == self.values:
            return self
        return dataclasses.replace(self, values=values) if values else None

    def beside(self, rule: Rule) -> Family:
        """The rules, each combined with another one that may stop the run before it."""
        return dataclasses.replace(self, rule=AnyOf(self.rule, rule), path=(0, *self.path))

    def swept(self, history: History, save: Best, **options: Any) -> Sweep:
        """What all rules of the family would have done."""
        presmoothed = PresmoothedHistory.of(self.rule, history, save)
        if presmoothed is not None:
            grid: dict[str, Any] = {"patience": self.values}
            return run_sweep(presmoothed.rule, presmoothed, grid, save=save, **options)
        name = ".".join([*map(str, self.path), self.dial])
        return run_sweep(self.rule, history, {name: self.values}, save=save, **options)

    def __str__(self) -> str:
        if self.alone is not None:
            return repr(self.alone)
        settings, kind = self.turned.settings, type(self.turned)
        defaults: Any = {field.name: field.default for field in dataclasses.fields(cast(Any, kind))}
        others = {
            name: value
            for name, value in settings.items()
            if name not in ("monitor", "mode", self.dial) and value != defaults[name]
        }
        inner = ", ".join(f"{name}={value}" for name, value in others.items())
        if not self.path and kind in _NAMES:
            return inner or _NAMES[kind]
        if type(self.rule) is Smoothed and type(self.rule.rule) is Patience:
            by = f"window={self.rule.window}" if self.rule.window else f"alpha={self.rule.alpha}"
            return ", ".join(["smoothed", by, *([inner] if inner else [])])
        return repr(self.member(0)).replace(f"{self.dial}={self.values[0]!r}", f"{self.dial}=...")


_NAMES: dict[type[Rule], str] = {
    Patience: "plain patience",
    AdaptivePatience: "adaptive patience",
}


def _turned_to(rule: Rule, path: tuple[int, ...], value: float) -> Rule:
    """The rule with another value of the dial at this path."""
    axis = Axis(path, str(child_at(rule, path).dial), [])
    return apply_settings(rule, {"": axis}, {"": value})


def patience_values(longest: int) -> list[int]:
    """Values worth trying on runs of `longest` epochs: all small ones, then in steps of 2 %.

    >>> patience_values(8), patience_values(120)[-6:]
    ([1, 2, 3, 4, 5, 6, 7], [108, 110, 112, 114, 116, 118])
    """
    values, value = [], 1
    while value < longest:
        values.append(value)
        value += max(1, value // 50)
    return values or [1]


def candidate_metrics(candidates: Any) -> tuple[str, ...]:
    """The metrics that candidates judge besides the one that the advice is about."""
    if not isinstance(candidates, (list, tuple)):  # values for the fields of a plain patience
        return ()
    return looked_at(rule for rule in candidates if isinstance(rule, Rule))


def candidate_units(candidates: Any) -> tuple[str, ...]:
    """The metrics in which candidates count."""
    if isinstance(candidates, (list, tuple)):
        rules = (rule for rule in candidates if isinstance(rule, Rule))
        return tuple(unit for rule in rules for unit in rule.all_units)
    units = candidates.get("unit", ()) if isinstance(candidates, Mapping) else ()
    return (units,) if isinstance(units, str) else tuple(map(str, units))


def plain_family(patience: Patience, longest: int) -> Family:
    """Plain patience.

    longest: the number of epochs of the longest run; a patience of that many stops nothing.
    """
    return Family(patience, (), tuple(patience_values(longest)))


def default_families(patience: Patience, longest: int, name: FamilyName) -> list[Family]:
    """The families of this name; see `plain_family` for `longest`."""
    plain = plain_family(patience, longest)
    rule = AdaptivePatience(patience.monitor, patience=1.0, mode=patience.mode)
    adaptive = Family(rule, (), DIALS)
    if name != "all":
        return [adaptive if name == "adaptive" else plain]
    shares = [patience.replace(min_delta=share, relative=True) for share in _SHARES]
    growing = [patience.replace(growth=growth) for growth in _GROWTHS]
    smoothed = [Smoothed(patience, patience.monitor, window=window) for window in _WINDOWS]
    return [
        adaptive,
        plain,
        *(Family(rule, (), plain.values) for rule in (*shares, *growing)),
        *(Family(rule, (0,), plain.values) for rule in smoothed),
    ]


def families_of(candidates: Any, patience: Patience, longest: int, epochs: int) -> list[Family]:
    """The families of the candidates that the user passed.

    candidates: values for the fields of a `Patience`, by name, or rules.
    longest: default values of the patience are below it.
    epochs: the number of epochs of the longest run.

    Raises RuleError or RuleTypeError for anything else.
    """
    if isinstance(candidates, Mapping):
        return list(_grid_families(candidates, patience, longest))
    if isinstance(candidates, (Rule, str)) or not isinstance(candidates, Iterable):
        raise RuleTypeError(
            "`advise(candidates=...)` must be values for the fields of Patience, such as "
            '{"patience": range(1, 201), "min_delta": [0, 0.001]}, or several rules, '
            f"got {candidates!r:.80}"
        )
    rules = list(dict.fromkeys(_checked_rules(candidates)))
    if not rules:
        raise RuleError("`advise(candidates=...)` needs at least one rule, got none")
    found: dict[tuple[Rule, tuple[int, ...]], list[float]] = {}
    alone = []
    a_value: dict[type[Rule], float] = {}  # that stands for all, to compare rules without it
    for rule in rules:
        path = _path_of(rule, _PATIENCE)
        path = _path_of(rule) if path is None else path
        if path is None:
            alone.append(rule)
            continue
        turned = child_at(rule, path)
        value = turned.settings[str(turned.dial)]
        same = _turned_to(rule, path, a_value.setdefault(type(turned), value))
        found.setdefault((same, path), []).append(value)
    families = [Family(rule, path, tuple(sorted(v))) for (rule, path), v in found.items()]
    return families + [_lone(rule, patience, epochs) for rule in alone]


def _grid_families(grid: Mapping[str, Any], patience: Patience, longest: int) -> Iterator[Family]:
    axes = axes_of(patience, {"patience": patience_values(longest), **grid})
    values = {
        apply_settings(patience, axes, {"patience": value}).settings["patience"]
        for value in axes["patience"].values
    }
    others = [name for name in axes if name != "patience"]
    for setting in itertools.product(*(axes[name].values for name in others)):
        rule = apply_settings(patience, axes, dict(zip(others, setting, strict=True)))
        yield Family(rule, (), tuple(sorted(values)))


def _checked_rules(candidates: Iterable[Any]) -> Iterator[Rule]:
    for rule in candidates:
        if not isinstance(rule, Rule):
            raise RuleTypeError(
                f"`advise(candidates=...)` must be rules, got {rule!r:.80} among them"
            )
        yield rule


def _path_of(rule: Rule, kinds: tuple[type[Rule], ...] = ()) -> tuple[int, ...] | None:
    """The path to the first dial that delays the whole rule, the larger it is; None without one.

    kinds: consider only the dials of rules of these classes.
    """
    # A subclass may decide otherwise. A cooldown makes what follows the first firing another.
    of_its_own = vars(type(rule)).get("dial") is not None
    if of_its_own and (not kinds or type(rule) in kinds):
        return () if rule.settings.get("cooldown") is None else None
    if type(rule) in _RISING:
        for number, child in enumerate(rule.children):
            path = _path_of(child, kinds)
            if path is not None:
                return (number, *path)
    return None


def _lone(rule: Rule, patience: Patience, epochs: int) -> Family:
    """The family of one rule: its patience is too large to fire, and only makes it sweepable."""
    both = AnyOf(rule, patience)
    return Family(both, (len(both.children) - 1,), (epochs + 1,), alone=rule)
