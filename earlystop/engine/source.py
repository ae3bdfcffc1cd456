"""Generated functions: their expressions, the names they use, and how they are defined."""

from __future__ import annotations

import itertools
import linecache
import math
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from ..language.tape import (
    Computation,
    Line,
    MetricPresent,
    MetricValue,
    Operand,
    Ref,
    WindowItem,
)

__all__ = ["Names", "define", "expression", "operand_text", "template_of"]


class Names:
    """The globals of a generated function.

    given: the expressions of metrics that are not looked up among those of the check, by name.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self.given = given or {}
        self.values: dict[str, Any] = {"inf": math.inf, "nan": math.nan}

    def of(self, function: Callable[..., Any]) -> str:
        """The name of a function; its first use assigns one."""
        for name, known in self.values.items():
            if known is function:
                return name
        name = f"f{len(self.values)}_{function.__name__.strip('_<>')}"
        self.values[name] = function
        return name


def operand_text(operand: Operand, texts: Mapping[str, str]) -> str:
    """The source text of an operand; `texts` has those of refs, by name."""
    if isinstance(operand, Ref):
        return texts.get(operand.name, operand.name)
    if isinstance(operand, tuple):
        return f"({', '.join(operand_text(item, texts) for item in operand)},)"
    text = repr(operand)
    return f"({text})" if text.startswith("-") else text


def template_of(line: Line, names: Names) -> str:
    """The source text of a line for numbers, with {0}, {1}, ... for its operands."""
    operation = line.operation
    if isinstance(operation, Computation):
        return operation.inline or _call(names.of(operation.scalar), len(line.operands))
    if isinstance(operation, WindowItem):
        return f"{{0}}[{operation.index}]"
    if isinstance(operation, MetricValue):
        if operation.name in names.given:
            return names.given[operation.name]
        name = _literal(operation.name)
        return f"m[{name}]" if operation.certain else f"m.get({name}, nan)"
    if isinstance(operation, MetricPresent):
        return f"{_literal(operation.name)} in m"
    return f"{names.of(any_nonfinite)}(m, {_literal(operation.hidden)})"


def expression(line: Line, texts: Mapping[str, str], names: Names) -> str:
    """The source text of a line for numbers."""
    operands = [operand_text(operand, texts) for operand in line.operands]
    return template_of(line, names).format(*operands)


def _call(name: str, arguments: int) -> str:
    return f"{name}({', '.join(f'{{{index}}}' for index in range(arguments))})"


def _literal(value: object) -> str:
    return repr(value).replace("{", "{{").replace("}", "}}")


def any_nonfinite(metrics: Mapping[str, float], hidden: tuple[str, ...]) -> bool:
    """The operation `AnyNonFinite` on numbers."""
    return not all(math.isfinite(metrics[name]) for name in metrics if name not in hidden)


_serial_numbers = itertools.count(1)


def define(source: str, names: Names, title: str) -> Any:
    """The function `advance` that the source defines; its docstring is its source.

    While the function exists, `linecache` holds its source, so that tracebacks and debuggers can
    show its lines.
    """
    filename = f"<earlystop {next(_serial_numbers)}: {title}>"
    exec(compile(source, filename, "exec"), names.values)  # noqa: S102  # made from the rules alone
    function = names.values.pop("advance")  # breaks the cycle, so that it is freed at once
    function.__doc__ = source
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    weakref.finalize(function, linecache.cache.pop, filename, None).atexit = False
    return function
