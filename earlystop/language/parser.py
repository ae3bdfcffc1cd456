"""Rules as text: what `repr` writes is read, and nothing is ever evaluated.

The text is taken apart by Python's own parser; of what it may hold only literals, calls of rules by
name, and `|`, `&`, `~` between them are understood. Everything else is an error, whatever it is.
"""

from __future__ import annotations

import ast
import inspect
import warnings
from typing import Any

from ..errors import RuleError, RuleTypeError, name_advice
from .rule import AllOf, AnyOf, Rule, rule_named

__all__ = ["parse_rule", "rule_signature"]

_LONGEST = 10_000  # characters
_DEEPEST = 50  # rules in rules in rules
_EXAMPLE = "Patience('val_loss', 20) | NonFinite('loss')"
_PACKAGE = ("es", "earlystop")  # es.Patience(...), as it stands in a program


def parse_rule(text: str) -> Rule:
    """The rule that a text such as "Patience('val_loss', 20) | NonFinite('loss')" describes.

    Rules are called by name, with literals (numbers, quoted text, True, False, None, tuples) or
    other rules as arguments, and combined with `|`, `&` and `~`. So `repr` of any rule is read
    back; a rule of one's own must have been defined. The text is never evaluated.

    Raises RuleError, saying what was not understood and which rules and arguments there are.

    >>> parse_rule("Patience('val_loss', 20) | ~Threshold('accuracy', 0.9)")
    Patience('val_loss', patience=20, mode='min') | ~Threshold('accuracy', value=0.9, mode='max')
    >>> parse_rule("MaxEpochs(epochs=20)")
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleError: `MaxEpochs(n)`: no argument 'epochs': the arguments there are: n
    """
    if not isinstance(text, str):
        raise RuleTypeError(f"a rule is written as text, such as {_EXAMPLE!r}, got {text!r:.80}")
    if len(text) > _LONGEST:
        raise RuleError(f"a rule is written in at most {_LONGEST:,} characters, got {len(text):,}")
    text = text.replace("\n", " ").strip()  # it may stand on several lines
    try:
        with warnings.catch_warnings():  # of odd escapes, which are none of the caller's concern
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        what = getattr(error, "msg", None) or "too deep, or no text at all"
        raise RuleError(
            f"{text!r:.200} is no rule ({what}); expected one such as {_EXAMPLE}"
        ) from None
    return _Reader(text).rule(tree.body, 0)


def rule_signature(cls: type[Rule]) -> str:
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
    """Makes rules of the nodes of one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _shown(self, node: ast.AST) -> str:
        source = ast.get_source_segment(self._text, node) or self._text
        return source if len(source) <= 80 else f"{source[:77]}..."

    def rule(self, node: ast.AST, depth: int) -> Rule:
        if depth > _DEEPEST:
            raise RuleError(f"rules may stand {_DEEPEST} deep in one another, this one is deeper")
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd)):
            joined, parts = type(node.op), []
            while isinstance(node, ast.BinOp) and isinstance(node.op, joined):  # (a | b) | c
                parts.append(node.right)
                node = node.left
            parts.append(node)
            rules = [self.rule(part, depth + 1) for part in reversed(parts)]
            return AnyOf(*rules) if joined is ast.BitOr else AllOf(*rules)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            return ~self.rule(node.operand, depth + 1)
        if isinstance(node, ast.Call):
            return self._called(node, depth)
        hint = ""
        if isinstance(node, ast.BoolOp) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            hint = " (rules combine with |, & and ~, not with or, and, not)"
        raise RuleError(f"expected a rule such as {_EXAMPLE}, got {self._shown(node)}{hint}")

    def _called(self, node: ast.Call, depth: int) -> Rule:
        name = node.func
        if isinstance(name, ast.Attribute) and isinstance(name.value, ast.Name):
            if name.value.id not in _PACKAGE:
                raise RuleError(f"{self._shown(name)} is not the name of a rule")
            cls = rule_named(name.attr)
        elif isinstance(name, ast.Name):
            cls = rule_named(name.id)
        else:
            raise RuleError(f"{self._shown(name)} is not the name of a rule")
        arguments = [self._value(argument, cls, depth + 1) for argument in node.args]
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in named:
                what = "** is not understood" if keyword.arg is None else f"{keyword.arg} twice"
                raise RuleError(f"`{rule_signature(cls)}`: {what} in {self._shown(node)}")
            named[keyword.arg] = self._value(keyword.value, cls, depth + 1)
        _check_call(cls, arguments, named)
        return cls(*arguments, **named)

    def _value(self, node: ast.AST, cls: type[Rule], depth: int) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, type(None))):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            number = node.operand
            if isinstance(number, ast.Constant) and type(number.value) in (int, float):
                value: Any = number.value
                return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, (ast.Tuple, ast.List)) and depth <= _DEEPEST:
            return tuple(self._value(item, cls, depth + 1) for item in node.elts)
        if isinstance(node, (ast.Call, ast.BinOp, ast.UnaryOp)):
            return self.rule(node, depth)
        hint = f" (quoted: {node.id!r}?)" if isinstance(node, ast.Name) else ""
        raise RuleError(
            f"`{rule_signature(cls)}` takes numbers, quoted text, True, False, None and rules, "
            f"got {self._shown(node)}{hint}"
        )


def _check_call(cls: type[Rule], arguments: list[Any], named: dict[str, Any]) -> None:
    """Raise RuleError, with the arguments there are, for a call that does not fit."""
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
