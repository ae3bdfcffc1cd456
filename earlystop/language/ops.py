"""The operations that a rule's `step` is written in: right for one run and for many at once.

A rule runs on three kinds of values without knowing which: Python numbers (one live run), arrays
(one item per run, or one number on a device) of NumPy, JAX, torch or any library that follows the
array API, and traced values that stand for future numbers (see `tracing.py`). `+ - *`,
comparisons, and `&` and `|` on booleans work on all of them. For everything else (a choice, a
`not`, a division by a possible zero, ...) use the operations below: Python's own `if`, `and`,
`not`, `min` and `sum` need one truth value where an array holds many, and a traced value refuses
them.

A *window* is a plain tuple of numbers, oldest first; `push` advances it by one check. In `step` its
values are taken by number: it can be neither iterated over nor sliced.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from .direction import Mode
from .namespaces import array_function, namespace_of
from .tape import Computation
from .tracing import Traced, record_operation

__all__ = [
    "Operation",
    "absolute",
    "any_nonfinite",
    "as_float32",
    "better",
    "deviation",
    "divide",
    "improves",
    "in_dtype",
    "invert",
    "is_zero",
    "isfinite",
    "isnan",
    "lowest",
    "push",
    "replaced",
    "reported",
    "sqrt",
    "total",
    "where",
    "worsened",
    "worst",
]

# A number or boolean, an array of them with one item per run, or a traced value.
Value = Any

Dtype = Literal["float64", "float32"]
"""The floating-point type in which values are compared."""

_FLOAT32 = struct.Struct("f")  # the native format packs values that are too large as infinity


class Operation(Computation):
    """One operation on numbers, arrays and traced values; the arguments decide which.

    scalar: the operation on numbers.
    inline: how generated code for numbers spells it; by default it calls `scalar`.
    ufunc: the name of the same operation in array libraries. Without one, `scalar` must also
        accept arrays.
    kind: the kind of the result: "float", "bool", "window", "same" (that of the argument), or
        "where" (that of the two alternatives).
    of_finite: what it answers for every finite number, if that is always the same.
    """

    def __init__(
        self,
        scalar: Callable[..., Any],
        *,
        inline: str = "",
        ufunc: str = "",
        kind: str = "float",
        of_finite: bool | None = None,
    ) -> None:
        super().__init__(scalar, inline=inline, ufunc=ufunc)
        self.kind, self.of_finite = kind, of_finite

    def __call__(self, *values: Value) -> Value:
        array: Any = None
        for value in values:
            if isinstance(value, Traced):
                return record_operation(value.trace, self, values)
            if array is None and not isinstance(value, (int, float, tuple)):
                array = value
        if array is None or not self.ufunc:
            return self.scalar(*values)
        return array_function(array, self.ufunc)(*values)


def _divide(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0 or a != a:
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _sqrt(a: float) -> float:
    return math.sqrt(a) if a >= 0 else math.nan


def _total(values: Iterable[Value]) -> Value:
    # One by one from the left: since 3.12 Python's own sum compensates floats, NumPy's does not.
    iterator = iter(values)
    result = next(iterator)
    for value in iterator:
        result = result + value
    return result


def _lowest(window: tuple[Value, ...]) -> Value:
    result = window[0]
    for value in window[1:]:
        result = where((value < result) | (value != value), value, result)
    return result


def _deviation(window: tuple[Value, ...]) -> Value:
    # Relative to the first value, so that equal values have a deviation of exactly 0. The
    # differences are computed twice, because keeping them for many runs would take more memory.
    first = window[0]
    mean = _total(value - first for value in window) / len(window)
    return sqrt(_total(_squared((value - first) - mean) for value in window) / len(window))


def _squared(value: Value) -> Value:
    return value * value


def _as_float32(value: Value) -> Value:
    if isinstance(value, (float, int)):
        return _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    import numpy

    namespace = namespace_of(value)
    with numpy.errstate(over="ignore", under="ignore"):
        return namespace.asarray(value, dtype=namespace.float32)


_choose = Operation(
    lambda condition, a, b: a if condition else b,
    inline="{1} if {0} else {2}",
    ufunc="where",
    kind="where",
)
invert = Operation(operator.not_, inline="not {0}", ufunc="logical_not", kind="bool")
"""`invert(condition)`: logical not (Python's `~True` is -2)."""

isfinite = Operation(
    math.isfinite, inline="{0} - {0} == 0.0", ufunc="isfinite", kind="bool", of_finite=True
)
"""`isfinite(value)`: neither NaN nor infinite."""

isnan = Operation(math.isnan, inline="{0} != {0}", ufunc="isnan", kind="bool", of_finite=False)
"""`isnan(value)`: not a number."""

absolute = Operation(abs, inline="abs({0})", ufunc="abs", kind="same")
"""`absolute(value)`: the magnitude."""

divide = Operation(_divide, ufunc="divide")
"""`divide(a, b)`: IEEE 754 division: x / 0 is infinite, 0 / 0 is NaN."""

as_float32 = Operation(_as_float32)
"""`as_float32(value)`: rounded to the nearest float32; infinite beyond its range."""

sqrt = Operation(_sqrt, ufunc="sqrt")
"""`sqrt(value)`: the square root, NaN below 0."""

push = Operation(
    lambda window, value: (*window[1:], value), inline="(*{0}[1:], {1})", kind="window"
)
"""`push(window, value)`: the window one check later, without its oldest value and with `value`."""

total = Operation(_total)
"""`total(window)`: the sum of a window, added from the oldest value on."""

lowest = Operation(_lowest)
"""`lowest(window)`: the smallest value of a window, NaN if any is."""

deviation = Operation(_deviation)
"""`deviation(window)`: the population standard deviation of a window."""


def where(condition: Value, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`: numbers, windows or whole states."""
    if condition is True:
        return a
    if condition is False or a is b:
        return b
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        items = [where(condition, x, y) for x, y in zip(a, b, strict=True)]
        return type(a)(*items) if hasattr(a, "_fields") else tuple(items)
    return _choose(condition, a, b)


def worst(mode: Mode) -> float:
    """The value that every other value improves on. (The `mode` of a rule is "min" or "max".)

    >>> worst("min")
    inf
    """
    return math.inf if mode == "min" else -math.inf


def better(value: Value, reference: Value, mode: Mode) -> Value:
    """Is `value` strictly better than `reference`? False if either of them is NaN."""
    return value < reference if mode == "min" else value > reference


def in_dtype(dtype: Dtype, one: Value, other: Value) -> tuple[Value, Value]:
    """Two values in the type in which they are compared."""
    return (as_float32(one), as_float32(other)) if dtype == "float32" else (one, other)


def worsened(value: Value, margin: Value, mode: Mode) -> Value:
    """The value made worse by a margin."""
    return value + margin if mode == "min" else value - margin


def is_zero(margin: Value) -> bool:
    """Is it a plain number that is 0? Then adding it would only take time."""
    return isinstance(margin, float) and margin == 0


def improves(
    value: Value, reference: Value, mode: Mode, min_delta: Value, dtype: Dtype = "float64"
) -> Value:
    """Is `value` better than `reference` by more than `min_delta`?

    This is what rules call an improvement, unless their `Improvement` says otherwise.

    dtype: the type in which the two sides are compared. The sum is computed in float64, and then
        rounded.

    >>> improves(0.5, 0.625, "min", 0.125), improves(0.49, 0.625, "min", 0.125)
    (False, True)
    >>> improves(1 - 1e-9, 1.0, "min", 0.0), improves(1 - 1e-9, 1.0, "min", 0.0, "float32")
    (True, False)
    """
    if not is_zero(min_delta):  # without a margin, the sum is the value
        value = worsened(value, min_delta, mode)
    return better(*in_dtype(dtype, value, reference), mode)


def reported(metrics: Any, names: tuple[str, ...]) -> Value:
    """Were all of `names` reported at this check?"""
    if isinstance(metrics, Mapping):
        return all(name in metrics for name in names)
    return metrics.reported(names)


def replaced(metrics: Any, name: str, value: Value) -> Any:
    """The metrics of this check with `value` in place of `name`, if `name` was reported."""
    if isinstance(metrics, Mapping):
        make: Any = type(metrics)
        return make({**metrics, name: value}) if name in metrics else metrics
    return metrics.replaced(name, value)


def any_nonfinite(metrics: Any) -> Value:
    """Is any metric reported at this check NaN or infinite?"""
    if not isinstance(metrics, Mapping):
        return metrics.any_nonfinite()
    found: Any = False
    for value in metrics.values():
        found = found | invert(isfinite(value))
    return found
