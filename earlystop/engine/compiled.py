"""Writes recorded steps (see `trace.py`) out as plain functions: for one live run, and for lanes.

For numbers, one Python expression after another; for lanes, one NumPy operation after another, into
arrays that are used again and again. Both leave out what nothing rests on.
"""

from __future__ import annotations

import collections
import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..language.rule import Rule, advance
from ..language.tracing import (
    Line,
    OnMissing,
    Recording,
    Trace,
    Traced,
    TracedMetrics,
    names_in,
    record,
)

__all__ = ["Advance", "VectorProgram", "compile_scalar", "compile_vectorized"]

# (leaves of the state, metrics, epoch) -> (leaves of the next state, one answer per rule ...)
Advance = Callable[[tuple[Any, ...], dict[str, float], int], tuple[Any, ...]]

_LONGEST_EXPRESSION = 100
_NAME = re.compile("\0t[0-9]+\0")


# For numbers --------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def compile_scalar(rules: tuple[Rule, ...], on_missing: OnMissing) -> Advance:
    """The steps of several rules as one function over the leaves of their states.

    Raises what `record` raises.
    """
    needs = frozenset(name for rule in rules for name in rule.all_metrics)
    sure = needs if on_missing == "raise" else frozenset()

    def metrics_of(tape: Trace) -> TracedMetrics:
        metrics = TracedMetrics(tape, sure)
        metrics.reported(tuple(sure))
        for name in sorted(sure):  # each is looked up in any case, so that it is missed
            metrics[name]
        return metrics

    made = record(rules, advance, metrics_of)
    body, results = _expressions(made)
    inputs = "".join(f"{leaf.name}, " for leaf in made.inputs)
    states = "".join(f"{result}," for result in results[: len(made.outputs)])
    source = "\n    ".join(
        [
            "def advance(state, m, epoch):",
            *([f"{inputs}= state"] if inputs else []),
            *body,
            f"return ({states}), {', '.join(results[len(made.outputs) :])}",
        ]
    )
    function: Advance = _function(source, made.tape.names, f"<earlystop steps of {[*rules]!r}>")
    return function


def _expressions(made: Recording) -> tuple[list[str], list[str]]:
    """The lines to write, and the results as they are written after them.

    A value that is used once is written where it is used: it may never be needed. But a metric is
    looked up in any case, so that it is missed when it is missing.
    """
    tape, results = made.tape, [*made.outputs, *made.answers]
    look_ups = [line.name for line in tape.lines if line.form.startswith("m[")]
    needed = {line.name for line in tape.needed(results)} | set(look_ups)
    texts = [tape.text(result) for result in results]
    forms = {line.name: line.form.format(*map(tape.text, line.values)) for line in tape.lines}
    uses = collections.Counter(name for text in texts for name in _NAME.findall(text))
    for name in needed:
        uses.update(_NAME.findall(forms[name]))
    moved: dict[str, str] = {}

    def written(text: str) -> str:
        return _NAME.sub(lambda match: moved.get(match[0], match[0]), text)

    body = []
    for name in (line.name for line in tape.lines if line.name in needed):
        text = written(forms[name])
        if uses[name] == 1 and name not in look_ups and len(text) < _LONGEST_EXPRESSION:
            moved[name] = f"({text})"
        else:
            body.append(f"{name} = {text}")
    return body, [written(text) for text in texts]


def _function(source: str, names: dict[str, Any], title: str) -> Any:
    source = source.replace("\0", "")
    exec(compile(source, title, "exec"), names)  # noqa: S102  # the text above, made from the rules alone
    result = names["advance"]
    result.__doc__ = source
    return result


# For lanes ----------------------------------------------------------------------------------------


class TracedLaneMetrics(TracedMetrics):
    """Stands for the metrics of many runs: rows of arrays, with a row of truths where some lack."""

    def __init__(self, tape: Trace, names: tuple[str, ...], with_gaps: frozenset[str]) -> None:
        super().__init__(tape)
        self._names, self._with_gaps = names, with_gaps

    def _has(self, name: str) -> Any:
        if name not in self._with_gaps:
            return name in self._names
        return self.tape.emit(f"present[{self._names.index(name)}]", "bool")

    def _value(self, name: str) -> Any:
        if name not in self._names:
            return math.nan
        return self.tape.emit(f"rows[{self._names.index(name)}]", "float")

    def _any_nonfinite_but(self, hidden: tuple[str, ...]) -> Any:
        found: Any = False
        for name in self._names:
            if name not in hidden:
                value = self._value(name)
                bad = self.tape.infix("!=", value - value, 0.0, "bool")
                found = found | (self._has(name) & bad)
        return found


