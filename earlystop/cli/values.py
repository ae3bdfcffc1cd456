"""The values of an option: numbers, text, rules, several of them, ranges."""

from __future__ import annotations

import re
from typing import Any

import click

from .._arguments import as_in_python

__all__ = ["MOST_SETTINGS", "values_of"]

MOST_SETTINGS = 1_000_000
_RANGE = re.compile(r"(-?\d+):(-?\d+)(?::(-?\d+))?")


def values_of(text: str, option: str) -> list[Any]:
    """The values that an option gives for a field.

    Numbers, text, true, false, none, rules; several with commas; ranges of whole numbers as in
    Python. Raises BadParameter for anything else.

    >>> values_of("1:4,10", "--patience"), values_of("0,1e-3", "--min-delta")
    ([1, 2, 3, 10], [0, 0.001])
    >>> values_of("val_loss,'a,b'", "--grid monitor"), values_of("true", "--relative")
    (['val_loss', 'a,b'], [True])
    """
    values: list[Any] = []
    for item in _split(text):
        found = _RANGE.fullmatch(item)
        if found is None:
            values.append(_value(item, option))
            continue
        start, stop, step = (int(part) if part else 1 for part in found.groups())
        several = range(start, stop, step) if step else range(0)
        if not several:
            raise click.BadParameter(
                f"the range {item} holds nothing: it goes from its start to before its end",
                param_hint=f"'{option}'",
            )
        if len(several) > MOST_SETTINGS:
            raise click.BadParameter(
                f"the range {item} holds more than {MOST_SETTINGS:,} values",
                param_hint=f"'{option}'",
            )
        values.extend(several)
    if not values:
        raise click.BadParameter("expected a value, got none", param_hint=f"'{option}'")
    return list(dict.fromkeys(values))


def _split(text: str) -> list[str]:
    """The items between commas, except commas within quotes and brackets."""
    items, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "," and not depth:
            items.append("")
            continue
        depth += not quote and ((char in "([") - (char in ")]"))
        items[-1] += char
    return [item.strip() for item in items if item.strip()]


_WORDS = {"true": True, "false": False, "none": None, "null": None}


def _value(item: str, option: str) -> Any:
    from ..errors import RuleError
    from ..language.parser import parse_rule

    if item.lower() in _WORDS:
        return _WORDS[item.lower()]
    for kind in (int, float):
        try:
            return kind(item)
        except ValueError:
            pass
    if item[0] == item[-1] and item[0] in "\"'" and len(item) > 1:
        return item[1:-1]
    if item.endswith(")"):
        try:
            with as_in_python():
                return parse_rule(item)
        except RuleError as error:
            raise click.BadParameter(str(error), param_hint=f"'{option}'") from None
    return item
