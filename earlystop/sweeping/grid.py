"""The grid of a sweep: the fields of a rule that its axes name, and the rules in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import RuleError, RuleTypeError, name_advice
from ..language.rule import Rule

__all__ = ["Axis", "apply_settings", "axes_of", "child_at", "walk"]


class Axis(NamedTuple):
    """One axis of the grid.

    path: the path to the child that it changes: (1,) is the second child, () the rule itself.
    field: the field that it changes.
    values: the values of that field.
    """

    path: tuple[int, ...]
    field: str
    values: list[Any]


def axes_of(rule: Rule, grid: Mapping[str, Iterable[Any]]) -> dict[str, Axis]:
    """The axes of a grid, by name.

    Raises RuleError for an unknown field, for one that several children have, for two axes that
    change the same part of the rule, and for an empty grid; RuleTypeError for values that are not a
    sequence.
    """
    axes = {
        name: Axis(*_axis(rule, name), _axis_values(name, values)) for name, values in grid.items()
    }
    _check_axes(rule, axes)
    if not axes or not all(axis.values for axis in axes.values()):
        raise RuleError(
            "`sweep` needs at least one field, with at least one value each, such as "
            "patience=range(1, 201)"
        )
    return axes


def _paths_to(rule: Rule, name: str) -> list[tuple[int, ...]]:
    """The paths to all rules with a field of this name: () is the rule, (1,) its second child."""
    if name in rule.settings:
        return [()]
    return [
        (number, *path)
        for number, child in enumerate(rule.children)
        for path in _paths_to(child, name)
    ]


def _axis(rule: Rule, name: str) -> tuple[tuple[int, ...], str]:
    """The path and the field that an axis of the grid names."""
    *numbers, field = name.split(".")
    if numbers == [""] and field in rule.settings:  # ".workers": sweep has such an argument itself
        return (), field
    if numbers:
        path = tuple(int(number) for number in numbers if number.isdecimal())
        child: Rule | None = rule
        for number in path:
            child = (
                None if child is None or number >= len(child.children) else child.children[number]
            )
        if len(path) == len(numbers) and child is not None and field in child.settings:
            return path, field
        raise RuleError(
            f"`sweep`: {rule!r} has no field {name!r}: write "
            "'0.patience' for the patience of its first part"
        )
    found = _paths_to(rule, field)
    if not found:
        known = {f for child in walk(rule) for f in child.settings}
        raise RuleError(
            f"`sweep`: {rule!r} has no field {name!r}: {name_advice(name, known, 'fields')}"
        )
    if len(found) > 1:
        paths = ", ".join(repr(".".join([*map(str, path), field])) for path in found)
        raise RuleError(
            f"`sweep`: {name!r} is ambiguous in {rule!r}: name one of {paths}, "
            "as in sweep(rule, history, **{'0.patience': [5, 10]})"
        )
    return found[0], field


def walk(rule: Rule) -> Iterator[Rule]:
    """A rule and all rules inside it, from the top down."""
    yield rule
    for child in rule.children:
        yield from walk(child)


def _with_child_at(rule: Rule, path: tuple[int, ...], changes: Mapping[str, Any]) -> Rule:
    if not path:
        return rule.replace(**changes)
    children = list(rule.children)
    children[path[0]] = _with_child_at(children[path[0]], path[1:], changes)
    return rule.with_children(tuple(children))


def _axis_values(name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise RuleTypeError(f"`sweep({name}=...)` must be a sequence of values, got {values!r}")
    # NumPy scalars become Python numbers.
    return [value.item() if hasattr(value, "item") else value for value in values]


def _check_axes(rule: Rule, axes: Mapping[str, Axis]) -> None:
    """Raise RuleError for two axes of which one would overwrite the other."""
    for (one, axis), (other, below) in itertools.permutations(axes.items(), 2):
        value = getattr(child_at(rule, axis.path), axis.field)
        holds_rules = any(
            isinstance(x, Rule) for x in (value if isinstance(value, tuple) else [value])
        )
        depth = len(axis.path)
        inside = len(below.path) > depth and below.path[:depth] == axis.path
        if axis[:2] == below[:2] or (holds_rules and inside):
            raise RuleError(f"`sweep`: {one!r} and {other!r} change the same part of {rule!r}")


def child_at(rule: Rule, path: tuple[int, ...]) -> Rule:
    """The rule at a path below this rule."""
    for number in path:
        rule = rule.children[number]
    return rule


def apply_settings(rule: Rule, axes: Mapping[str, Axis], setting: Mapping[str, Any]) -> Rule:
    """The rule with the values of a setting.

    axes: the axes, by name.
    setting: the value on each axis, by its name.

    Raises RuleError for values that the rule refuses.
    """
    changes: dict[tuple[int, ...], dict[str, Any]] = {}
    for name, value in setting.items():
        changes.setdefault(axes[name].path, {})[axes[name].field] = value
    for path in sorted(changes, key=len, reverse=True):
        rule = _with_child_at(rule, path, changes[path])
    return rule
