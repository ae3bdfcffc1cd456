"""Bounds in recorded steps: keeping a value within a constant takes one array operation."""

from __future__ import annotations

from collections.abc import Sequence

from ..language.tape import Computation, Line, Operand

__all__ = ["with_bounds"]

_BOUNDS = {
    "less": Computation(max, ufunc="maximum"),  # x where not x < bound, else the bound
    "greater": Computation(min, ufunc="minimum"),
}


def with_bounds(lines: Sequence[Line]) -> list[Line]:
    """The lines with `where(x < bound, bound, x)` as a maximum, and with `>` as a minimum.

    Both give NaN for NaN. The bound is a constant, but not NaN, nor 0, whose sign
    might differ.
    """
    made = {line.result.name: line for line in lines}
    return [
        line._replace(operation=bound, operands=(line.operands[2], line.operands[1]))
        if (bound := _bound_of(line, made))
        else line
        for line in lines
    ]


def _bound_of(line: Line, made: dict[str, Line]) -> Computation | None:
    """The maximum or minimum that a choice computes, if any; `made`: the lines by their result."""
    if line.ufunc != "where":
        return None
    condition, bound, value = line.operands
    test = made.get(condition.name)
    if test is None or test.ufunc not in _BOUNDS or not _is_number(bound):
        return None
    return _BOUNDS[test.ufunc] if test.operands == (value, bound) else None


def _is_number(operand: Operand) -> bool:
    return isinstance(operand, float) and abs(operand) > 0
