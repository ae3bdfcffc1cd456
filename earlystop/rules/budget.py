"""Rules that limit the cost of a run: `MaxEpochs` and `TimeLimit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from ..language.rule import Rule
from ..language.settings import AtLeast, Positive

ELAPSED = "elapsed_seconds"
"""The metric that holds the time since the run began, in seconds; adapters add it."""


class MaxEpochs(Rule):
    """Fires on the n-th epoch and on every later one.

    >>> from earlystop import MaxEpochs, Stopper
    >>> stopper = Stopper(MaxEpochs(2))
    >>> print(stopper.step({}), stopper.step({}), sep="; ")
    epoch 0: continue; epoch 1: stop: 2 epochs have been run
    """

    n: Positive

    class State(NamedTuple):
        seen: int = 0

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        seen = state.seen + 1
        return self.State(seen), seen >= self.n

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{state.seen} epoch{'s have' if state.seen != 1 else ' has'} been run"


class TimeLimit(Rule):
    """Fires when the elapsed time reaches `seconds`.

    The core has no clock: the time since the run began, in seconds, is a metric. Adapters add it
    as "elapsed_seconds"; a replay reads it from the log, under the name given as `monitor`.

    >>> from earlystop import Stopper, TimeLimit
    >>> print(Stopper(TimeLimit(60)).step({"elapsed_seconds": 61.5}))
    epoch 0: stop: 61.5 s have passed, the limit is 60 s
    """

    seconds: Annotated[float, AtLeast(0, strict=True)]
    monitor: str = ELAPSED

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        return state, metrics[self.monitor] >= self.seconds

    def reason(self, state: Any, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{metrics[self.monitor]:.6g} s have passed, the limit is {self.seconds:.6g} s"
