"""Rules that read no metric: `Every`, `Never`, `Always`. Mostly used as save rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..language.rule import Rule
from ..language.settings import Positive


class Every(Rule):
    """Fires on every n-th epoch: the n-th, the 2n-th, ...

    >>> from earlystop import Every, Never, Stopper
    >>> stopper = Stopper(Never(), save=Every(2))
    >>> [stopper.step({}).save for _ in range(5)]
    [False, True, False, True, False]
    """

    n: Positive

    class State(NamedTuple):
        seen: int = 0

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        seen = state.seen + 1
        return self.State(seen), seen % self.n == 0

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{state.seen} epochs are a multiple of {self.n}"


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
