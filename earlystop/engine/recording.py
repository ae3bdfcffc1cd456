"""Recordings: the steps of rules, run once on stand-ins, checked, and kept as data.

A `Recording` is everything that a target needs to know about some rules. To write a target, walk
over `needed_lines(recording.lines, results)`: each line applies its `operation` to its `operands`.
`scalar.py` writes Python for numbers, `vector_source.py` NumPy for many runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import RuleError
from ..language.rule import Rule, advance
from ..language.state import flatten, is_state, same_shape, unflatten
from ..language.tape import Kind, Line, MetricPresent, MetricValue, Operand, Ref, Trace
from ..language.traced_metrics import TracedMetrics
from ..language.tracing import Traced, kind_of, operand_of

__all__ = ["Recording", "metrics_read", "presence_read", "record"]


class Recording:
    """The steps of some rules.

    initial: the leaves of the rules' states before the first check.
    inputs: the refs of these leaves in the lines. The ref of the number of the check is `epoch`.
    lines: the operations of the steps.
    outputs: the leaves after a step.
    answers: whether each rule fires.
    """

    def __init__(self, lines: list[Line]) -> None:
        self.initial: list[Any] = []
        self.inputs: list[Ref] = []
        self.lines = lines
        self.outputs: list[Operand] = []
        self.answers: list[Operand] = []

    @property
    def results(self) -> list[Operand]:
        """The outputs, then the answers."""
        return [*self.outputs, *self.answers]


def metrics_read(lines: Sequence[Line]) -> frozenset[str]:
    """The metrics whose values the lines read."""
    operations = [line.operation for line in lines]
    return frozenset(x.name for x in operations if isinstance(x, MetricValue))


def presence_read(lines: Sequence[Line]) -> frozenset[str]:
    """The metrics whose presence the lines read: whether they were reported."""
    operations = [line.operation for line in lines]
    return frozenset(x.name for x in operations if isinstance(x, MetricPresent))


def record(
    rules: Sequence[Rule],
    metrics_on: Callable[[Trace], TracedMetrics],
    same_as: Sequence[int] | None = None,
) -> Recording:
    """Run the steps of several rules once, on stand-ins.

    rules: rules, or objects that step as they do and say with `answers = "float"` that they answer
        with a number.
    metrics_on: makes the stand-in for the metrics, given the trace to record on.
    same_as: for every leaf of the states, the index of the leaf that it always equals (by default,
        its own).

    Raises RuleError for a step that cannot be recorded, or that returns a state with a structure
    other than that of `init()`.
    """
    trace = Trace()
    metrics = metrics_on(trace)
    epoch = Traced(trace, Ref("epoch", "int"))
    recording = Recording(trace.lines)
    for rule in rules:
        trace.owner = type(rule).__name__
        shape = rule.init()
        _check_initial_state(trace, shape)
        initial = flatten(shape)
        first = len(recording.initial)
        leaves = range(first, first + len(initial))
        inputs = [
            Ref(f"s{same_as[leaf] if same_as else leaf}", kind_of(trace, value))
            for leaf, value in zip(leaves, initial, strict=True)
        ]
        state = unflatten(shape, (Traced(trace, ref) for ref in inputs))
        after, fires = advance(rule, state, metrics, epoch)
        recording.initial.extend(initial)
        recording.inputs.extend(inputs)
        recording.outputs.extend(_checked_leaves(trace, shape, after, [x.kind for x in inputs]))
        recording.answers.append(_checked_answer(trace, fires, getattr(rule, "answers", "bool")))
    return recording


def _check_initial_state(trace: Trace, shape: Any) -> None:
    if not is_state(shape):
        raise RuleError(
            f"`{trace.owner}.init` must give a NamedTuple of numbers and windows (tuples of "
            f"numbers), or () for a rule that remembers nothing, got {shape!r}"
        )


def _checked_leaves(trace: Trace, shape: Any, state: Any, kinds: Sequence[Kind]) -> list[Operand]:
    if not same_shape(state, shape):
        raise RuleError(
            f"`{trace.owner}.step` returned a state of another shape than `init()`: "
            f"{state!r} where {shape!r} was expected"
        )
    leaves = flatten(state)
    for leaf, kind in zip(leaves, kinds, strict=True):
        after = kind_of(trace, leaf)
        if after != kind and (after, kind) != ("int", "float"):
            raise RuleError(
                f"`{trace.owner}.step` turns a {kind} of its state {shape!r} into a {after}: "
                f"let `init()` start it as a {after}"
            )
    return [operand_of(trace, leaf) for leaf in leaves]


def _checked_answer(trace: Trace, fires: Any, expected: Kind) -> Operand:
    kind = kind_of(trace, fires)
    if kind != expected:
        raise RuleError(
            f"`{trace.owner}.step` must say whether it fires with a truth value, "
            f"not a {kind}: end with a comparison"
        )
    return operand_of(trace, fires)
