"""Turns the `step` of a pair of rules into one flat Python function, for the live loop.

A rule's `step` is written in operations that never look at a value (see `ops.py`). So it can be
run once on stand-ins that record what is done with them. The record is written out as straight
Python, without the calls and the attribute look-ups that would cost more than the arithmetic. It
is the same definition, said once: whatever `step` does, the function does, and a `step` that could
not be replayed over many runs (it has an `if` on a metric, say) is found when it is recorded.

    state --leaves--> s0 s1 ... --step on Traced values--> lines --exec--> a function
"""

from __future__ import annotations

import collections
import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NoReturn

from .errors import RuleError

__all__ = ["Advance", "Tape", "Traced", "TracedMetrics", "compile_steps", "leaves", "rebuilt"]

OnMissing = Literal["raise", "skip"]
# (leaves of the state, metrics, epoch) -> (leaves of the next state, one answer per rule ...)
Advance = Callable[[tuple[Any, ...], dict[str, float], int], tuple[Any, ...]]


def is_window(tree: object) -> bool:
    """Is this part of a state a window (a plain tuple of numbers), not a tuple of states?"""
    return type(tree) is tuple and bool(tree) and not any(isinstance(x, tuple) for x in tree)


def leaves(tree: Any) -> list[Any]:
    """The numbers and windows of a state, in order."""
    if not isinstance(tree, tuple) or is_window(tree):
        return [tree]
    return [leaf for branch in tree for leaf in leaves(branch)]


def rebuilt(shape: Any, flat: Iterator[Any]) -> Any:
    """The state that has the shape of `shape` and the given leaves."""
    if not isinstance(shape, tuple) or is_window(shape):
        return next(flat)
    branches = [rebuilt(branch, flat) for branch in shape]
    return type(shape)(*branches) if hasattr(shape, "_fields") else tuple(branches)


