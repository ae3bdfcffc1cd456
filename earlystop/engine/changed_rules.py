"""A run that goes on under other numbers: more patience, another limit.

The rules must be of the same kinds, over the same metrics; then the state of one is a state of the
other. A part of the state that is still as it was at the beginning (a baseline that has not been
beaten, a window without values) becomes what the changed rule begins with.
"""

from __future__ import annotations

from typing import Any

from ..errors import StateError, shortened
from ..language.rule import Rule
from ..language.state import flatten, is_window, same_shape

__all__ = ["carried_over", "kind_difference"]


def kind_difference(saved: Rule, rule: Rule) -> str:
    """What two rules differ in, other than numbers; "" for nothing.

    >>> from earlystop import MaxEpochs, Patience
    >>> kind_difference(Patience("loss", 3), Patience("loss", 5))
    ''
    >>> kind_difference(Patience("loss", 3) | MaxEpochs(9), Patience("loss", 3))
    'AnyOf is not Patience'
    """
    if type(saved) is not type(rule):
        return f"{type(saved).__name__} is not {type(rule).__name__}"
    if len(saved.children) != len(rule.children):
        parts, own = len(saved.children), len(rule.children)
        return f"{shortened(saved)} combines {parts} rules, {shortened(rule)} {own}"
    for field, value in saved.settings.items():
        other = rule.settings[field]
        if value != other and not (_is_number(value) and _is_number(other)):
            if field in _fields_of_children(rule):
                continue
            return f"{field}={shortened(value)} is not {field}={shortened(other)}"
    for child, other_child in zip(saved.children, rule.children, strict=True):
        difference = kind_difference(child, other_child)
        if difference:
            return difference
    if not same_shape(saved.init(), rule.init()):  # a number instead of None may ask for more
        return f"{shortened(saved)} remembers other things than {shortened(rule)}"
    return ""


def carried_over(leaves: tuple[Any, ...], saved: Rule, rule: Rule, where: str) -> tuple[Any, ...]:
    """The leaves of a state of `saved`, as leaves of a state of `rule`.

    Raises StateError for a window of another length that has values already.
    """
    result = []
    for leaf, old, new in zip(leaves, flatten(saved.init()), flatten(rule.init()), strict=True):
        if _same(leaf, old):
            result.append(new)
        elif is_window(new) and len(new) != len(leaf):
            raise StateError(
                f"{where} holds {len(leaf)} values, {shortened(rule)} looks at {len(new)}: "
                "the length of a window cannot change while a run goes on"
            )
        else:
            result.append(leaf)
    return tuple(result)


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, (int, float))


def _fields_of_children(rule: Rule) -> set[str]:
    return {
        field
        for field, value in rule.settings.items()
        if isinstance(value, Rule)
        or (isinstance(value, tuple) and any(isinstance(item, Rule) for item in value))
    }


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))  # NaN is as it was
