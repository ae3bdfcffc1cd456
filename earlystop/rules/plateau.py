"""`Plateau`: fires when a metric has gone flat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from ..language.ops import deviation, push
from ..language.rule import Rule
from ..language.settings import WIDEST, AtLeast, NonNegative


class Plateau(Rule):
    """Fires when the last `window` values have a standard deviation of at most `std`.

    It is the population standard deviation (divided by `window`, not `window - 1`); for equal
    values it is exactly 0. While the window holds a NaN or an infinity the rule does not fire.

    monitor: the metric to watch.
    window: how many values to compare, at least 2 and at most 100,000.
    std: the largest standard deviation that counts as flat, in units of the metric.

    >>> from earlystop import Plateau, Stopper
    >>> stopper = Stopper(Plateau("loss", window=3, std=0.01))
    >>> for value in [0.5, 0.21, 0.2, 0.21]:
    ...     print(stopper.step({"loss": value}))
    epoch 0: continue
    epoch 1: continue
    epoch 2: continue
    epoch 3: stop: the last 3 values of loss have a standard deviation of 0.0047, at most 0.01
    """

    monitor: str
    window: Annotated[int, AtLeast(2), WIDEST]
    std: NonNegative

    class State(NamedTuple):
        values: tuple[float, ...]

    def init(self) -> State:
        return self.State((math.nan,) * self.window)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        values = push(state.values, metrics[self.monitor])
        return self.State(values), deviation(values) <= self.std

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return (
            f"the last {self.window} values of {self.monitor} have a standard deviation of "
            f"{deviation(state.values):.2g}, at most {self.std:.6g}"
        )
