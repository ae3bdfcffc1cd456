"""Stand-ins for future values: running a `step` on them records what it does.

A rule's `step` is written in operations that never look at a value (see `ops.py`). So it can be run
once on stand-ins whose operators add lines to a `Trace` (see `tape.py`) instead of computing. From
that trace the engine writes the same step as straight-line code for numbers and for arrays. A
`step` that cannot run on many runs at once (because it has an `if` on a metric, say) is refused
here, with advice on what to write instead.

    state --flatten--> s0 s1 ... --step on Traced values--> lines --written out--> a function
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import RuleError
from .tape import Computation, Kind, Operand, Recorded, Ref, Trace, WindowItem

__all__ = ["Traced", "kind_of", "operand_of", "record_operation", "traced"]

_INFIX = {
    symbol: Computation(function, inline=f"{{0}} {symbol} {{1}}", ufunc=ufunc)
    for symbol, function, ufunc in (
        ("+", operator.add, "add"),
        ("-", operator.sub, "subtract"),
        ("*", operator.mul, "multiply"),
        ("/", operator.truediv, "divide"),
        ("%", operator.mod, "remainder"),
        ("<", operator.lt, "less"),
        ("<=", operator.le, "less_equal"),
        (">", operator.gt, "greater"),
        (">=", operator.ge, "greater_equal"),
        ("==", operator.eq, "equal"),
        ("!=", operator.ne, "not_equal"),
        ("and", operator.and_, "logical_and"),
        ("or", operator.or_, "logical_or"),
    )
}
_ABSOLUTE = Computation(abs, inline="abs({0})", ufunc="abs")
_PYTHON_TYPES: tuple[tuple[Kind, type[Any]], ...] = (
    ("bool", bool),
    ("int", int),
    ("float", float),
    ("window", tuple),
)


class Traced:
    """Stands for a value that will be known when the recorded step runs."""

    __slots__ = ("ref", "trace")

    def __init__(self, trace: Trace, ref: Ref) -> None:
        self.trace, self.ref = trace, ref

    @property
    def kind(self) -> Kind:
        return self.ref.kind

    def __repr__(self) -> str:
        return f"<a {self.kind} that will be known later>"

    # Refused: operations that need the value itself ------------------------------------------

    def __bool__(self) -> NoReturn:
        self.trace.refuse(
            "asks for the truth of a metric or state (`if`, `and`, `or`, `not`, `min`, `max`)",
            "use `where`, `&`, `|`, `invert` from earlystop.ops",
        )

    def __float__(self) -> NoReturn:
        self.trace.refuse(
            "turns a metric or state into a plain number (`float`, `math.sqrt`, ...)",
            "use arithmetic and the operations of earlystop.ops",
        )

    __int__ = __index__ = __round__ = __float__

    def __iter__(self) -> NoReturn:
        self.trace.refuse(
            "iterates over a window",
            "use `push`, `total`, `lowest`, `deviation` from earlystop.ops",
        )

    __hash__ = None  # type: ignore[assignment]  # `==` records a comparison

    def __len__(self) -> NoReturn:
        self.trace.refuse("asks for the length of a window", "take it from the rule's own fields")

    def __pow__(self, other: Any) -> NoReturn:
        self.trace.refuse("uses `**`", "multiply, or use `sqrt`")

    __rpow__ = __pow__

    def __floordiv__(self, other: Any) -> NoReturn:
        self.trace.refuse("uses `//`", "use `/` or `%` by a constant")

    __rfloordiv__ = __floordiv__

    def __invert__(self) -> NoReturn:
        self.trace.refuse("uses `~` on a truth value", "use `invert` (Python's ~True is -2)")

    # Recorded operations ---------------------------------------------------------------------

    def __getitem__(self, index: int) -> Traced:
        if self.kind != "window":
            self.trace.refuse("takes an item of a number", "only a window has items")
        if isinstance(index, slice):
            self.trace.refuse("takes a slice of a window", "use `push` to advance it")
        return traced(self.trace, WindowItem(operator.index(index)), "float", self)

    def _arithmetic(self, symbol: str, a: Any, b: Any) -> Traced:
        kinds = [kind_of(self.trace, a), kind_of(self.trace, b)]
        if "window" in kinds or kinds == ["bool", "bool"]:
            self.trace.refuse(f"computes {kinds[0]} {symbol} {kinds[1]}", "use numbers there")
        kind: Kind = "float" if "float" in kinds or symbol == "/" else "int"
        if kind == "int" and symbol == "*" and not (_is_epoch(a) or _is_epoch(b)):
            self.trace.refuse(
                "multiplies whole numbers, which may overflow in an array", "use floats"
            )
        a, b = (int(x) if isinstance(x, bool) else x for x in (a, b))
        return traced(self.trace, _INFIX[symbol], kind, a, b)

    def _division(self, symbol: str, a: Any, b: Any) -> Traced:
        if isinstance(b, Traced) or b == 0:
            self.trace.refuse(
                f"uses `{symbol}` with a divisor that may be 0",
                "use `divide`, which gives infinity or NaN as NumPy does",
            )
        return self._arithmetic(symbol, a, b)

    def _comparison(self, symbol: str, other: Any) -> Any:
        # True at every epoch: `start_from_epoch=0` must cost nothing.
        if _is_epoch(self) and symbol == ">=" and not isinstance(other, Traced) and other == 0:
            return True
        if "window" in (self.kind, kind_of(self.trace, other)):
            self.trace.refuse("compares a window", "compare its values")
        return traced(self.trace, _INFIX[symbol], "bool", self, other)

    def _logic(self, symbol: str, other: Any) -> Any:
        if self.kind != "bool" or kind_of(self.trace, other) != "bool":
            self.trace.refuse("uses `&` or `|` on numbers", "compare first: `(a < b) & (c < d)`")
        if isinstance(other, bool):
            return self if other == (symbol == "and") else other
        return traced(self.trace, _INFIX[symbol], "bool", self, other)

    def __add__(self, other: Any) -> Traced:
        return self._arithmetic("+", self, other)

    def __radd__(self, other: Any) -> Traced:
        return self._arithmetic("+", other, self)

    def __sub__(self, other: Any) -> Traced:
        return self._arithmetic("-", self, other)

    def __rsub__(self, other: Any) -> Traced:
        return self._arithmetic("-", other, self)

    def __mul__(self, other: Any) -> Traced:
        return self._arithmetic("*", self, other)

    def __rmul__(self, other: Any) -> Traced:
        return self._arithmetic("*", other, self)

    def __truediv__(self, other: Any) -> Traced:
        return self._division("/", self, other)

    def __rtruediv__(self, other: Any) -> Traced:
        return self._division("/", other, self)

    def __mod__(self, other: Any) -> Traced:
        return self._division("%", self, other)

    def __abs__(self) -> Traced:
        return traced(self.trace, _ABSOLUTE, self.kind, self)

    def __neg__(self) -> Traced:
        if self.kind == "bool":
            self.trace.refuse("negates a truth value", "use `invert`")
        if self.kind == "int":
            return self._arithmetic("-", 0, self)
        return self._arithmetic("*", -1.0, self)

    def __lt__(self, other: Any) -> Any:
        return self._comparison("<", other)

    def __le__(self, other: Any) -> Any:
        return self._comparison("<=", other)

    def __gt__(self, other: Any) -> Any:
        return self._comparison(">", other)

    def __ge__(self, other: Any) -> Any:
        return self._comparison(">=", other)

    def __eq__(self, other: object) -> Any:
        return self._comparison("==", other)

    def __ne__(self, other: object) -> Any:
        return self._comparison("!=", other)

    def __and__(self, other: Any) -> Any:
        return self._logic("and", other)

    def __or__(self, other: Any) -> Any:
        return self._logic("or", other)

    __rand__, __ror__ = __and__, __or__


def _is_epoch(value: Any) -> bool:
    return isinstance(value, Traced) and value.ref.name == "epoch"


def kind_of(trace: Trace, value: Any) -> Kind:
    """The kind of a value, traced or plain. Raises RuleError for an unsupported type."""
    if isinstance(value, Traced):
        return value.kind
    for kind, python_type in _PYTHON_TYPES:
        if isinstance(value, python_type):
            return kind
    raise RuleError(
        f"`{trace.owner}.step` computes with {value!r}: expected a number, a truth value or a "
        "window (a tuple of numbers)"
    )


def operand_of(trace: Trace, value: Any) -> Operand:
    """The value as it is kept in a trace. NumPy numbers and enums become Python numbers."""
    if isinstance(value, Traced):
        return value.ref
    if isinstance(value, tuple):
        return tuple(operand_of(trace, item) for item in value)
    python_type: Any = dict(_PYTHON_TYPES)[kind_of(trace, value)]
    return python_type(value)


def traced(trace: Trace, operation: Recorded, kind: Kind, *values: Any) -> Traced:
    """Record an operation on values; return the stand-in for its result."""
    operands = [operand_of(trace, value) for value in values]
    return Traced(trace, trace.emit(operation, kind, *operands))


def record_operation(trace: Trace, operation: Any, values: Sequence[Any]) -> Any:
    """Record an `Operation` of `ops.py`; the result is traced, or plain if it is already known."""
    if operation.kind == "where":
        condition, a, b = values
        if isinstance(condition, bool):
            return a if condition else b
        if kind_of(trace, condition) != "bool":
            trace.refuse("gives `where` a number to decide on", "give it a comparison")
        kind = _common_kind(trace, a, b)
    elif operation.of_finite is not None and values[0].ref.finite:
        return operation.of_finite
    elif operation.kind == "same":
        kind = kind_of(trace, values[0])
    else:
        kind = operation.kind
    return traced(trace, operation, kind, *values)


def _common_kind(trace: Trace, a: Any, b: Any) -> Kind:
    kinds = {kind_of(trace, a), kind_of(trace, b)}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds != {"int", "float"}:
        trace.refuse(f"chooses between a {' and a '.join(sorted(kinds))}", "use one kind")
    return "float"
