"""`Best`: fires on every new best, so it is the rule to save by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..language.direction import Mode
from ..language.ops import improves, where, worst
from ..language.rule import Rule
from ..language.settings import NonNegative


class Best(Rule):
    """Fires when a metric is better than at every epoch it fired on before; ties keep the earlier.

    An improvement is what it is for `Patience`: strictly better by more than `min_delta` (in units
    of the metric), and never a NaN. Meant for saving:

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

    class State(NamedTuple):
        best: float

    def init(self) -> State:
        return self.State(best=worst(self.mode))

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        value = metrics[self.monitor]
        improved = improves(value, state.best, self.mode, self.min_delta)
        return self.State(best=where(improved, value, state.best)), improved

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{self.monitor} reached a new best, {state.best:.6g}"
