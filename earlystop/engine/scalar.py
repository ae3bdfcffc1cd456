"""Recorded steps as one Python function on plain numbers, for one live run.

>>> from earlystop import MaxEpochs, Threshold
>>> print(compile_scalar((Threshold("loss", 0.5), MaxEpochs(3)), "raise").__doc__)
def advance(state, m, epoch, at=None):
    s0, = state
    t0 = m['loss']
    t2 = s0 + 1
    return (t2,), (t0 <= 0.5), (t2 >= 3)
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable
from typing import Any

from ..language.positions import DERIVED, EPOCH, STEP
from ..language.rule import OnMissing, Rule
from ..language.tape import Line, MetricValue, Trace, needed_lines, refs_in
from ..language.traced_metrics import TracedMetrics
from .positions import SEEN
from .recording import Recording, record
from .source import Names, define, expression, operand_text, template_of

__all__ = ["Advance", "compile_scalar"]

# (leaves of the states, metrics, number of the check[, positions])
#     -> (leaves of the next states, one answer per rule ...)
Advance = Callable[..., tuple[Any, ...]]

_MAX_EXPRESSION = 100  # characters


@functools.lru_cache(maxsize=256)
def compile_scalar(
    rules: tuple[Rule, ...],
    on_missing: OnMissing,
    given: frozenset[str] = frozenset(),
    *,
    at: bool = False,
) -> Advance:
    """The steps of several rules as one function over the leaves of their states.

    With on_missing="raise" the function raises KeyError for a missing metric.

    given: the positions, and what is derived from them, that every check has; no check has others.
    at: whether these are read from the `Positions` of the check, which are the fourth argument,
        and only where they are needed; otherwise they are among the metrics.

    Raises what `record` raises.
    """
    all_metrics = frozenset(name for rule in rules for name in rule.all_metrics)
    certain = all_metrics if on_missing == "raise" else frozenset()
    absent = frozenset((EPOCH, STEP, *DERIVED)) - given - all_metrics

    def metrics_on(trace: Trace) -> TracedMetrics:
        metrics = TracedMetrics(trace, certain=certain | given, absent=absent)
        metrics.reported(tuple(certain))
        for name in sorted(certain):  # looked up even if no step reads it, to detect its absence
            metrics[name]
        return metrics

    seen = {name: f"float(at.{field})" for name, field in SEEN.items() if at and name in given}
    recording, names = record(rules, metrics_on), Names(seen)
    function: Advance = define(_source(recording, names), names, f"steps of {[*rules]!r}")
    return function


def _source(recording: Recording, names: Names) -> str:
    body, results = _statements(recording, names)
    outputs, answers = results[: len(recording.outputs)], results[len(recording.outputs) :]
    inputs = "".join(f"{ref.name}, " for ref in recording.inputs)
    return "\n    ".join(
        [
            "def advance(state, m, epoch, at=None):",
            *([f"{inputs}= state"] if inputs else []),
            *body,
            f"return ({''.join(f'{output},' for output in outputs)}), {', '.join(answers)}",
        ]
    )


def _statements(recording: Recording, names: Names) -> tuple[list[str], list[str]]:
    """The statements of the function, and the expressions of its results.

    A value that is used once is written inline, so it is not computed where it is not needed. But a
    metric that must be reported is always looked up.
    """
    look_ups = [line.result for line in recording.lines if _is_look_up(line, names)]
    lines = needed_lines(recording.lines, [*recording.results, *look_ups])
    uses = _uses(recording, lines, names)
    texts: dict[str, str] = {}
    body = []
    for line in lines:
        name, text = line.result.name, expression(line, texts, names)
        if uses[name] == 1 and not _is_look_up(line, names) and len(text) < _MAX_EXPRESSION:
            texts[name] = f"({text})"
        else:
            body.append(f"{name} = {text}")
    return body, [operand_text(result, texts) for result in recording.results]


def _is_look_up(line: Line, names: Names) -> bool:
    """Whether a line raises KeyError for a metric that is missing."""
    metric = line.operation
    return isinstance(metric, MetricValue) and metric.certain and metric.name not in names.given


def _uses(recording: Recording, lines: list[Line], names: Names) -> collections.Counter[str]:
    """How often each value appears in the source if every line is written once."""
    uses = collections.Counter(ref.name for ref in refs_in(tuple(recording.results)))
    for line in lines:
        template = template_of(line, names)
        for index, operand in enumerate(line.operands):
            for ref in refs_in(operand):
                uses[ref.name] += template.count(f"{{{index}}}")
    return uses