class Traced:
    """Stands for a value that will be known when the recorded function runs."""

    __slots__ = ("kind", "name", "tape")

    def __init__(self, tape: Tape, name: str, kind: str) -> None:
        self.tape, self.name, self.kind = tape, name, kind

    def _refuse(self, what: str, instead: str) -> NoReturn:
        self.tape.refuse(what, instead)

    def __bool__(self) -> NoReturn:
        self._refuse(
            "asks for the truth of a metric or state (`if`, `and`, `or`, `not`, `min`, `max`)",
            "use `where`, `&`, `|`, `invert` from earlystop.ops",
        )

    def __float__(self) -> NoReturn:
        self._refuse(
            "turns a metric or state into a plain number (`float`, `math.sqrt`, ...)",
            "use arithmetic and the operations of earlystop.ops",
        )

    __int__ = __index__ = __round__ = __float__

    def __iter__(self) -> NoReturn:
        self._refuse("iterates over a window", "use `push`, `total`, `lowest`, `deviation`")

    def __len__(self) -> NoReturn:
        self._refuse("asks for the length of a window", "take it from the rule's own fields")

    __hash__ = None  # type: ignore[assignment]  # `==` records a comparison

    def __getitem__(self, place: int) -> Traced:
        if self.kind != "window":
            self._refuse("takes an item of a number", "only a window has items")
        return self.tape.emit(f"{self.name}[{operator.index(place)}]", "float")

    def _number(self, symbol: str, a: Any, b: Any) -> Traced:
        kinds = [self.tape.kind(a), self.tape.kind(b)]
        if "window" in kinds or kinds == ["bool", "bool"]:
            self._refuse(f"computes {kinds[0]} {symbol} {kinds[1]}", "write numbers there")
        kind = "float" if "float" in kinds or symbol == "/" else "int"
        a, b = (int(x) if isinstance(x, bool) else x for x in (a, b))
        return self.tape.infix(symbol, a, b, kind)

    def _divided(self, symbol: str, a: Any, b: Any) -> Traced:
        if isinstance(b, Traced) or b == 0:
            self._refuse(
                f"uses `{symbol}` with a divisor that may be 0",
                "use `divide`, which gives infinity or NaN as NumPy does",
            )
        return self._number(symbol, a, b)

    def _comparison(self, symbol: str, a: Any, b: Any) -> Any:
        if (self.name, symbol, b) == ("epoch", ">=", 0):
            return True
        if "window" in (self.tape.kind(a), self.tape.kind(b)):
            self._refuse("compares a window", "compare its values")
        return self.tape.infix(symbol, a, b, "bool")

    def _logic(self, symbol: str, a: Any, b: Any) -> Any:
        if self.tape.kind(a) != "bool" or self.tape.kind(b) != "bool":
            self._refuse("uses `&` or `|` on numbers", "compare first: `(a < b) & (c < d)`")
        for known, other in ((a, b), (b, a)):
            if isinstance(known, bool):
                return other if known == (symbol == "and") else known
        return self.tape.infix(symbol, a, b, "bool")

    def __add__(self, other: Any) -> Traced:
        return self._number("+", self, other)

    def __radd__(self, other: Any) -> Traced:
        return self._number("+", other, self)

    def __sub__(self, other: Any) -> Traced:
        return self._number("-", self, other)

    def __rsub__(self, other: Any) -> Traced:
        return self._number("-", other, self)

    def __mul__(self, other: Any) -> Traced:
        return self._number("*", self, other)

    def __rmul__(self, other: Any) -> Traced:
        return self._number("*", other, self)

    def __truediv__(self, other: Any) -> Traced:
        return self._divided("/", self, other)

    def __rtruediv__(self, other: Any) -> Traced:
        return self._divided("/", other, self)

    def __mod__(self, other: Any) -> Traced:
        return self._divided("%", self, other)

    def __neg__(self) -> Traced:
        return self._number("-", 0, self) if self.kind == "int" else self._number("*", -1.0, self)

    def __lt__(self, other: Any) -> Any:
        return self._comparison("<", self, other)

    def __le__(self, other: Any) -> Any:
        return self._comparison("<=", self, other)

    def __gt__(self, other: Any) -> Any:
        return self._comparison(">", self, other)

    def __ge__(self, other: Any) -> Any:
        return self._comparison(">=", self, other)

    def __eq__(self, other: object) -> Any:
        return self._comparison("==", self, other)

    def __ne__(self, other: object) -> Any:
        return self._comparison("!=", self, other)

    def __and__(self, other: Any) -> Any:
        return self._logic("and", self, other)

    def __or__(self, other: Any) -> Any:
        return self._logic("or", self, other)

    __rand__, __ror__ = __and__, __or__


