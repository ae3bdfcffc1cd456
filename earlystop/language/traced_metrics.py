"""A stand-in for the metrics of a check; a recorded `step` reads it in place of a mapping."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import RuleError
from .tape import AnyNonFinite, MetricPresent, MetricValue, Trace
from .tracing import traced

__all__ = ["TracedMetrics", "traced_step"]


class TracedMetrics:
    """Stands for the metrics of a check.

    names: all metrics that any check may report; None if they are not known in advance.
    certain: the metrics that every check reports.
    absent: metrics that no check reports.
    finite: metrics that are neither NaN nor infinite wherever they are reported.
    """

    def __init__(
        self,
        trace: Trace,
        names: Sequence[str] | None = None,
        certain: frozenset[str] = frozenset(),
        absent: frozenset[str] = frozenset(),
        finite: frozenset[str] = frozenset(),
    ) -> None:
        self.trace, self._names, self._certain, self._absent = trace, names, certain, absent
        self._finite = finite & certain  # a metric that is not reported reads as NaN
        self._replaced: dict[str, Any] = {}
        self._readable: set[str] = set()

    def for_rule(self, names: tuple[str, ...]) -> TracedMetrics:
        """The same metrics for a rule that may read only these names."""
        other = copy.copy(self)
        other._readable = set(names)
        return other

    def reported(self, names: tuple[str, ...]) -> Any:
        self._readable.update(names)
        present: Any = True
        for name in names:
            present = present & self._present(name)
        return present

    def __getitem__(self, name: str) -> Any:
        if name not in self._readable:
            self.trace.refuse(
                f"reads the metric {name!r}, which is not among its monitors",
                "keep the name in a field called `monitor` or `..._monitor`, or ask "
                "`reported(metrics, (name,))` first",
            )
        return self._replaced[name] if name in self._replaced else self._value(name)

    def _refuse_dict_use(self, *_: Any, **__: Any) -> NoReturn:
        self.trace.refuse(
            "iterates over the metrics, or uses `in` or `get`",
            "read metrics by name with `metrics[name]`; for whether one is reported, use "
            "`reported(metrics, (name,))`",
        )

    __iter__ = __contains__ = __len__ = get = items = keys = values = _refuse_dict_use

    def replaced(self, name: str, value: Any) -> TracedMetrics:
        other = copy.copy(self)
        other._replaced = {**self._replaced, name: value}
        return other

    def any_nonfinite(self) -> Any:
        hidden = tuple(self._replaced)
        if self._names is None:
            found = traced(self.trace, AnyNonFinite(hidden), "bool")
        else:
            values = {name: self._value(name) for name in self._names if name not in hidden}
            found = self._any_nonfinite_of(values)
        return found | self._any_nonfinite_of(self._replaced)

    def _any_nonfinite_of(self, values: dict[str, Any]) -> Any:
        found: Any = False
        for name, value in values.items():
            nonfinite = value - value != 0.0
            found = found | (self._present(name) & nonfinite)
        return found

    def _present(self, name: str) -> Any:
        if name in self._certain:
            return True
        if self._is_absent(name):
            return False
        return traced(self.trace, MetricPresent(name), "bool")

    def _is_absent(self, name: str) -> bool:
        return name in self._absent or (self._names is not None and name not in self._names)

    def _value(self, name: str) -> Any:
        if self._is_absent(name):
            return math.nan
        value = traced(self.trace, MetricValue(name, name in self._certain), "float")
        value.ref.finite = name in self._finite
        return value


def traced_step(rule: Any, state: Any, metrics: TracedMetrics, epoch: Any) -> tuple[Any, Any]:
    """Run a rule's step on stand-ins; it may read the rule's own metrics and no others."""
    trace = metrics.trace
    outer, trace.owner = trace.owner, type(rule).__name__
    result = rule.step(state, metrics.for_rule(rule.metrics), epoch)
    trace.owner = outer
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuleError(f"`{type(rule).__name__}.step` must return (state, fires), got {result!r}")
    return result
