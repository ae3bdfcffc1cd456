"""Rules that limit the cost of a run: `MaxEpochs`, `MaxSteps` and `TimeLimit`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from ..language.positions import ELAPSED, EPOCH, STEP, epochs_counted, number_text
from ..language.rule import Rule
from ..language.settings import AtLeast, Positive
from ..language.units import amount_in_words


class MaxEpochs(Rule):
    """Fires when n epochs are done, and at every later check.

    Epochs are those of the run, where a check comes with one; otherwise every check is an epoch.

    >>> from earlystop import MaxEpochs, Stopper
    >>> stopper = Stopper(MaxEpochs(2))
    >>> print(stopper.step({}), stopper.step({}), sep="; ")
    epoch 0: continue; epoch 1: stop: 2 epochs have been run
    >>> stopper = Stopper(MaxEpochs(2))
    >>> [stopper.step({}, epoch=epoch).stop for epoch in (0.5, 1.0, 1.5, 2.0)]
    [False, False, False, True]
    """

    dial = "n"

    n: Positive

    class State(NamedTuple):
        seen: int = 0

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        seen = state.seen + 1
        return self.State(seen), epochs_counted(metrics, seen) >= self.n

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        done = epochs_counted(metrics, state.seen)
        return f"{amount_in_words(done, EPOCH)} {'have' if done != 1 else 'has'} been run"


class MaxSteps(Rule):
    """Fires when the run has taken n steps, and at every later check.

    The step is a metric, "step": `Stopper.step(metrics, step=...)` adds it, and a replay takes it
    from the log.

    >>> from earlystop import MaxSteps, Stopper
    >>> stopper = Stopper(MaxSteps(1000))
    >>> for step in (600, 1200):
    ...     print(stopper.step({}, step=step))
    step 600: continue
    step 1,200: stop: step 1,200 has been reached, the limit is 1,000
    """

    dial = "n"

    n: Positive

    @functools.cached_property
    def metrics(self) -> tuple[str, ...]:
        return (STEP,)

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        return state, metrics[STEP] >= self.n

    def reason(self, state: Any, metrics: Mapping[str, float], epoch: int) -> str:
        step, limit = number_text(metrics[STEP]), number_text(self.n)
        return f"step {step} has been reached, the limit is {limit}"


class TimeLimit(Rule):
    """Fires when the elapsed time reaches `seconds`.

    The core has no clock: the time since the run began, in seconds, is a metric. Adapters add it
    as "elapsed_seconds"; a replay reads it from the log, under the name given as `monitor`.

    >>> from earlystop import Stopper, TimeLimit
    >>> print(Stopper(TimeLimit(60)).step({"elapsed_seconds": 61.5}))
    epoch 0: stop: 61.5 s have passed, the limit is 60 s
    """

    dial = "seconds"

    seconds: Annotated[float, AtLeast(0, strict=True)]
    monitor: str = ELAPSED

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        return state, metrics[self.monitor] >= self.seconds

    def reason(self, state: Any, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{metrics[self.monitor]:.6g} s have passed, the limit is {self.seconds:.6g} s"
