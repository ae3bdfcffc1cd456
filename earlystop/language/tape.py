"""The record of a step: which values it computes, from which operands, by which operations.

A `Trace` collects lines. Each line computes one value, called a `Ref`, from operands. An operand is
a `Ref`, a constant (a bool, int or float), or a tuple of operands (a window). An operation that was
already recorded with the same operands is not recorded again. Lines are data: the writers in
`earlystop.engine` turn them into code.

There are five kinds of operation: `Computation` (a function of the operands), `WindowItem`, and
three that read metrics: `MetricValue`, `MetricPresent`, `AnyNonFinite`. Equal operations have equal
keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, NoReturn

from ..errors import RuleError

__all__ = [
    "AnyNonFinite",
    "Computation",
    "Kind",
    "Line",
    "MetricPresent",
    "MetricValue",
    "Operand",
    "Recorded",
    "Ref",
    "Trace",
    "WindowItem",
    "needed_lines",
    "operand_key",
    "refs_in",
]

Kind = Literal["bool", "int", "float", "window"]


class Ref:
    """A value that will be known when the recorded step runs.

    finite: whether it is known to be neither NaN nor infinite.
    """

    __slots__ = ("finite", "kind", "name")

    def __init__(self, name: str, kind: Kind) -> None:
        self.name, self.kind, self.finite = name, kind, False

    def __repr__(self) -> str:
        return f"Ref({self.name!r}, {self.kind!r})"


Operand = Any  # Ref | bool | int | float | tuple[Operand, ...]


class Computation:
    """A function of the operands, and how to write it as code.

    scalar: the function on numbers.
    inline: the expression for numbers, with {0}, {1}, ... for the operands; "" to call `scalar`.
    ufunc: its name in array libraries; "" if they lack it.
    """

    def __init__(self, scalar: Callable[..., Any], *, inline: str = "", ufunc: str = "") -> None:
        self.scalar, self.inline, self.ufunc = scalar, inline, ufunc
        self.key = (inline or scalar,)


class WindowItem:
    """One value of a window; a negative index counts back from the newest."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.key = (WindowItem, index)


class MetricValue:
    """The value of a metric: NaN if it was not reported, which `certain` rules out."""

    def __init__(self, name: str, certain: bool) -> None:
        self.name, self.certain = name, certain
        self.key = (MetricValue, name, certain)


class MetricPresent:
    """Was the metric reported at this check?"""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = (MetricPresent, name)


class AnyNonFinite:
    """Is any reported metric NaN or infinite, apart from the `hidden` ones?"""

    def __init__(self, hidden: tuple[str, ...]) -> None:
        self.hidden = hidden
        self.key = (AnyNonFinite, hidden)


Recorded = Computation | WindowItem | MetricValue | MetricPresent | AnyNonFinite


class Line(NamedTuple):
    """One recorded operation."""

    result: Ref
    operation: Recorded
    operands: tuple[Operand, ...]

    @property
    def ufunc(self) -> str:
        """The name of the operation in array libraries; "" if they lack it."""
        return self.operation.ufunc if isinstance(self.operation, Computation) else ""


class Trace:
    """The lines recorded so far, and the name of the rule that is being recorded."""

    def __init__(self) -> None:
        self.owner = "Rule"
        self.lines: list[Line] = []
        self._known: dict[Any, Ref] = {}

    def refuse(self, what: str, instead: str) -> NoReturn:
        """Raise RuleError for a step that does something that cannot be recorded.

        what: what the step does, as a verb phrase. instead: what to write in its place.
        """
        raise RuleError(
            f"`{self.owner}.step` {what}, which cannot be done for many runs at once: {instead}"
        )

    def emit(self, operation: Recorded, kind: Kind, *operands: Operand) -> Ref:
        """Record an operation, unless it has been recorded already, and return its result."""
        key = (operation.key, *map(operand_key, operands))
        result = self._known.get(key)
        if result is None:
            result = self._known[key] = Ref(f"t{len(self.lines)}", kind)
            self.lines.append(Line(result, operation, operands))
        return result


def operand_key(operand: Operand) -> Any:
    """A key that is equal for equal operands; 0, 0.0, -0.0 and False are all different."""
    if isinstance(operand, Ref):
        return operand.name
    if isinstance(operand, tuple):
        return tuple(map(operand_key, operand))
    return type(operand), repr(operand)


def refs_in(operand: Operand) -> Iterator[Ref]:
    """The refs in an operand, or in a tuple of operands, in order."""
    if isinstance(operand, Ref):
        yield operand
    elif isinstance(operand, tuple):
        for item in operand:
            yield from refs_in(item)


def needed_lines(lines: Sequence[Line], results: Sequence[Operand]) -> list[Line]:
    """The lines that the results depend on, in order."""
    wanted = {ref.name for ref in refs_in(tuple(results))}
    kept = []
    for line in reversed(lines):
        if line.result.name in wanted:
            wanted.update(ref.name for ref in refs_in(line.operands))
            kept.append(line)
    return kept[::-1]