class Tape:
    """The lines recorded so far: every value gets a name once, equal expressions share theirs.

    The names stand between NUL characters, which no literal contains, until all is written out.
    """

    def __init__(self) -> None:
        self.owner = "Rule"  # the rule being recorded, for errors
        self.lines: list[tuple[str, str]] = []  # name, expression
        self.names: dict[str, Any] = {"inf": math.inf, "nan": math.nan}  # what the lines refer to
        self._known: dict[str, Traced] = {}

    def refuse(self, what: str, instead: str) -> NoReturn:
        raise RuleError(
            f"`{self.owner}.step` {what}, which cannot be done for many runs at once: {instead}"
        )

    def emit(self, expression: str, kind: str) -> Traced:
        """Give the expression a name."""
        if expression not in self._known:
            name = f"\0t{len(self.lines)}\0"
            self.lines.append((name, expression))
            self._known[expression] = Traced(self, name, kind)
        return self._known[expression]

    def infix(self, symbol: str, a: Any, b: Any, kind: str) -> Traced:
        return self.emit(f"{self.text(a)} {symbol} {self.text(b)}", kind)

    def call(self, function: Callable[..., Any], kind: str, *values: Any) -> Traced:
        name = next((name for name, known in self.names.items() if known is function), "")
        name = name or f"f{len(self.names)}_{function.__name__.strip('_<>')}"
        self.names[name] = function
        return self.emit(f"{name}({', '.join(map(self.text, values))})", kind)

    def apply(self, operation: Any, values: Sequence[Any]) -> Any:
        """Record an operation of `ops.py`."""
        kind = operation.kind
        if kind == "where":
            condition, a, b = values
            if isinstance(condition, bool):
                return a if condition else b
            if self.kind(condition) != "bool":
                self.refuse("gives `where` a number to decide on", "give it a comparison")
            kinds = {self.kind(a), self.kind(b)}
            kind = kinds.pop() if len(kinds) == 1 else "float"
        elif kind == "same":
            kind = self.kind(values[0])
        if operation.inline:
            return self.emit(operation.inline.format(*map(self.text, values)), kind)
        return self.call(operation.scalar, kind, *values)

    def text(self, value: Any) -> str:
        """A value as it is written in the function."""
        if isinstance(value, Traced):
            return value.name
        if isinstance(value, tuple):
            return f"({', '.join(map(self.text, value))},)"
        text = repr(value)
        return f"({text})" if text.startswith("-") else text

    def kind(self, value: Any) -> str:
        if isinstance(value, Traced):
            return value.kind
        for kind, types in (("bool", bool), ("int", int), ("float", float), ("window", tuple)):
            if isinstance(value, types):
                return kind
        raise RuleError(
            f"`{self.owner}.step` computes with {value!r}: expected a number, a truth value or a "
            "window (a tuple of numbers)"
        )

    def written(
        self, outputs: Sequence[Any], guards: Sequence[Traced]
    ) -> tuple[list[str], list[str]]:
        """The lines that outputs and guards rest on, and the outputs as they are written after.

        A value that is used once is written where it is used, unless it is a guard: what must be
        computed whatever comes of it.
        """
        texts = [self.text(output) for output in outputs]
        uses = collections.Counter(name for text in texts for name in _NAME.findall(text))
        uses.update({guard.name: 2 for guard in guards})
        for name, expression in reversed(self.lines):
            if name in uses:
                uses.update(_NAME.findall(expression))
        moved: dict[str, str] = {}
        kept = []
        for name, expression in self.lines:
            if name not in uses:
                continue
            text = _with(moved, expression)
            if uses[name] == 1 and len(text) < _LONGEST_EXPRESSION:
                moved[name] = f"({text})"
            else:
                kept.append(f"{name} = {text}")
        return kept, [_with(moved, text) for text in texts]


_NAME = re.compile("\0t[0-9]+\0")
_LONGEST_EXPRESSION = 100


def _with(moved: dict[str, str], expression: str) -> str:
    return _NAME.sub(lambda match: moved.get(match[0], match[0]), expression)


def _any_nonfinite(metrics: dict[str, float], hidden: tuple[str, ...]) -> bool:
    return not all(math.isfinite(metrics[name]) for name in metrics if name not in hidden)


class TracedMetrics:
    """Stands for the metrics of an epoch."""

    def __init__(self, tape: Tape, on_missing: OnMissing, shown: dict[str, Any]) -> None:
        self._tape, self._on_missing, self._shown = tape, on_missing, shown
        self._asked: set[str] = set()

    def reported(self, names: tuple[str, ...]) -> Any:
        self._asked.update(names)
        if self._on_missing == "raise":  # the stopper has made sure
            return True
        present: Any = True
        for name in names:
            present = present & self._tape.emit(f"{name!r} in m", "bool")
        return present

    def __getitem__(self, name: str) -> Any:
        if name not in self._asked:
            raise RuleError(
                f"`{self._tape.owner}.step` reads the metric {name!r}, which is not among its "
                "monitors: keep the name in a field called `monitor` or `..._monitor`"
            )
        if name in self._shown:
            return self._shown[name]
        raising = self._on_missing == "raise"
        return self._tape.emit(f"m[{name!r}]" if raising else f"m.get({name!r}, nan)", "float")

    def replaced(self, name: str, value: Any) -> TracedMetrics:
        other = TracedMetrics(self._tape, self._on_missing, {**self._shown, name: value})
        other._asked = self._asked
        return other

    def any_nonfinite(self) -> Any:
        hidden = tuple(self._shown)
        self._tape.names["any_nonfinite"] = _any_nonfinite
        found: Any = self._tape.emit(f"any_nonfinite(m, {hidden!r})", "bool")
        for name, value in self._shown.items():
            text = self._tape.text(value)
            bad = self._tape.emit(f"{text} - {text} != 0.0", "bool")
            found = found | (self.reported((name,)) & bad)
        return found


