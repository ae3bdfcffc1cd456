"""Rules as text: reads what `repr` writes, and never evaluates it.

Python's own parser turns the text into a syntax tree. Only literals, calls of rules by name, and
`|`, `&`, `~` between them are allowed in that tree; everything else is an error.
"""

from __future__ import annotations

import ast
import inspect
import warnings
from typing import Any

from .._nesting import MAX_DEPTH
from ..errors import RuleError, RuleTypeError, name_advice, shortened
from .config import check_depth
from .registry import rule_named, value_named

__all__ = ["parse_rule", "rule_signature"]

_MAX_CHARACTERS = 10_000
_EXAMPLE = "Patience('val_loss', 20) | NonFinite('loss')"
_PACKAGE_NAMES = ("es", "earlystop")  # es.Patience(...), as in a program


def parse_rule(text: str) -> Any:
    """The rule that a text such as "Patience('val_loss', 20) | NonFinite('loss')" describes.

    Rules are called by name, with literals (numbers, quoted text, True, False, None, tuples) or
    other rules as arguments, and combined with `|`, `&` and `~`. The `repr` of any rule can be
    read back; define a rule of your own first. The text is never evaluated.

    Raises RuleError, naming what was not understood and listing the known rules and arguments;
    RuleTypeError if `text` is not a string.

    >>> parse_rule("Patience('val_loss', 20) | ~Threshold('accuracy', 0.9)")
    Patience('val_loss', patience=20, mode='min') | ~Threshold('accuracy', value=0.9, mode='max')
    >>> parse_rule("MaxEpochs(epochs=20)")
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleError: `MaxEpochs(n)`: no argument 'epochs': available arguments: n
    """
    if not isinstance(text, str):
        raise RuleTypeError(
            f"a rule is written as text, such as {_EXAMPLE!r}, got {shortened(text)}"
        )
    if len(text) > _MAX_CHARACTERS:
        raise RuleError(
            f"a rule is written in at most {_MAX_CHARACTERS:,} characters, got {len(text):,}"
        )
    text = text.replace("\n", " ").strip()  # it may span several lines
    try:
        with warnings.catch_warnings():  # about odd escapes, say, which do not concern the caller
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        what = getattr(error, "msg", None) or "too deep, or no text at all"
        raise RuleError(
            f"{text!r:.200} is not a rule ({what}); expected one such as {_EXAMPLE}"
        ) from None
    return _Reader(text).rule(tree.body, 0)


def rule_signature(cls: type[Any]) -> str:
    """How a rule is called: its name, its arguments and their defaults.

    >>> from earlystop import MaxEpochs, Patience
    >>> rule_signature(MaxEpochs), rule_signature(Patience)[:40]
    ('MaxEpochs(n)', 'Patience(monitor, patience=0, min_delta=')
    """
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(cls).parameters.values()
    ]
    return f"{cls.__name__}{inspect.Signature(bare)}"


class _Reader:
    """Makes rules from the syntax tree of one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _source_of(self, node: ast.AST) -> str:
        source = ast.get_source_segment(self._text, node) or self._text
        return source if len(source) <= 80 else f"{source[:77]}..."

    def rule(self, node: ast.AST, depth: int) -> Any:
        check_depth(depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd)):
            return self._combination(node, depth)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            return ~self.rule(node.operand, depth + 1)
        if isinstance(node, ast.Call):
            return self._call(node, rule_named(self._called_name(node)), depth)
        hint = ""
        if isinstance(node, ast.BoolOp) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            hint = " (rules combine with |, & and ~, not with or, and, not)"
        raise RuleError(f"expected a rule such as {_EXAMPLE}, got {self._source_of(node)}{hint}")

    def _combination(self, node: ast.BinOp, depth: int) -> Any:
        """`a | b | c`, which Python parses as `(a | b) | c`, or the same with `&`."""
        symbol = type(node.op)
        operands, left = [node.right], node.left
        while isinstance(left, ast.BinOp) and isinstance(left.op, symbol):
            operands.append(left.right)
            left = left.left
        operands.append(left)
        rules = [self.rule(operand, depth + 1) for operand in reversed(operands)]
        return rule_named("AnyOf" if symbol is ast.BitOr else "AllOf")(*rules)

    def _call(self, node: ast.Call, cls: type[Any], depth: int) -> Any:
        arguments = [self._value(argument, cls, depth + 1) for argument in node.args]
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in named:
                what = "** is not understood" if keyword.arg is None else f"{keyword.arg} twice"
                raise RuleError(f"`{rule_signature(cls)}`: {what} in {self._source_of(node)}")
            named[keyword.arg] = self._value(keyword.value, cls, depth + 1)
        _check_call(cls, arguments, named)
        return cls(*arguments, **named)

    def _called_name(self, call: ast.Call) -> str:
        name = call.func
        if isinstance(name, ast.Name):
            return name.id
        if (
            isinstance(name, ast.Attribute)
            and isinstance(name.value, ast.Name)
            and name.value.id in _PACKAGE_NAMES
        ):
            return name.attr
        raise RuleError(f"{self._source_of(name)} is not the name of a rule")

    def _value(self, node: ast.AST, cls: type[Any], depth: int) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, type(None))):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            number = node.operand
            if isinstance(number, ast.Constant) and type(number.value) in (int, float):
                value: Any = number.value
                return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, (ast.Tuple, ast.List)) and depth <= MAX_DEPTH:
            return tuple(self._value(item, cls, depth + 1) for item in node.elts)
        value_class = value_named(self._called_name(node)) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and value_class is not None:
            return self._call(node, value_class, depth)
        if isinstance(node, (ast.Call, ast.BinOp, ast.UnaryOp)):
            return self.rule(node, depth)
        hint = f" (quoted: {node.id!r}?)" if isinstance(node, ast.Name) else ""
        raise RuleError(
            f"`{rule_signature(cls)}` takes numbers, quoted text, True, False, None and rules, "
            f"got {self._source_of(node)}{hint}"
        )


def _check_call(cls: type[Any], arguments: list[Any], named: dict[str, Any]) -> None:
    """Raise RuleError, listing the known arguments, for a call that does not match `cls`."""
    signature = inspect.signature(cls)
    try:
        signature.bind(*arguments, **named)
    except TypeError as error:
        known = [
            name
            for name, parameter in signature.parameters.items()
            if parameter.kind is not inspect.Parameter.VAR_POSITIONAL
        ]
        unknown = [name for name in named if name not in known]
        what = str(error)
        if unknown and known:
            what = name_advice(unknown[0], known, "arguments")
            what = f"no argument {unknown[0]!r}: {what}"
        raise RuleError(f"`{rule_signature(cls)}`: {what}") from None
