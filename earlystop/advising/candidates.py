"""The rules that advice chooses from, in families: rules that are equal but for one patience."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RuleError, RuleTypeError
from ..history.history import History
from ..language.rule import AllOf, AnyOf, Rule
from ..rules import Best, Patience, Smoothed, Warmup
from ..sweeping.grid import Axis, apply_settings, axes_of, child_at
from ..sweeping.sweep import Sweep, sweep
from .presmooth import PresmoothedHistory

__all__ = ["Family", "default_families", "families_of", "patience_values"]

# What the default families try, beside plain patience. A gain of a fixed share of the best value is
# what pays most on logs of many kinds; the others pay on some.
_SHARES = (0.001, 0.003, 0.01, 0.03)
_GROWTHS = (0.1, 0.25)
_WINDOWS = (3, 5)
# A larger patience makes these fire later, or never.
_RISING = (AnyOf, AllOf, Smoothed, Warmup)


@dataclass(frozen=True)
class Family:
    """Rules that differ in one patience: the larger, the later they stop, and the less they lose.

    path: of the part that has the patience, in `rule`. values: of the patience, rising. alone: the
    rule meant, where there is only one, which need not have a patience at all.
    """

    rule: Rule
    path: tuple[int, ...]
    values: tuple[int, ...]
    alone: Rule | None = None

    def member(self, number: int) -> Rule:
        """The rule with one of the values."""
        if self.alone is not None:
            return self.alone
        axis = Axis(self.path, "patience", [])
        return apply_settings(self.rule, {"": axis}, {"": self.values[number]})

    def only(self, number: int) -> Family:
        """The family of one of them."""
        return dataclasses.replace(self, values=(self.values[number],))

    def up_to(self, most: int) -> Family | None:
        """Those whose patience is at most so large; None: there are none."""
        values = tuple(value for value in self.values if value <= most)
        if self.alone is not None or values == self.values:
            return self
        return dataclasses.replace(self, values=values) if values else None

    def swept(self, history: History, judge: Best, **options: Any) -> Sweep:
        """What all of them would have done."""
        presmoothed = PresmoothedHistory.of(self.rule, history, judge)
        if presmoothed is not None:
            return sweep(presmoothed.rule, presmoothed, save=judge, **options, patience=self.values)
        name = ".".join([*map(str, self.path), "patience"])
        grid: dict[str, Any] = {name: self.values}
        return sweep(self.rule, history, save=judge, **options, **grid)

    def __str__(self) -> str:
        if self.alone is not None:
            return repr(self.alone)
        patience = child_at(self.rule, self.path)
        others = {
            name: value
            for name, value in patience.settings.items()
            if name not in ("monitor", "mode", "patience") and value not in (None, 0, False)
        }
        inner = ", ".join(f"{name}={value}" for name, value in others.items())
        if not self.path:
            return inner or "plain patience"
        if type(self.rule) is Smoothed and type(self.rule.rule) is Patience:
            by = f"window={self.rule.window}" if self.rule.window else f"alpha={self.rule.alpha}"
            return ", ".join(["smoothed", by, *([inner] if inner else [])])
        return repr(self.member(0)).replace(f"patience={self.values[0]}", "patience=...")


def patience_values(longest: int) -> list[int]:
    """Values worth trying on runs of so many epochs: all small ones, the others in small steps.

    >>> patience_values(8), patience_values(120)[-6:]
    ([1, 2, 3, 4, 5, 6, 7], [108, 110, 112, 114, 116, 118])
    """
    values, value = [], 1
    while value < longest:
        values.append(value)
        value += max(1, value // 50)
    return values or [1]


def default_families(patience: Patience, longest: int, several: bool) -> list[Family]:
    """Plain patience, and if several may be tried, what often does better.

    Patience goes up to where nothing would be stopped: the longest run has so many epochs.
    """
    values = tuple(patience_values(longest))
    plain = Family(patience, (), values)
    if not several:
        return [plain]
    shares = [patience.replace(min_delta=share, relative=True) for share in _SHARES]
    growing = [patience.replace(growth=growth) for growth in _GROWTHS]
    smoothed = [Smoothed(patience, patience.monitor, window=window) for window in _WINDOWS]
    return [
        plain,
        *(Family(rule, (), values) for rule in (*shares, *growing)),
        *(Family(rule, (0,), values) for rule in smoothed),
    ]


def families_of(candidates: Any, patience: Patience, longest: int, epochs: int) -> list[Family]:
    """The families of the candidates that the user names.

    candidates: values for the fields of a `Patience`, by name, or rules. longest: beyond the
    patience worth trying. epochs: of the longest run.

    Raises RuleError or RuleTypeError for what is neither.
    """
    if isinstance(candidates, Mapping):
        return list(_of_grid(candidates, patience, longest))
    if isinstance(candidates, (Rule, str)) or not isinstance(candidates, Iterable):
        raise RuleTypeError(
            "`advise(candidates=...)` must be values for the fields of Patience, such as "
            '{"patience": range(1, 201), "min_delta": [0, 0.001]}, or several rules, '
            f"got {candidates!r:.80}"
        )
    rules = list(dict.fromkeys(_checked(candidates)))
    if not rules:
        raise RuleError("`advise(candidates=...)` needs at least one rule, got none")
    found: dict[tuple[Rule, tuple[int, ...]], list[int]] = {}
    alone = []
    for rule in rules:
        path = _path_of(rule)
        if path is None:
            alone.append(rule)
            continue
        plain = apply_settings(rule, {"": Axis(path, "patience", [])}, {"": 0})
        found.setdefault((plain, path), []).append(child_at(rule, path).settings["patience"])
    families = [Family(rule, path, tuple(sorted(v))) for (rule, path), v in found.items()]
    return families + [_lone(rule, patience, epochs) for rule in alone]


def _of_grid(grid: Mapping[str, Any], patience: Patience, longest: int) -> Iterator[Family]:
    axes = axes_of(patience, {"patience": patience_values(longest), **grid})
    values = {
        apply_settings(patience, axes, {"patience": value}).settings["patience"]
        for value in axes["patience"].values
    }
    others = [name for name in axes if name != "patience"]
    for setting in itertools.product(*(axes[name].values for name in others)):
        rule = apply_settings(patience, axes, dict(zip(others, setting, strict=True)))
        yield Family(rule, (), tuple(sorted(values)))


def _checked(candidates: Iterable[Any]) -> Iterator[Rule]:
    for rule in candidates:
        if not isinstance(rule, Rule):
            raise RuleTypeError(
                f"`advise(candidates=...)` must be rules, got {rule!r:.80} among them"
            )
        yield rule


def _path_of(rule: Rule) -> tuple[int, ...] | None:
    """Where the patience is that makes the rule stop later, the larger it is."""
    if type(rule) is Patience:
        return ()
    if type(rule) in _RISING:
        for number, part in enumerate(rule.children):
            path = _path_of(part)
            if path is not None:
                return (number, *path)
    return None


def _lone(rule: Rule, patience: Patience, epochs: int) -> Family:
    """The family of one rule: beside it stands a patience that never has a say."""
    both = AnyOf(rule, patience)
    return Family(both, (len(both.children) - 1,), (epochs + 1,), alone=rule)