class VectorProgram:
    """The steps of several rules over lanes. Call it with the rows of one epoch after another.

    The arrays it works in, its registers, are made by `start`, and are its state.
    """

    def __init__(self, code: _LaneCode, names: tuple[str, ...]) -> None:
        self._function, self._kinds, self._first, self._growth, rows, present = code
        self._rows = [name if place in rows else "" for place, name in enumerate(names)]
        self._present = [name if place in present else "" for place, name in enumerate(names)]
        self.metrics = len(rows | present)  # so many are read
        self._registers: tuple[Any, ...] = ()

    def start(self, lanes: int, epochs: int) -> None:
        """Go to before the first epoch, with so many lanes, for at most so many epochs."""
        import numpy as np

        small = self._growth * epochs < np.iinfo(np.int32).max
        types = {"float": np.float64, "int": np.int32 if small else np.int64, "bool": np.bool_}
        self._registers = tuple(np.empty(lanes, types[kind]) for kind in self._kinds)
        for place, value in self._first.items():
            self._registers[place].fill(value)

    def keep(self, lanes: Any) -> None:
        """Go on with these lanes alone."""
        self._registers = tuple(register[lanes] for register in self._registers)

    def __call__(self, epoch: Any) -> tuple[Any, ...]:
        """Take one epoch (of `lanes.py`); give the answer of every rule: an array, or a truth.

        The arrays are good until the next call, and not to be written to.
        """
        rows = [epoch.row(name) if name else None for name in self._rows]
        present = [epoch.present(name) if name else None for name in self._present]
        answers: tuple[Any, ...]
        answers, self._registers = self._function(rows, present, epoch.number, *self._registers)
        return answers


class _LaneCode(NamedTuple):
    function: Any
    kinds: list[str]  # of the registers
    first: dict[int, Any]  # what registers hold before the first epoch
    growth: float  # by how much a whole number can grow in an epoch
    rows: frozenset[int]  # the metrics whose values are read, by place
    present: frozenset[int]  # the metrics that are asked for


@functools.lru_cache(maxsize=256)
def _lane_code(
    rules: tuple[Rule, ...], names: tuple[str, ...], with_gaps: frozenset[str]
) -> _LaneCode | None:
    made = _merged(rules, names, with_gaps)
    if any(leaf.kind == "window" for leaf in made.inputs):
        return None
    writer = _LaneWriter(made)
    function = writer.written(f"<earlystop lanes of {[*rules]!r}>")
    read = {
        kind: frozenset(int(place) for place in re.findall(rf"{kind}\[(\d+)\]", function.__doc__))
        for kind in ("rows", "present")
    }
    return _LaneCode(function, writer.kinds, writer.first, writer.growth(), **read)


def compile_vectorized(
    rules: tuple[Rule, ...], names: tuple[str, ...], with_gaps: frozenset[str]
) -> VectorProgram | None:
    """The steps of several rules as NumPy operations on lanes; None where windows are in them.

    names: the metrics, in the order of the rows; with_gaps: those that epochs may lack.
    """
    code = _lane_code(rules, names, with_gaps)
    return None if code is None else VectorProgram(code, names)


def _merged(
    rules: tuple[Rule, ...], names: tuple[str, ...], with_gaps: frozenset[str]
) -> Recording:
    """The recording in which parts of the state that are always equal are one.

    Suppose that all leaves that begin alike are equal, record, and split those that come out
    differently; what is left undivided begins alike and is changed alike, so it stays equal.
    """

    def recorded(same_as: Sequence[int] | None) -> Recording:
        return record(
            rules, advance, lambda tape: TracedLaneMetrics(tape, names, with_gaps), same_as
        )

    made = recorded(None)
    beginnings = zip(made.inputs, made.first, strict=True)
    classes: list[Any] = [(leaf.kind, repr(first)) for leaf, first in beginnings]
    while True:
        first_of: dict[Any, int] = {}
        same_as = [first_of.setdefault(cls, place) for place, cls in enumerate(classes)]
        made = recorded(same_as)
        outputs = [made.tape.text(output) for output in made.outputs]
        split = list(zip(same_as, outputs, strict=True))
        if len(set(split)) == len(first_of):
            return made
        classes = split


