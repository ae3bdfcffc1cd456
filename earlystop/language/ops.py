"""The operations that a rule's `step` is written in: right for one run and for many at once.

A rule runs on three kinds of values without knowing which: Python numbers (one live run), NumPy
arrays with one lane per run (replay), and traced values that stand for numbers to come (see
`trace.py`). `+ - *`, comparisons, `&` and `|` on truth values work on all three as they are. For
the rest (a choice, a `not`, a division that may meet zero, ...) use what is here: Python's own
`if`, `and`, `not`, `min`, `sum` would look at one lane for all, and a traced value refuses them.

A *window* is a plain tuple of numbers, oldest first, that `push` moves on by one epoch.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from .direction import Mode
from .tracing import Traced

__all__ = [
    "Dtype",
    "absolute",
    "any_nonfinite",
    "as_float32",
    "better",
    "deviation",
    "divide",
    "improves",
    "invert",
    "isfinite",
    "isnan",
    "lowest",
    "push",
    "replaced",
    "reported",
    "sqrt",
    "total",
    "where",
    "worst",
]

# A number or truth value, an array of them with one lane per run, or a traced value.
Value = Any

Dtype = Literal["float64", "float32"]
"""The type of number in which values are compared."""

_FLOAT32 = struct.Struct("f")  # in native format, which packs what is too large as infinity


class Operation:
    """One operation in its three forms; which one applies is told from the arguments.

    scalar: what it does to numbers. ufunc: NumPy's name for the same; without one, the scalar form
    is written such that it does for arrays, too. inline: how it is written out for numbers; without
    it, the scalar form is called. kind: of what it gives.
    """

    def __init__(
        self,
        scalar: Callable[..., Any],
        *,
        inline: str = "",
        ufunc: str = "",
        kind: str = "float",
    ) -> None:
        self.scalar, self.inline, self.ufunc, self.kind = scalar, inline, ufunc, kind

    def __call__(self, *values: Value) -> Value:
        has_lanes = False
        for value in values:
            if isinstance(value, Traced):
                return value.tape.apply(self, values)
            has_lanes = has_lanes or not isinstance(value, (int, float, tuple))
        if has_lanes and self.ufunc:
            import numpy

            return getattr(numpy, self.ufunc)(*values)
        return self.scalar(*values)


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
    # From the left, one by one: Python's own sum compensates floats since 3.12, NumPy's does not.
    rest = iter(values)
    result = next(rest)
    for value in rest:
        result = result + value
    return result


def _lowest(window: tuple[Value, ...]) -> Value:
    result = window[0]
    for value in window[1:]:
        result = where((value < result) | (value != value), value, result)
    return result


def _deviation(window: tuple[Value, ...]) -> Value:
    # Taken from the first value, so that equal values have a deviation of exactly 0.
    # Lanes are many: what can be worked out again is not kept.
    first = window[0]
    mean = _total(value - first for value in window) / len(window)
    return sqrt(_total(_squared((value - first) - mean) for value in window) / len(window))


def _squared(value: Value) -> Value:
    return value * value


def _as_float32(value: Value) -> Value:
    if isinstance(value, (float, int)):
        return _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    import numpy

    with numpy.errstate(over="ignore", under="ignore"):
        return value.astype(numpy.float32)


_choose = Operation(
    lambda condition, a, b: a if condition else b,
    inline="{1} if {0} else {2}",
    ufunc="where",
    kind="where",
)
invert = Operation(operator.not_, inline="not {0}", ufunc="logical_not", kind="bool")
"""`invert(condition)`: not (Python's `~True` is -2)."""

isfinite = Operation(math.isfinite, inline="{0} - {0} == 0.0", ufunc="isfinite", kind="bool")
"""`isfinite(value)`: neither NaN nor infinite."""

isnan = Operation(math.isnan, inline="{0} != {0}", ufunc="isnan", kind="bool")
"""`isnan(value)`: not a number."""

absolute = Operation(abs, inline="abs({0})", ufunc="absolute", kind="same")
"""`absolute(value)`: the magnitude."""

divide = Operation(_divide, ufunc="divide")
"""`divide(a, b)`: as IEEE 754 has it: by zero is infinite, 0 by 0 is NaN."""

as_float32 = Operation(_as_float32)
"""`as_float32(value)`: rounded to float32, to nearest; infinite beyond its range."""

sqrt = Operation(_sqrt, ufunc="sqrt")
"""`sqrt(value)`: the square root, NaN below 0."""

push = Operation(
    lambda window, value: (*window[1:], value), inline="(*{0}[1:], {1})", kind="window"
)
"""`push(window, value)`: the window one epoch on: the oldest value leaves, `value` joins."""

total = Operation(_total)
"""`total(window)`: the sum of a window, added up from the oldest on."""

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
        parts = [where(condition, x, y) for x, y in zip(a, b, strict=True)]
        return type(a)(*parts) if hasattr(a, "_fields") else tuple(parts)
    return _choose(condition, a, b)


def worst(mode: Mode) -> float:
    """The value that every other improves on. (A rule's `mode` is never "auto" any more.)

    >>> worst("min")
    inf
    """
    return math.inf if mode == "min" else -math.inf


def better(value: Value, reference: Value, mode: Mode) -> Value:
    """Is `value` strictly better than `reference`? Nothing is better than, or worse than, a NaN."""
    return value < reference if mode == "min" else value > reference


def improves(
    value: Value, reference: Value, mode: Mode, min_delta: Value, dtype: Dtype = "float64"
) -> Value:
    """Is `value` better than `reference` by more than `min_delta`? The definition of improvement.

    dtype: the type in which the two sides are compared. The sum is taken in float64, and then
        rounded.

    >>> improves(0.5, 0.625, "min", 0.125), improves(0.49, 0.625, "min", 0.125)
    (False, True)
    >>> improves(1 - 1e-9, 1.0, "min", 0.0), improves(1 - 1e-9, 1.0, "min", 0.0, "float32")
    (True, False)
    """
    if not isinstance(min_delta, float) or min_delta != 0:  # without a margin, the sum is the value
        value = value + min_delta if mode == "min" else value - min_delta
    if dtype == "float32":
        value, reference = as_float32(value), as_float32(reference)
    return better(value, reference, mode)


def reported(metrics: Any, names: tuple[str, ...]) -> Value:
    """Were all of `names` reported at this epoch?"""
    if isinstance(metrics, Mapping):
        return all(name in metrics for name in names)
    return metrics.reported(names)


def replaced(metrics: Any, name: str, value: Value) -> Any:
    """The metrics of this epoch with another value for `name`, where `name` was reported."""
    if isinstance(metrics, Mapping):
        make: Any = type(metrics)
        return make({**metrics, name: value}) if name in metrics else metrics
    return metrics.replaced(name, value)


def any_nonfinite(metrics: Any) -> Value:
    """Is any metric that was reported at this epoch NaN or infinite?"""
    if isinstance(metrics, Mapping):
        return not all(map(math.isfinite, metrics.values()))
    return metrics.any_nonfinite()
