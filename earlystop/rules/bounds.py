"""Rules on one value: `Threshold` (good enough), `Diverged` (too bad), `NonFinite` (broken)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..language.direction import Mode
from ..language.ops import Dtype, any_nonfinite, better, in_dtype, invert, isfinite
from ..language.rule import Rule


class Threshold(Rule):
    """Fires when a metric is at least as good as `value`: the target is reached.

    monitor: the metric to watch.
    value: the target, in units of the metric.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    dtype: the type in which the two are compared, "float64" or "float32".
    strict: whether it has to be better than the target, rather than as good.

    >>> from earlystop import Stopper, Threshold
    >>> print(Stopper(Threshold("val_accuracy", 0.9)).step({"val_accuracy": 0.9}))
    epoch 0: stop: val_accuracy reached 0.9, the target was 0.9
    """

    monitor: str
    value: float
    mode: Mode = "auto"
    dtype: Dtype = "float64"
    strict: bool = False

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        value, target = in_dtype(self.dtype, metrics[self.monitor], self.value)
        if self.strict:
            return state, better(value, target, self.mode)
        return state, value <= target if self.mode == "min" else value >= target

    def reason(self, state: Any, metrics: Mapping[str, float], epoch: int) -> str:
        value = f"{metrics[self.monitor]:.6g}"
        if self.strict:
            return f"{self.monitor} is {value}, better than {self.value:.6g}"
        return f"{self.monitor} reached {value}, the target was {self.value:.6g}"


class Diverged(Rule):
    """Fires when a metric is worse than `value`: the run has diverged.

    A NaN is not worse than any value; use `NonFinite` to catch it.

    monitor: the metric to watch.
    value: the limit, in units of the metric.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    dtype: the type in which the two are compared, "float64" or "float32".

    >>> from earlystop import Diverged, Stopper
    >>> print(Stopper(Diverged("loss", 100)).step({"loss": 2e6}))
    epoch 0: stop: loss is 2e+06, worse than 100
    """

    monitor: str
    value: float
    mode: Mode = "auto"
    dtype: Dtype = "float64"

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        return state, better(*in_dtype(self.dtype, self.value, metrics[self.monitor]), self.mode)

    def reason(self, state: Any, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{self.monitor} is {metrics[self.monitor]:.6g}, worse than {self.value:.6g}"


class NonFinite(Rule):
    """Fires when one of the given metrics, or any metric if none is given, is NaN or infinite.

    >>> from earlystop import NonFinite, Stopper
    >>> print(Stopper(NonFinite("loss")).step({"loss": float("nan"), "val_loss": 0.5}))
    epoch 0: stop: loss is nan
    """

    monitors: tuple[str, ...]

    def __init__(self, *monitors: str) -> None:
        self._set_items(monitors)

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        if not self.monitors:
            return state, any_nonfinite(metrics)
        fires: Any = False
        for monitor in self.monitors:
            fires = fires | invert(isfinite(metrics[monitor]))
        return state, fires

    def reason(self, state: Any, metrics: Mapping[str, float], epoch: int) -> str:
        names = self.monitors or tuple(metrics)
        broken = [name for name in names if not math.isfinite(metrics[name])]
        return ", ".join(f"{name} is {metrics[name]}" for name in broken)

    def __repr__(self) -> str:
        return f"NonFinite({', '.join(map(repr, self.monitors))})"
