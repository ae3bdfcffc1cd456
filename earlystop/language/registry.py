"""The registry of rule classes by name, where saved rules and rules written as text are looked up.

A class is registered when it is defined. Names are unique, because saved states refer to them. The
registry does not keep a class alive: one that is defined in a function is freed with the last
reference to it.

Beside the rules there are *values*: a value is one of the settings of a rule and, like a rule, has
settings of its own. They are found by name where an argument of a rule is read.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

from ..errors import RuleError, name_advice, shortened

__all__ = [
    "check_name",
    "preserved",
    "register",
    "register_value",
    "registered",
    "rule_named",
    "rule_names",
    "value_named",
]

_rules: weakref.WeakValueDictionary[str, type[Any]] = weakref.WeakValueDictionary()
_values: dict[str, type[Any]] = {}


def register(cls: type[Any]) -> None:
    """Register a class of rules under its name."""
    _rules[cls.__name__] = cls


def register_value(cls: type[Any]) -> None:
    """Register a class of values, which are settings of rules, under its name."""
    _values[cls.__name__] = cls


def value_named(name: str) -> type[Any] | None:
    """The class of values with this name; None if there is none."""
    return _values.get(name)


def check_name(cls: type[Any]) -> None:
    """Raise RuleError if a different class of rules already has this name."""
    name, known = cls.__name__, _rules.get(cls.__name__)
    if known is None:
        return
    if all("<locals>" in rule_class.__qualname__ for rule_class in (cls, known)):
        return  # both are redefined whenever a function is called
    known_path, path = (f"{c.__module__}.{c.__qualname__}" for c in (known, cls))
    if known_path != path:
        raise RuleError(
            f"a rule called {name!r} already exists ({known_path}): saved states "
            "identify rules by name, so choose another"
        )


def registered() -> tuple[type[Any], ...]:
    """All classes of rules, in definition order.

    >>> from earlystop import Patience
    >>> Patience in registered()
    True
    """
    return tuple(_rules.values())


def rule_named(name: str) -> type[Any]:
    """The class of rules with this name. Raises RuleError, listing the known names, if unknown."""
    cls = _rules.get(name)
    if cls is None:
        known = name_advice(str(name), _rules, "rules")
        raise RuleError(
            f"there is no rule called {shortened(name)}: {known} (a rule of your "
            "own must be imported first)"
        )
    return cls


def rule_names() -> list[str]:
    """The names of all rules, in alphabetical order."""
    return sorted(_rules)


@contextlib.contextmanager
def preserved() -> Iterator[None]:
    """Forget the rules defined in the block when it ends; for tests.

    >>> from earlystop import Rule
    >>> with preserved():
    ...     class Brief(Rule):
    ...         def step(self, state, metrics, epoch):
    ...             return state, True
    >>> "Brief" in rule_names()
    False
    """
    before = dict(_rules)
    try:
        yield
    finally:
        _rules.clear()
        _rules.update(before)