class _LaneWriter:
    """Gives every value a register, and registers back as soon as nothing needs their value."""

    def __init__(self, made: Recording) -> None:
        self._made = made
        self._outputs = self._live_outputs()
        self._end: tuple[Any, ...] = (*made.answers, *self._outputs.values())
        self._lines = made.tape.needed(self._end)
        self._last_use = {
            name: place for place, line in enumerate(self._lines) for name in names_in(line.values)
        }
        self._last_use.update(dict.fromkeys(names_in(self._end), len(self._lines)))
        self.kinds: list[str] = []  # of the registers
        self._free: dict[str, list[int]] = collections.defaultdict(list)
        self._place: dict[str, int] = {}  # the register that holds a value
        self._body: list[str] = []
        kinds = {leaf.name: leaf.kind for leaf in made.inputs}
        first = {leaf.name: x for leaf, x in zip(made.inputs, made.first, strict=True)}
        for name in self._outputs:
            self._place[name] = self._register(kinds[name])
        self.first = {self._place[name]: first[name] for name in self._outputs}
        for name in self._outputs:  # a part of the state that is only written
            if name not in self._last_use:
                self._release(name)

    def _live_outputs(self) -> dict[str, Any]:
        """What becomes of the parts of the state that the answers rest on."""
        made = self._made
        changes = dict(zip((leaf.name for leaf in made.inputs), made.outputs, strict=True))
        live: dict[str, Any] = {}
        while True:
            wanted = set(names_in((*made.answers, *live.values())))
            for line in made.tape.needed((*made.answers, *live.values())):
                wanted.update(names_in(line.values))
            found = {name: change for name, change in changes.items() if name in wanted}
            if len(found) == len(live):
                return live
            live = found

    def _register(self, kind: str) -> int:
        if self._free[kind]:
            return self._free[kind].pop()
        self.kinds.append(kind)
        return len(self.kinds) - 1

    def _release(self, name: str) -> None:
        place = self._place.pop(name)
        self._free[self.kinds[place]].append(place)

    def _text(self, value: Any) -> str:
        if isinstance(value, Traced) and value.name in self._place:
            return f"r{self._place[value.name]}"
        return self._made.tape.text(value)

    def _dying(self, line: Line, at: int) -> list[str]:
        """The values in registers that this line uses last."""
        names = dict.fromkeys(names_in(line.values))
        return [n for n in names if n in self._place and self._last_use[n] == at]

    def _write(self, line: Line, at: int) -> None:
        if not line.ufunc and not line.values:  # a row of metrics: not ours to write to
            self._body.append(f"{line.name} = {line.form}")
            return
        texts = [self._text(value) for value in line.values]
        dying = self._dying(line, at)
        if line.ufunc == "where":
            condition, a, b = line.values
            names = [value.name if isinstance(value, Traced) else "" for value in (condition, a, b)]
            if names[2] in dying and names[2] not in names[:2] and line.kind == b.kind:
                place = self._place.pop(names[2])  # changed where it stands
                dying.remove(names[2])
            else:
                place = self._register(line.kind)
                self._body.append(f"copyto(r{place}, {texts[2]})")
            self._body.append(f"copyto(r{place}, {texts[1]}, where={texts[0]})")
            for name in dying:
                self._release(name)
        else:
            for name in dying:
                self._release(name)
            place = self._register(line.kind)
            if line.ufunc:
                self._body.append(f"{line.ufunc}({', '.join(texts)}, r{place})")
            else:
                self._body.append(f"copyto(r{place}, {line.form.format(*texts)})")
        self._place[line.name] = place

    def growth(self) -> float:
        """By how much a whole number can grow in an epoch; infinite where that is not plain."""
        grown = float(sum(abs(x) for x in self.first.values() if isinstance(x, int)))
        for line in self._lines:
            if line.kind != "int":
                continue
            constants = [abs(value) for value in line.values if isinstance(value, int)]
            if line.ufunc in ("where", "remainder"):
                grown += sum(constants)  # they only have to fit
                continue
            truths = [v for v in line.values if isinstance(v, Traced) and v.kind == "bool"]
            if line.ufunc not in ("add", "subtract") or len(constants) + len(truths) != 1:
                return math.inf
            grown += sum(constants) + len(truths)
        return grown

    def written(self, title: str) -> Any:
        """The function."""
        import numpy as np

        for at, line in enumerate(self._lines):
            self._write(line, at)
        taken: dict[int, int] = {}  # the register of a part of the state -> where its change is
        slots = list(self.first)
        for slot, change in zip(slots, self._outputs.values(), strict=True):
            place = self._place.get(change.name) if isinstance(change, Traced) else None
            if place is None or place in taken.values() or self.kinds[place] != self.kinds[slot]:
                text = self._text(change)
                place = self._register(self.kinds[slot])
                self._body.append(f"copyto(r{place}, {text})")
            taken[slot] = place
        rest = {
            kind: [p for p, k in enumerate(self.kinds) if k == kind and p not in taken.values()]
            for kind in set(self.kinds)
        }
        order = [taken[p] if p in taken else rest[k].pop() for p, k in enumerate(self.kinds)]
        registers = [f"r{place}" for place in range(len(self.kinds))]
        source = "\n    ".join(
            [
                f"def advance({', '.join(['rows', 'present', 'epoch', *registers])}):",
                *self._body,
                f"return ({''.join(f'{self._text(a)}, ' for a in self._made.answers)}), "
                f"({''.join(f'r{place}, ' for place in order)})",
            ]
        )
        names = dict(self._made.tape.names)
        for ufunc in {line.ufunc for line in self._lines} - {"", "where"}:
            names[ufunc] = getattr(np, ufunc)
        names["copyto"] = np.copyto
        return _function(source, names, title)
