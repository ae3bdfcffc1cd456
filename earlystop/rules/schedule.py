"""Rules that do not judge a metric: `Every`, `Never`, `Always`. Mostly used as save rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..language.ops import Value, where
from ..language.positions import CHECKS, EPOCH, epochs_counted
from ..language.rule import Rule
from ..language.settings import Positive
from ..language.units import amount_in_words


class Every(Rule):
    """Fires on every n-th check: the n-th, the 2n-th, ...

    unit: count in another unit: "epoch", "step", "elapsed_seconds" or any metric that never falls.
        Then it fires at the first check at or after each multiple of n. Where a check comes without
        an epoch, it is one.

    >>> from earlystop import Every, Never, Stopper
    >>> stopper = Stopper(Never(), save=Every(2))
    >>> [stopper.step({}).save for _ in range(5)]
    [False, True, False, True, False]
    >>> stopper = Stopper(Never(), save=Every(1000, unit="step"))
    >>> [stopper.step({}, step=step).save for step in (600, 1200, 1800, 3100)]
    [False, True, False, True]
    """

    n: Positive
    unit: str = CHECKS

    class State(NamedTuple):
        seen: int = 0
        multiple: float = 0.0

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        seen = state.seen + 1
        if self.unit == CHECKS:
            return state._replace(seen=seen), seen % self.n == 0
        count = self._count(metrics, seen)
        multiple = count - count % self.n
        fires = multiple > state.multiple
        return self.State(seen, where(fires, multiple, state.multiple)), fires

    def _count(self, metrics: Mapping[str, Any], seen: Value) -> Value:
        if self.unit == CHECKS:
            return seen
        return epochs_counted(metrics, seen) + 0.0 if self.unit == EPOCH else metrics[self.unit]

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        count = amount_in_words(self._count(metrics, state.seen), self.unit)
        return f"{count}: the next of every {amount_in_words(self.n, self.unit)}"


class Never(Rule):
    """Never fires.

    >>> from earlystop import Never, Stopper
    >>> print(Stopper(Never()).step({}))
    epoch 0: continue
    """

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        return state, False


class Always(Rule):
    """Fires on every epoch.

    >>> from earlystop import Always, Never, Stopper
    >>> print(Stopper(Never(), save=Always()).step({}))
    epoch 0: save, continue
    """

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        return state, True
