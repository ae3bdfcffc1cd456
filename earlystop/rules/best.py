"""`Best`: fires on every new best, and so decides which epochs to save."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..language.direction import Mode
from ..language.ops import Dtype, improves, where, worst
from ..language.rule import Rule
from ..language.settings import NonNegative


class Best(Rule):
    """Fires when a metric improves on its best so far; on a tie the earlier epoch stays the best.

    An improvement is defined as for `Patience`: better by more than `min_delta`, and never a NaN.
    Meant as a save rule.

    monitor: the metric to watch.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    min_delta: the margin an improvement must exceed, in units of the metric.
    baseline: the value that the first best must beat.
    dtype: the type in which values are compared, "float64" or "float32".

    >>> from earlystop import Best, Never, Stopper
    >>> stopper = Stopper(Never(), save=Best("val_accuracy"))
    >>> [stopper.step({"val_accuracy": value}).save for value in [0.5, 0.7, 0.7, 0.6, 0.8]]
    [True, True, False, False, True]
    >>> stopper.best, stopper.best_epoch
    (0.8, 4)
    """

    monitor: str
    mode: Mode = "auto"
    min_delta: NonNegative = 0.0
    baseline: float | None = None
    dtype: Dtype = "float64"

    class State(NamedTuple):
        best: float

    def init(self) -> State:
        return self.State(best=worst(self.mode) if self.baseline is None else self.baseline)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        value = metrics[self.monitor]
        improved = improves(value, state.best, self.mode, self.min_delta, self.dtype)
        return self.State(best=where(improved, value, state.best)), improved

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{self.monitor} reached a new best, {state.best:.6g}"


def bests_within(rule: Rule) -> tuple[Best, ...]:
    """The `Best` rules that a rule is, wraps or combines, without repetition.

    >>> from earlystop import Best, Every, Warmup
    >>> bests_within(Warmup(Best("val_loss"), 2) & Every(5))
    (Best('val_loss', mode='min'),)
    """
    if isinstance(rule, Best):
        return (rule,)
    return tuple(dict.fromkeys(best for child in rule.children for best in bests_within(child)))
