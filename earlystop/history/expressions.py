"""Expressions over metrics, such as `0.1 * metrics/mAP_0.5 + 0.9 * metrics/mAP_0.5:0.95`.

Numbers, + - * / **, brackets, and the functions below. The longest known name that stands at a
place is meant, so that names with blanks, slashes and colons need no quotes; in backticks or quotes
any name may stand. Expressions are parsed here and never executed as code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import HistoryError, MissingMetricError, name_advice

__all__ = ["Reads", "evaluate", "names_in"]

_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "exp": (1, np.exp),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(?![\w.])")
_DEEPEST, _LONGEST = 50, 10_000

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}


class Reads(Mapping[str, Any]):
    """Metrics by name, which takes note of those that are asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values, self.asked = values, dict[str, None]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise MissingMetricError(f"no metric {name!r}: {name_advice(name, self._values)}")
        self.asked[name] = None
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def names_in(text: str, known: Iterable[str]) -> list[str]:
    """The names that an expression asks for.

    >>> names_in("0.1 * val/loss + `a b`", ["loss", "val/loss", "a b"])
    ['val/loss', 'a b']
    """
    return list(dict.fromkeys(value for kind, value in _tokens(text, known) if kind == "name"))


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression, element by element; as NumPy has it, 1/0 is infinite.

    Raises HistoryError, with the place, for what is no expression; MissingMetricError for a name
    that there is not.

    >>> evaluate("(a - 1) / -2 ** 2", {"a": 9.0}).item()
    -2.0
    """
    parser = _Parser(text, values)
    with np.errstate(all="ignore"):
        return parser.whole()


def _tokens(text: str, known: Iterable[str]) -> list[tuple[str, str]]:
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise HistoryError(
            f"a derived metric needs an expression of up to {_LONGEST:,} characters or a function, "
            f"got {text!r:.80}"
        )
    by_length = sorted(known, key=len, reverse=True)
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        kind, value, end = _token(text, place, by_length, tokens)
        if kind:
            tokens.append((kind, value))
        place = end
    return tokens


def _token(
    text: str, place: int, names: list[str], before: list[tuple[str, str]]
) -> tuple[str, str, int]:
    character = text[place]
    if character.isspace():
        return "", "", place + 1
    if character in "`'\"":
        end = text.find(character, place + 1)
        if end < 0:
            raise _wrong(text, place, f"a closing {character}")
        return "name", text[place + 1 : end], end + 1
    number = _NUMBER.match(text, place)
    if number:
        return "number", number.group(), number.end()
    if text.startswith("**", place):
        return "**", "**", place + 2
    if character in "+-*/(),":
        return character, character, place + 1
    for name in names:
        if text.startswith(name, place) and not _goes_on(text, place + len(name)):
            return "name", name, place + len(name)
    word = re.compile(r"[^\s+*()`'\",-]+").match(text, place)
    shown = word.group() if word else character
    if shown in _FUNCTIONS:
        return "function", shown, place + len(shown)
    raise MissingMetricError(
        f"no metric {shown!r} (at character {place + 1} of {text!r}): "
        f"{name_advice(shown, names)}; put names in backticks where it is not clear what is meant"
    )


def _goes_on(text: str, place: int) -> bool:
    return place < len(text) and (text[place].isalnum() or text[place] == "_")


def _wrong(text: str, place: int, expected: str) -> HistoryError:
    return HistoryError(f"expected {expected} at character {place + 1} of {text!r}")


class _Parser:
    """Precedence climbing over the tokens."""

    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        self._text, self._values = text, values
        self._tokens = [*_tokens(text, values), ("end", "")]
        self._place = self._depth = 0

    def whole(self) -> Any:
        value = self._sum()
        if self._next != "end":
            raise self._error("an operator or the end")
        return value

    @property
    def _next(self) -> str:
        return self._tokens[self._place][0]

    def _take(self) -> str:
        self._place += 1
        return self._tokens[self._place - 1][1]

    def _error(self, expected: str) -> HistoryError:
        kind, value = self._tokens[self._place]
        got = "its end" if kind == "end" else repr(value)
        return HistoryError(f"expected {expected}, got {got}, in {self._text!r}")

    def _chain(self, operators: tuple[str, ...], operand: Callable[[], Any]) -> Any:
        value = operand()
        while self._next in operators:
            value = _OPERATORS[self._take()](value, operand())
        return value

    def _sum(self) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise HistoryError(f"more than {_DEEPEST} brackets within each other")
        value = self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._signed))
        self._depth -= 1
        return value

    def _signed(self) -> Any:
        negative = False
        while self._next in ("+", "-"):
            negative ^= self._take() == "-"
        value = self._power()
        return np.negative(value) if negative else value

    def _power(self) -> Any:
        base = self._atom()
        if self._next != "**":
            return base
        self._take()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise HistoryError(f"more than {_DEEPEST} powers of powers")
        exponent = self._signed()
        self._depth -= 1
        return np.power(base, exponent)

    def _atom(self) -> Any:
        kind = self._next
        if kind == "number":
            return np.float64(self._take())
        if kind == "name":
            return self._values[self._take()]
        if kind == "function":
            return self._call(self._take())
        if kind != "(":
            raise self._error("a number, a metric or a bracket")
        self._take()
        value = self._sum()
        self._close()
        return value

    def _call(self, name: str) -> Any:
        if self._next != "(":
            raise self._error(f"'(' after {name}")
        self._take()
        count, function = _FUNCTIONS[name]
        values = [self._sum()]
        while self._next == ",":
            self._take()
            values.append(self._sum())
        if len(values) != count:
            raise HistoryError(f"{name} takes {count} values, got {len(values)}, in {self._text!r}")
        self._close()
        return function(*values)

    def _close(self) -> None:
        if self._next != ")":
            raise self._error("')'")
        self._take()