def compile_steps(
    rules: Sequence[Any],
    advance: Callable[..., tuple[Any, Any]],
    on_missing: OnMissing,
) -> Advance:
    """Record the steps of several rules as one function over the leaves of their states.

    `advance(rule, state, metrics, epoch)` is the guarded step of `rule.py`. Raises RuleError for a
    step that cannot be recorded, or that returns a state of another shape than `init()`.
    """
    tape = Tape()
    metrics = TracedMetrics(tape, on_missing, {})
    epoch = Traced(tape, "epoch", "int")
    inputs: list[str] = []
    outputs: list[Any] = []
    answers: list[Any] = []
    for rule in rules:
        tape.owner = type(rule).__name__
        shape = rule.init()
        first = leaves(shape)
        names = [f"s{len(inputs) + i}" for i in range(len(first))]
        kinds = [tape.kind(leaf) for leaf in first]
        inputs += names
        stand_ins = [Traced(tape, name, kind) for name, kind in zip(names, kinds, strict=True)]
        state, fires = advance(rule, rebuilt(shape, iter(stand_ins)), metrics, epoch)
        outputs += _checked_state(tape, shape, state, kinds)
        if tape.kind(fires) != "bool":
            raise RuleError(
                f"`{tape.owner}.step` must say whether it fires with a truth value, "
                f"not a {tape.kind(fires)}: end with a comparison"
            )
        answers.append(fires)
    # In "raise" mode a metric must be there even where nothing comes of it.
    guards = [value for text, value in tape._known.items() if text.startswith("m[")]
    body, results = tape.written([*outputs, *answers], guards)
    states, ends = results[: len(outputs)], results[len(outputs) :]
    source = "\n    ".join(
        [
            "def advance(state, m, epoch):",
            *([f"{', '.join(inputs)}, = state"] if inputs else []),
            *body,
            f"return ({''.join(f'{state},' for state in states)}), {', '.join(ends)}",
        ]
    )
    source = source.replace("\0", "")
    exec(compile(source, f"<earlystop steps of {[*rules]!r}>", "exec"), tape.names)  # noqa: S102  # the text above, made from the rules alone
    result: Advance = tape.names["advance"]
    result.__doc__ = source
    return result


def _checked_state(tape: Tape, shape: Any, state: Any, kinds: list[str]) -> list[Any]:
    if _skeleton(state) != _skeleton(shape):
        raise RuleError(
            f"`{tape.owner}.step` returned a state of another shape than `init()`: "
            f"{state!r} where {shape!r} was expected"
        )
    flat = leaves(state)
    for leaf, kind in zip(flat, kinds, strict=True):
        if tape.kind(leaf) != kind and (tape.kind(leaf), kind) != ("int", "float"):
            raise RuleError(
                f"`{tape.owner}.step` turns a {kind} of its state {shape!r} into a "
                f"{tape.kind(leaf)}: let `init()` start it as a {tape.kind(leaf)}"
            )
    return flat


def _skeleton(tree: Any) -> Any:
    if not isinstance(tree, tuple) or is_window(tree):
        return None
    return (type(tree), *map(_skeleton, tree))
