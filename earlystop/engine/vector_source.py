"""Recorded steps as one function for many runs: NumPy operations that write into registers.

The function takes the rows of the metrics, boolean rows that mark where they were reported, the
number of the check and the registers. It returns the answers and the registers, reordered so that
the state is where the next call expects it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..language.tape import (
    Kind,
    Line,
    MetricPresent,
    MetricValue,
    Operand,
    Ref,
    needed_lines,
    refs_in,
)
from .bounds import with_bounds
from .recording import Recording, metrics_read, presence_read
from .registers import Registers, last_uses
from .source import Names, define, expression, operand_text

__all__ = ["VectorCode", "live_outputs", "write_vector_code"]


class VectorCode(NamedTuple):
    """A function for many runs, and what its caller must provide.

    function: the compiled function.
    kinds: the kinds of the registers.
    initial: the values of some registers before the first check, by number.
    growth: the most by which a whole number can grow in a check.
    rows: the metrics whose values are read.
    present: the metrics whose presence is read.
    """

    function: Any
    kinds: list[Kind]
    initial: dict[int, Any]
    growth: float
    rows: frozenset[str]
    present: frozenset[str]


def write_vector_code(recording: Recording, names: Sequence[str], title: str) -> VectorCode:
    """The recorded steps as a function for many runs.

    names: the metrics, in the order of the rows.
    title: the name of the function in tracebacks.
    """
    return _Writer(recording, names).code(title)


class _Writer:
    """Walks the needed lines, and writes one or two statements for each."""

    def __init__(self, recording: Recording, names: Sequence[str]) -> None:
        self._answers = recording.answers
        self._outputs = live_outputs(recording)
        results = [*self._answers, *self._outputs.values()]
        self._lines = needed_lines(with_bounds(recording.lines), results)
        self._last_use = last_uses(self._lines, results)
        self._metric_names = names
        self._names = Names()
        self._registers = Registers()
        self._body: list[str] = []
        self._constants: dict[str, str] = {}  # their names, by what they are written as
        self._found: dict[tuple[str, str], str] = {}  # what `places` found: its name
        self._slots = self._allocate_state(recording)
        initial = {ref.name: x for ref, x in zip(recording.inputs, recording.initial, strict=True)}
        self._initial = {slot: initial[name] for name, slot in self._slots.items()}
        self._filled = self._allocate_bounds()

    def code(self, title: str) -> VectorCode:
        for index, line in enumerate(self._lines):
            self._write(index, line)
        order = self._final_order()
        registers = [f"r{register}" for register in range(len(self._registers.kinds))]
        answers = "".join(f"{self._text(answer)}, " for answer in self._answers)
        source = "\n    ".join(
            [
                f"def advance({', '.join(['rows', 'present', 'epoch', *registers])}):",
                *(f"# {name}: {text}" for text, name in self._constants.items()),
                *self._body,
                f"return ({answers}), ({''.join(f'r{register}, ' for register in order)})",
            ]
        )
        self._names.values.update(_numpy_functions(self._lines), **_as_arrays(self._constants))
        return VectorCode(
            define(source, self._names, title),
            self._registers.kinds,
            self._initial,
            growth_per_epoch(self._lines, self._initial.values()),
            metrics_read(self._lines),
            presence_read(self._lines),
        )

    def _allocate_state(self, recording: Recording) -> dict[str, int]:
        """Allocate a register for each live leaf of the state: register numbers by name."""
        kinds = {ref.name: ref.kind for ref in recording.inputs}
        slots = {name: self._registers.take(kinds[name]) for name in self._outputs}
        for name, slot in slots.items():
            self._registers.hold(name, slot)
        for name in slots:
            if name not in self._last_use:  # written, never read
                self._registers.release(name)
        return slots

    def _allocate_bounds(self) -> dict[float, int]:
        """A register filled with each constant that is a bound: register numbers by constant.

        With a single number in place of an array, NumPy's minimum and maximum take a slow loop.
        """
        bounds = [line for line in self._lines if line.ufunc in ("minimum", "maximum")]
        filled: dict[float, int] = {}
        for operand in (operand for line in bounds for operand in line.operands):
            if isinstance(operand, float) and operand not in filled:
                filled[operand] = self._registers.take("float")
                self._initial[filled[operand]] = operand
        return filled

    def _text(self, operand: Operand) -> str:
        """The source text of an operand. A float is an array made in advance, not in each call."""
        if not isinstance(operand, float):
            return operand_text(operand, self._registers.texts)
        return self._constants.setdefault(repr(operand), f"c{len(self._constants)}")

    def _operand_texts(self, line: Line) -> list[str]:
        if line.ufunc not in ("minimum", "maximum"):
            return [self._text(operand) for operand in line.operands]
        filled = {value: f"r{register}" for value, register in self._filled.items()}
        return [
            filled[operand] if isinstance(operand, float) else self._text(operand)
            for operand in line.operands
        ]

    def _write(self, index: int, line: Line) -> None:
        operation = line.operation
        if isinstance(operation, (MetricValue, MetricPresent)):
            # This row belongs to the caller: it is read in place and never written to.
            source = "rows" if isinstance(operation, MetricValue) else "present"
            number = self._metric_names.index(operation.name)
            self._body.append(f"{line.result.name} = {source}[{number}]")
        elif line.ufunc == "where":
            self._write_choice(line, self._dying(index, line))
        else:
            self._write_computation(line, self._dying(index, line))

    def _dying(self, index: int, line: Line) -> list[str]:
        """The values in registers whose last use is this line."""
        refs = {ref.name: ref for ref in refs_in(line.operands)}
        return [
            name
            for name, ref in refs.items()
            if self._registers.register_of(ref) is not None and self._last_use[name] == index
        ]

    def _write_choice(self, line: Line, dying: list[str]) -> None:
        """Write one alternative over the other where the condition asks for it.

        What is overwritten is the second, or the first where the condition does not hold, if it is
        not needed any more; else a copy of the second.
        """
        condition, a, b = line.operands
        kind, which, value, other = line.result.kind, "places", self._text(a), self._text(b)
        if self._may_change(b, (condition, a), kind, dying):
            register = self._take_over(b, dying)
        elif self._may_change(a, (condition, b), kind, dying):
            register = self._take_over(a, dying)
            which, value = "others", other
        else:
            register = self._registers.take(kind)
            self._body.append(f"copyto(r{register}, {other})")
        where = self._places(condition, which)
        self._body.append(f"choose({where}, {value}, r{register})")
        for name in dying:
            self._registers.release(name)
        self._registers.hold(line.result.name, register)

    @staticmethod
    def _may_change(operand: Operand, others: Any, kind: Kind, dying: list[str]) -> bool:
        """May the register of an alternative become that of the result?"""
        if not isinstance(operand, Ref) or operand.name not in dying or operand.kind != kind:
            return False
        return operand.name not in [ref.name for ref in refs_in(others)]

    def _take_over(self, operand: Ref, dying: list[str]) -> int:
        dying.remove(operand.name)
        return self._registers.pass_on(operand.name)

    def _places(self, condition: Ref, which: str) -> str:
        """The name of what `places` or `others` finds for a condition, at its first choice."""
        found = (which, condition.name)
        if found not in self._found:
            self._found[found] = name = f"p{len(self._found)}"
            self._body.append(f"{name} = {which}({self._text(condition)})")
        return self._found[found]

    def _write_computation(self, line: Line, dying: list[str]) -> None:
        if line.ufunc:
            text = ", ".join(self._operand_texts(line))
        else:
            text = expression(line, self._registers.texts, self._names)
        for name in dying:  # the result may overwrite an operand
            self._registers.release(name)
        register = self._registers.take(line.result.kind)
        target = f"r{register}"
        call = f"{line.ufunc}({text}, out={target})" if line.ufunc else f"copyto({target}, {text})"
        self._body.append(call)
        self._registers.hold(line.result.name, register)

    def _final_order(self) -> list[int]:
        """The registers in the order the next call expects: each leaf of the state in its slot.

        A leaf that shares its register, or has none, is copied into a new one.
        """
        moved: dict[int, int] = {}  # from the slot to the register that holds the new leaf
        taken: set[int] = set()
        for slot, change in zip(self._slots.values(), self._outputs.values(), strict=True):
            kind = self._registers.kinds[slot]
            register = self._registers.register_of(change)
            if register is None or register in taken or self._registers.kinds[register] != kind:
                text = self._text(change)
                register = self._registers.take(kind)
                self._body.append(f"copyto(r{register}, {text})")
            moved[slot] = register
            taken.add(register)
        for register in self._filled.values():
            moved[register] = register
            taken.add(register)
        kinds = self._registers.kinds
        others: dict[Kind, list[int]] = {kind: [] for kind in kinds}
        for register, kind in enumerate(kinds):
            if register not in taken:
                others[kind].append(register)
        return [moved[i] if i in moved else others[kind].pop() for i, kind in enumerate(kinds)]


def live_outputs(recording: Recording) -> dict[str, Operand]:
    """The new values of the leaves that the answers depend on, by name."""
    changes = {
        ref.name: change for ref, change in zip(recording.inputs, recording.outputs, strict=True)
    }
    live: dict[str, Operand] = {}
    while True:
        results = [*recording.answers, *live.values()]
        wanted = {ref.name for ref in refs_in(tuple(results))}
        for line in needed_lines(recording.lines, results):
            wanted.update(ref.name for ref in refs_in(line.operands))
        found = {name: change for name, change in changes.items() if name in wanted}
        if len(found) == len(live):
            return live
        live = found


def growth_per_epoch(lines: Sequence[Line], initial: Any) -> float:
    """The most by which a whole number in the state can grow per check; infinite if unknown."""
    growth = float(sum(abs(x) for x in initial if isinstance(x, int)))
    for line in lines:
        if line.result.kind != "int":
            continue
        constants = [abs(operand) for operand in line.operands if isinstance(operand, int)]
        if line.ufunc in ("where", "remainder"):
            growth += sum(constants)  # these only have to fit
            continue
        booleans = [x for x in line.operands if isinstance(x, Ref) and x.kind == "bool"]
        if line.ufunc not in ("add", "subtract") or len(constants) + len(booleans) != 1:
            return math.inf
        growth += sum(constants) + len(booleans)
    return growth


def _as_arrays(constants: dict[str, str]) -> dict[str, Any]:
    import numpy as np

    return {name: np.array(float(text)) for text, name in constants.items()}


def _numpy_functions(lines: Sequence[Line]) -> dict[str, Any]:
    import numpy as np

    from .choosing import choose, others, places

    ufuncs = {line.ufunc for line in lines} - {"", "where"} | {"copyto"}
    return {
        "choose": choose,
        "others": others,
        "places": places,
        **{name: getattr(np, name) for name in ufuncs},
    }
