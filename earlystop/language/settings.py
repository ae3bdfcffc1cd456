"""What the fields of a rule accept: given by their annotations, checked at construction.

    class Patience(Rule):
        monitor: str
        patience: Annotated[int, AtLeast(0)] = 0

is all it takes for `Patience("val_loss", patience=-1)` to be refused with a clear message. Numbers
are converted to one form (NumPy numbers to Python's, 0 to 0.0 for a float), so that equal rules
compare, hash, print and save alike.
"""

from __future__ import annotations

import math
import numbers
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from .._arguments import argument
from ..errors import RuleError, RuleTypeError, shortened

__all__ = [
    "WIDEST",
    "AtLeast",
    "AtMost",
    "Count",
    "NonNegative",
    "Positive",
    "Window",
    "is_value",
    "validated",
]


@dataclass(frozen=True)
class AtLeast:
    """A lower bound for a field; `strict` excludes the bound itself."""

    bound: float
    strict: bool = False

    def allows(self, value: float) -> bool:
        return value > self.bound if self.strict else value >= self.bound

    def __str__(self) -> str:
        return f"{'above' if self.strict else 'of at least'} {self.bound:g}"


@dataclass(frozen=True)
class AtMost:
    """An upper bound for a field."""

    bound: int

    def allows(self, value: float) -> bool:
        return value <= self.bound

    def __str__(self) -> str:
        return f"at most {self.bound:,}"


Count = Annotated[int, AtLeast(0)]
"""A whole number of at least 0."""

Positive = Annotated[int, AtLeast(1)]
"""A whole number of at least 1."""

WIDEST = AtMost(100_000)
Window = Annotated[int, AtLeast(1), WIDEST]
"""How many values a rule keeps in its state, which is saved with every check."""

NonNegative = Annotated[float, AtLeast(0)]
"""A finite number of at least 0."""


def validated(annotation: Any, value: Any, where: str) -> Any:
    """`value`, checked and converted to the form that a field with this annotation holds.

    where: where the value was given, for errors, such as "Patience(patience=...)".

    Raises RuleTypeError for a value of the wrong type, RuleError for one that is out of range.
    """
    try:
        return _converted(annotation, value)
    except _SettingError as wrong:
        owner, _, name = where.removesuffix("=...)").partition("(")
        which = argument(name, owner=owner)
        message = f"{which} must be {wrong.expected}, got {shortened(value, 80)}"
        raise (RuleTypeError if wrong.is_type else RuleError)(message) from None


def is_value(annotation: Any) -> bool:
    """Does a field with this annotation hold an immutable, hashable value?"""
    kinds = (list, dict, set, bytearray)
    if annotation in kinds or typing.get_origin(annotation) in kinds:
        return False
    return all(map(is_value, typing.get_args(annotation)))


class _SettingError(Exception):
    def __init__(self, expected: str, is_type: bool) -> None:
        super().__init__(expected)
        self.expected, self.is_type = expected, is_type


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _SettingError("a string", is_type=True)
    if not value:
        raise _SettingError("a name, not an empty string", is_type=False)
    return str.__str__(value)  # the value of a str Enum, not its name


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise _SettingError("a whole number", is_type=True)
    if not -(2**63) <= int(value) < 2**63:
        raise _SettingError("a whole number that fits in 64 bits", is_type=False)
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise _SettingError("a number", is_type=True)
    try:
        number = float(value)
    except OverflowError:  # a whole number larger than any float
        number = math.inf
    if not math.isfinite(number):
        raise _SettingError("a finite number", is_type=False)
    return number + 0.0  # -0.0 is 0.0: settings that compare equal must act alike


def _truth(value: Any) -> bool:
    if not isinstance(value, bool) and str(getattr(value, "dtype", "")) != "bool":
        raise _SettingError("True or False", is_type=True)
    return bool(value)


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _truth,
}


def _converted(annotation: Any, value: Any) -> Any:
    if annotation in _CONVERTERS:
        return _CONVERTERS[annotation](value)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return _chosen(arguments, value)
    if origin is Annotated:
        return _bounded(arguments[0], arguments[1:], value)
    if origin in (typing.Union, types.UnionType):
        return _either(arguments, value)
    if origin is tuple and arguments[1:] == (...,):
        return _items(arguments[0], value)
    if isinstance(annotation, type) and not isinstance(value, annotation):
        name = annotation.__name__
        raise _SettingError(f"{'an' if name[0] in 'AEIOU' else 'a'} {name}", is_type=True)
    return value


def _either(annotations: tuple[Any, ...], value: Any) -> Any:
    """A value for a union: of None and another type, or of a truth value and some words."""
    if type(None) in annotations:
        if value is None:
            return None
        (inner,) = (each for each in annotations if each is not type(None))
        return _converted(inner, value)
    truth, words = annotations
    try:
        return _converted(words if isinstance(value, str) else truth, value)
    except _SettingError as wrong:
        choices = ", ".join(map(repr, typing.get_args(words)))
        raise _SettingError(f"True, False or one of {choices}", wrong.is_type) from None


def _items(annotation: Any, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (tuple, list)):
        raise _SettingError("a tuple", is_type=True)
    if len(value) > _MOST_ITEMS:
        raise _SettingError(f"a tuple of at most {_MOST_ITEMS:,}", is_type=False)
    is_class = annotation not in _CONVERTERS and isinstance(annotation, type)
    # Rules that are combined one by one are checked again and again: by their few types.
    if is_class and all(issubclass(kind, annotation) for kind in set(map(type, value))):
        return tuple(value)
    return tuple(_converted(annotation, item) for item in value)


def _chosen(choices: tuple[Any, ...], value: Any) -> Any:
    if value not in choices:
        raise _SettingError(f"one of {', '.join(map(repr, choices))}", is_type=False)
    return value


def _bounded(annotation: Any, bounds: tuple[Any, ...], value: Any) -> Any:
    limits = [bound for bound in bounds if isinstance(bound, (AtLeast, AtMost))]
    within = " and ".join(map(str, limits))
    try:
        result = _converted(annotation, value)
    except _SettingError as wrong:
        raise _SettingError(f"{wrong.expected} {within}", wrong.is_type) from None
    if not all(limit.allows(result) for limit in limits):
        raise _SettingError(f"{_NOUNS[annotation]} {within}", is_type=False)
    return result


_MOST_ITEMS = 1000
_NOUNS = {int: "a whole number", float: "a number"}
