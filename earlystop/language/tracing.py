"""Records what the `step` of a rule does, so that it can be written out as straight code.

A rule's `step` is written in operations that never look at a value (see `ops.py`). So it can be
run once on stand-ins that record what is done with them. `compiled.py` writes the record out as
plain functions, without the calls and the attribute look-ups that would cost more than the
arithmetic: one for numbers, one for arrays. The definition is still said once: whatever `step`
does, these functions do, and a `step` that could not be replayed over many runs (it has an `if` on
a metric, say) is found when it is recorded.

    state --leaves--> s0 s1 ... --step on Traced values--> lines --written out--> a function
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, NoReturn

from ..errors import RuleError

__all__ = ["Line", "OnMissing", "Recording", "Trace", "Traced", "TracedMetrics", "record"]
__all__ += ["flatten", "is_window", "names_in", "unflatten"]

OnMissing = Literal["raise", "skip"]


def is_window(tree: object) -> bool:
    """Is this part of a state a window (a plain tuple of numbers), not a tuple of states?"""
    return type(tree) is tuple and bool(tree) and not any(isinstance(x, tuple) for x in tree)


def flatten(tree: Any) -> list[Any]:
    """The numbers and windows of a state, in order."""
    if not isinstance(tree, tuple) or is_window(tree):
        return [tree]
    return [leaf for branch in tree for leaf in flatten(branch)]


def unflatten(shape: Any, flat: Iterator[Any]) -> Any:
    """The state that has the shape of `shape` and the given leaves."""
    if not isinstance(shape, tuple) or is_window(shape):
        return next(flat)
    branches = [unflatten(branch, flat) for branch in shape]
    return type(shape)(*branches) if hasattr(shape, "_fields") else tuple(branches)


class Traced:
    """Stands for a value that will be known when the recorded function runs."""

    __slots__ = ("kind", "name", "tape")

    def __init__(self, tape: Trace, name: str, kind: str) -> None:
        self.tape, self.name, self.kind = tape, name, kind

    def __repr__(self) -> str:
        return f"<a {self.kind} that will be known later>"

    def _refuse(self, what: str, instead: str) -> NoReturn:
        self.tape.refuse(what, instead)

    def __bool__(self) -> NoReturn:
        self._refuse(
            "asks for the truth of a metric or state (`if`, `and`, `or`, `not`, `min`, `max`)",
            "use `where`, `&`, `|`, `invert` from earlystop.language.ops",
        )

    def __float__(self) -> NoReturn:
        self._refuse(
            "turns a metric or state into a plain number (`float`, `math.sqrt`, ...)",
            "use arithmetic and the operations of earlystop.language.ops",
        )

    __int__ = __index__ = __round__ = __float__

    def __iter__(self) -> NoReturn:
        self._refuse("iterates over a window", "use `push`, `total`, `lowest`, `deviation`")

    __hash__ = None  # type: ignore[assignment]  # `==` records a comparison

    def __len__(self) -> NoReturn:
        self._refuse("asks for the length of a window", "take it from the rule's own fields")

    def __getitem__(self, place: int) -> Traced:
        if self.kind != "window":
            self._refuse("takes an item of a number", "only a window has items")
        if isinstance(place, slice):
            self._refuse("takes a slice of a window", "use `push` to move it on")
        return self.tape.emit(f"{{0}}[{operator.index(place)}]", "float", self)

    def _number(self, symbol: str, a: Any, b: Any) -> Traced:
        kinds = [self.tape.kind(a), self.tape.kind(b)]
        if "window" in kinds or kinds == ["bool", "bool"]:
            self._refuse(f"computes {kinds[0]} {symbol} {kinds[1]}", "write numbers there")
        kind = "float" if "float" in kinds or symbol == "/" else "int"
        if kind == "int" and symbol == "*" and "epoch" not in (_name(a), _name(b)):
            self._refuse("multiplies whole numbers, which may outgrow an array", "use floats")
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
        # True of every epoch: so `start_from_epoch=0` costs nothing.
        if self.name == "epoch" and symbol == ">=" and not isinstance(b, Traced) and b == 0:
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

    def __pow__(self, other: Any) -> NoReturn:
        self._refuse("uses `**`", "multiply, or use `sqrt`")

    __rpow__ = __pow__

    def __floordiv__(self, other: Any) -> NoReturn:
        self._refuse("uses `//`", "use `/` or `%` by a constant")

    __rfloordiv__ = __floordiv__

    def __invert__(self) -> NoReturn:
        self._refuse("uses `~` on a truth value", "use `invert` (Python's ~True is -2)")

    def __abs__(self) -> Traced:
        return self.tape.emit("abs({0})", self.kind, self, ufunc="absolute")

    def __neg__(self) -> Traced:
        if self.kind == "bool":
            self._refuse("negates a truth value", "use `invert`")
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


def _name(value: Any) -> str:
    return value.name if isinstance(value, Traced) else ""


class Line(NamedTuple):
    """One recorded operation."""

    name: str
    form: str  # how it is written for numbers, with {0}, {1}, ... for the values
    ufunc: str  # NumPy's name for it; "" where it has none
    values: tuple[Any, ...]
    kind: str


_UFUNCS = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "%": "remainder",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
    "and": "logical_and",
    "or": "logical_or",
}


class Trace:
    """The lines recorded so far: every value gets a name once, equal expressions share theirs.

    The names stand between NUL characters, which no literal contains, until all is written out.
    """

    def __init__(self) -> None:
        self.owner = "Rule"  # the rule being recorded, for errors
        self.lines: list[Line] = []
        self.names: dict[str, Any] = {"inf": math.inf, "nan": math.nan}  # what the lines refer to
        self._known: dict[str, Traced] = {}

    def refuse(self, what: str, instead: str) -> NoReturn:
        raise RuleError(
            f"`{self.owner}.step` {what}, which cannot be done for many runs at once: {instead}"
        )

    def emit(self, form: str, kind: str, *values: Any, ufunc: str = "") -> Traced:
        """Record an operation and give its result a name."""
        text = form.format(*map(self.text, values))
        if text not in self._known:
            name = f"\0t{len(self.lines)}\0"
            self.lines.append(Line(name, form, ufunc, values, kind))
            self._known[text] = Traced(self, name, kind)
        return self._known[text]

    def infix(self, symbol: str, a: Any, b: Any, kind: str) -> Traced:
        return self.emit(f"{{0}} {symbol} {{1}}", kind, a, b, ufunc=_UFUNCS[symbol])

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
            if len(kinds) > 1 and kinds != {"int", "float"}:
                self.refuse(f"chooses between a {' and a '.join(sorted(kinds))}", "use one kind")
            kind = kinds.pop() if len(kinds) == 1 else "float"
        elif kind == "same":
            kind = self.kind(values[0])
        form = operation.inline or self._call(operation.scalar, len(values))
        return self.emit(form, kind, *values, ufunc=operation.ufunc)

    def _call(self, function: Callable[..., Any], arguments: int) -> str:
        name = next((name for name, known in self.names.items() if known is function), "")
        name = name or f"f{len(self.names)}_{function.__name__.strip('_<>')}"
        self.names[name] = function
        return f"{name}({', '.join(f'{{{place}}}' for place in range(arguments))})"

    def text(self, value: Any) -> str:
        """A value as it is written in a function."""
        if isinstance(value, Traced):
            return value.name
        if isinstance(value, tuple):
            return f"({', '.join(map(self.text, value))},)"
        # As what it is, not as its type prints: NumPy's numbers and enums are numbers here.
        text = repr({"bool": bool, "int": int, "float": float}[self.kind(value)](value))
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

    def needed(self, outputs: Sequence[Any]) -> list[Line]:
        """The lines that the outputs rest on."""
        wanted = {name for output in outputs for name in names_in(output)}
        kept = []
        for line in reversed(self.lines):
            if line.name in wanted:
                wanted.update(names_in(line.values))
                kept.append(line)
        return kept[::-1]


def names_in(value: Any) -> list[str]:
    """The names of the traced values in a value, a tuple of values, ..."""
    if isinstance(value, tuple):
        return [name for part in value for name in names_in(part)]
    return [value.name] if isinstance(value, Traced) else []


def _any_nonfinite(metrics: dict[str, float], hidden: tuple[str, ...]) -> bool:
    return not all(math.isfinite(metrics[name]) for name in metrics if name not in hidden)


class TracedMetrics:
    """Stands for the metrics of an epoch, as a dict that may lack some.

    sure: the metrics that the epoch does not lack: somebody has looked before.
    """

    def __init__(self, tape: Trace, sure: frozenset[str] = frozenset()) -> None:
        self.tape, self._sure = tape, sure
        self._shown: dict[str, Any] = {}
        self._asked: set[str] = set()

    def of_rule(self) -> TracedMetrics:
        """The same for another rule, which has asked for nothing yet."""
        other = copy.copy(self)
        other._asked = set()
        return other

    def reported(self, names: tuple[str, ...]) -> Any:
        self._asked.update(names)
        present: Any = True
        for name in names:
            present = present & self._has(name)
        return present

    def __getitem__(self, name: str) -> Any:
        if name not in self._asked:
            self.tape.refuse(
                f"reads the metric {name!r}, which is not among its monitors",
                "keep the name in a field called `monitor` or `..._monitor`, or ask "
                "`reported(metrics, (name,))` first",
            )
        return self._shown[name] if name in self._shown else self._value(name)

    def _no_dict(self, *_: Any, **__: Any) -> NoReturn:
        self.tape.refuse(
            "goes through the metrics, or asks whether one is there",
            "read those you name, with `metrics[name]`; ask `reported(metrics, (name,))`",
        )

    __iter__ = __contains__ = __len__ = get = items = keys = values = _no_dict

    def replaced(self, name: str, value: Any) -> TracedMetrics:
        other = copy.copy(self)
        other._shown = {**self._shown, name: value}
        return other

    def any_nonfinite(self) -> Any:
        found = self._any_nonfinite_but(tuple(self._shown))
        for name, value in self._shown.items():
            bad = self.tape.infix("!=", value - value, 0.0, "bool")
            found = found | (self._has(name) & bad)
        return found

    def _has(self, name: str) -> Any:
        return name in self._sure or self.tape.emit(f"{_literal(name)} in m", "bool")

    def _value(self, name: str) -> Any:
        sure = name in self._sure
        return self.tape.emit(
            f"m[{_literal(name)}]" if sure else f"m.get({_literal(name)}, nan)", "float"
        )

    def _any_nonfinite_but(self, hidden: tuple[str, ...]) -> Any:
        self.tape.names["any_nonfinite"] = _any_nonfinite
        return self.tape.emit(f"any_nonfinite(m, {_literal(hidden)})", "bool")


def _literal(value: object) -> str:
    return repr(value).replace("{", "{{").replace("}", "}}")


class Recording(NamedTuple):
    """The steps of some rules, recorded."""

    tape: Trace
    first: list[Any]  # the leaves of the rules' states before the first epoch
    inputs: list[Traced]  # what stands for them
    outputs: list[Any]  # the leaves after a step
    answers: list[Any]  # whether each rule fires


def record(
    rules: Sequence[Any],
    advance: Callable[..., tuple[Any, Any]],
    metrics_of: Callable[[Trace], Any],
    same_as: Sequence[int] | None = None,
) -> Recording:
    """Run the steps of several rules once, on stand-ins.

    advance: `advance(rule, state, metrics, epoch)`, the guarded step of `rule.py`.
    metrics_of: makes what stands for the metrics.
    same_as: for every leaf of the states, the leaf it is always equal to (itself, if left out).

    Raises RuleError for a step that cannot be recorded, or that returns a state of another shape
    than `init()`.
    """
    tape = Trace()
    metrics = metrics_of(tape)
    epoch = Traced(tape, "epoch", "int")
    made = Recording(tape, [], [], [], [])
    for rule in rules:
        tape.owner = type(rule).__name__
        shape = rule.init()
        _check_shape(tape, shape)
        first = flatten(shape)
        places = range(len(made.first), len(made.first) + len(first))
        kinds = [tape.kind(leaf) for leaf in first]
        stand_ins = [
            Traced(tape, f"\0s{same_as[place] if same_as else place}\0", kind)
            for place, kind in zip(places, kinds, strict=True)
        ]
        state, fires = advance(rule, unflatten(shape, iter(stand_ins)), metrics, epoch)
        made.first.extend(first)
        made.inputs.extend(stand_ins)
        made.outputs.extend(_checked_state(tape, shape, state, kinds))
        if tape.kind(fires) != "bool":
            raise RuleError(
                f"`{tape.owner}.step` must say whether it fires with a truth value, "
                f"not a {tape.kind(fires)}: end with a comparison"
            )
        made.answers.append(fires)
    return made


def _check_shape(tape: Trace, shape: Any) -> None:
    if not _is_state(shape):
        raise RuleError(
            f"`{tape.owner}.init` must give a NamedTuple of numbers and windows (tuples of "
            f"numbers), or () for a rule that remembers nothing, got {shape!r}"
        )


def _is_state(tree: Any) -> bool:
    """Is it a NamedTuple of numbers, windows and states, or a plain tuple of states?"""
    if not isinstance(tree, tuple):
        return False
    if not hasattr(tree, "_fields"):
        return all(map(_is_state, tree))
    return all(
        isinstance(part, (int, float))
        or (is_window(part) and all(isinstance(x, (int, float)) for x in part))
        or _is_state(part)
        for part in tree
    )


def _checked_state(tape: Trace, shape: Any, state: Any, kinds: list[str]) -> list[Any]:
    if _skeleton(state) != _skeleton(shape):
        raise RuleError(
            f"`{tape.owner}.step` returned a state of another shape than `init()`: "
            f"{state!r} where {shape!r} was expected"
        )
    flat = flatten(state)
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
