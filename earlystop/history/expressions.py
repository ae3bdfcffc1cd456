"""Expressions over metrics, such as `0.1 * metrics/mAP_0.5 + 0.9 * metrics/mAP_0.5:0.95`.

An expression may use numbers, + - * / **, parentheses, and the functions below. Names of metrics
may contain spaces, slashes and colons: the longest known name wins, and any name can be given in
backticks or quotes. So names and numbers are found first, and replaced by `_0`, `_1`, ... before
Python's own parser reads the text. Only arithmetic is evaluated; nothing is executed as code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from .._nesting import MAX_DEPTH
from ..errors import HistoryError, MissingMetricError, name_advice

__all__ = ["RecordedReads", "evaluate", "names_in"]

_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "exp": (1, np.exp),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"[^\s+*()`'\",-]+")
_LONGEST = 10_000


class RecordedReads(Mapping[str, Any]):
    """A mapping of values by name that records which names are read.

    names: the names read so far, in order.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.names: dict[str, None] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise MissingMetricError(f"no metric {name!r:.200}: {name_advice(name, self._values)}")
        self.names[name] = None
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def names_in(text: str, known: Iterable[str]) -> list[str]:
    """The names of metrics in an expression.

    >>> names_in("0.1 * val/loss + `a b`", ["loss", "val/loss", "a b"])
    ['val/loss', 'a b']
    """
    _, operands = _as_python(text, known)
    return list(dict.fromkeys(operand for operand in operands if isinstance(operand, str)))


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression, computed element by element as in NumPy: 1/0 is infinite.

    values: the arrays or numbers that its names refer to.

    Raises HistoryError for a text that is not an expression, MissingMetricError for an unknown
    name.

    >>> evaluate("(a - 1) / -2 ** 2", {"a": 9.0}).item()
    -2.0
    """
    source, operands = _as_python(text, values)
    try:
        tree = ast.parse(f"({source})", mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise HistoryError(f"expected an expression, got {text!r:.200} ({error})") from None
    with np.errstate(all="ignore"):
        return _Evaluation(text, operands, values).of(tree)


class _Evaluation:
    """Evaluates the arithmetic of a tree; refuses everything else."""

    def __init__(self, text: str, operands: list[str | float], values: Mapping[str, Any]) -> None:
        self._text, self._operands, self._values = text, operands, values

    def of(self, node: ast.AST, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise HistoryError(f"more than {MAX_DEPTH} brackets or powers within each other")
        if isinstance(node, ast.Name):
            operand = self._operand(node.id)
            return self._values[operand] if isinstance(operand, str) else np.float64(operand)
        if isinstance(node, ast.UnaryOp):
            return _OPERATORS[type(node.op)](self.of(node.operand, depth + 1))
        if isinstance(node, ast.BinOp):
            return self._chain(node, depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        self._refuse("numbers, metrics, + - * / ** and functions of them")

    def _operand(self, name: str) -> str | float:
        if name in _FUNCTIONS:
            self._refuse(f"'(' after {name}")
        return self._operands[int(name[1:])]

    def _chain(self, node: ast.BinOp, depth: int) -> Any:
        """`a + b + c + ...` nests to the left; evaluated in a loop, it adds no depth."""
        chain: list[ast.BinOp] = []
        first: ast.AST = node
        while isinstance(first, ast.BinOp):
            chain.append(first)
            first = first.left
        value = self.of(first, depth + 1)
        for operation in reversed(chain):
            value = _OPERATORS[type(operation.op)](value, self.of(operation.right, depth + 1))
        return value

    def _call(self, node: ast.Call, depth: int) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in _FUNCTIONS:
            self._refuse(f"a function ({', '.join(_FUNCTIONS)}) before '('")
        count, function = _FUNCTIONS[name]
        if len(node.args) != count or node.keywords:
            self._refuse(f"{count} values for {name}, not {len(node.args)}")
        return function(*(self.of(argument, depth + 1) for argument in node.args))

    def _refuse(self, expected: str) -> NoReturn:
        raise HistoryError(f"expected {expected}, in {self._text!r:.200}")


def _as_python(text: str, known: Iterable[str]) -> tuple[str, list[str | float]]:
    """The expression for Python's parser, and the names or numbers behind `_0`, `_1`, ..."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise HistoryError(
            f"a derived metric needs an expression of up to {_LONGEST:,} characters or a function, "
            f"got {text!r:.80}"
        )
    names = _Names(known)
    source: list[str] = []
    operands: list[str | float] = []
    index, before = 0, ""
    while index < len(text):
        item, index = _next_token(text, index, names)
        if isinstance(item, str) and item in _SYMBOLS:
            if item == ")" and before == ",":
                raise HistoryError(f"expected a value after ',', in {text!r:.200}")
            source.append(item)
            before = before if item == " " else item
        else:
            source.append(f" _{len(operands)} ")
            operands.append(item.value if isinstance(item, _Metric) else item)
            before = "a value"
    return "".join(source), operands


class _Names:
    """The known names; finds the longest of them at an index of a text."""

    def __init__(self, known: Iterable[str]) -> None:
        self.known = frozenset(filter(None, known))
        self.lengths = sorted(set(map(len, self.known)), reverse=True)

    def at(self, text: str, index: int) -> str | None:
        """The longest known name at an index that ends where a word ends; None if there is none."""
        for length in self.lengths:
            name = text[index : index + length]
            if len(name) == length and name in self.known and not _goes_on(text, index + length):
                return name
        return None


class _Metric:
    """The name of a metric, as opposed to a symbol."""

    def __init__(self, value: str) -> None:
        self.value = value


_SYMBOLS = frozenset([*"+-*/(),", "**", " ", *_FUNCTIONS])


def _next_token(text: str, index: int, names: _Names) -> tuple[Any, int]:
    """The symbol, number or metric at an index, and the index after it."""
    character = text[index]
    if character.isspace():
        return " ", index + 1
    if character in "`'\"":
        end = text.find(character, index + 1)
        if end < 0:
            raise HistoryError(
                f"expected a closing {character} at character {index + 1} of {text!r:.200}"
            )
        return _Metric(text[index + 1 : end]), end + 1
    number = _NUMBER.match(text, index)
    if number:
        return float(number.group()), number.end()
    if text.startswith("**", index):
        return "**", index + 2
    if character in "+-*/(),":
        return character, index + 1
    return _name_or_function(text, index, names)


def _name_or_function(text: str, index: int, names: _Names) -> tuple[Any, int]:
    name = names.at(text, index)
    if name is not None:
        return _Metric(name), index + len(name)
    word = _WORD.match(text, index)
    found = word.group() if word else text[index]
    if found in _FUNCTIONS:
        return found, index + len(found)
    raise MissingMetricError(
        f"no metric {found!r:.200} (at character {index + 1} of {text!r:.200}): "
        f"{name_advice(found, names.known)} "
        "(put names in backticks where it is not clear which one is meant)"
    )


def _goes_on(text: str, index: int) -> bool:
    return index < len(text) and (text[index].isalnum() or text[index] == "_")
