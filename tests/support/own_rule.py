"""A rule as a user would write it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import earlystop as es


class Leap(es.Rule):
    """Fires when the metric rises by more than `rise` within one epoch."""

    monitor: str
    rise: float = 1.0

    class State(NamedTuple):
        previous: float = math.nan

    def step(self, state: State, metrics: Any, epoch: Any) -> tuple[State, Any]:
        value = metrics[self.monitor]
        return self.State(previous=value), value - state.previous > self.rise
