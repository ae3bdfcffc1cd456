"""Rules around a rule: `Warmup` starts it later, `Smoothed` shows it a smoothed metric."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from ..errors import RuleError
from ..language.ops import divide, isfinite, push, replaced, reported, total, where
from ..language.rule import Rule, advance
from ..language.settings import AtLeast, Count, Positive


class Warmup(Rule):
    """Hides the first `epochs` epochs from a rule, which starts with the epoch after them.

    What the rule counts itself starts at 0 then; epochs that it is given by number, such as
    `start_from_epoch`, are still those of the whole run.

    >>> from earlystop import Patience, Stopper, Warmup
    >>> stopper = Stopper(Warmup(Patience("loss", patience=1), epochs=2))
    >>> [stopper.step({"loss": value}).stop for value in [1.0, 2.0, 3.0, 4.0]]
    [False, False, False, True]
    """

    rule: Rule
    epochs: Count

    class State(NamedTuple):
        hidden: int
        inner: Any

    def init(self) -> State:
        return self.State(0, self.rule.init())

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        shows = state.hidden >= self.epochs
        inner, fires = advance(self.rule, state.inner, metrics, epoch)
        after = self.State(
            hidden=where(shows, state.hidden, state.hidden + 1),
            inner=where(shows, inner, state.inner),
        )
        return after, shows & fires

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        if state.hidden < self.epochs:
            return ""
        return self.rule.explain(state.inner, metrics, epoch)


class Smoothed(Rule):
    """Shows a rule a smoothed metric in place of `monitor`; pass either `window` or `alpha`.

    window: the mean of the last `window` values (of all values, while they are fewer).
    alpha: the exponential mean `alpha * value + (1 - alpha) * previous mean`, starting with the
        first value; between 0 (excluded) and 1 (no smoothing).

    The rule sees NaN and infinities as they are. They are left out of the mean, which they would
    make useless for the rest of the run.

    >>> from earlystop import Patience, Smoothed, Stopper
    >>> stopper = Stopper(Smoothed(Patience("loss", patience=1), "loss", window=2))
    >>> [stopper.step({"loss": value}).stop for value in [4.0, 2.0, 3.0, 5.0]]
    [False, False, False, True]
    """

    rule: Rule
    monitor: str
    window: Positive | None = None
    alpha: Annotated[float, AtLeast(0, strict=True)] | None = None

    class State(NamedTuple):
        values: tuple[float, ...]
        mean: float
        seen: int
        inner: Any

    def validate(self) -> None:
        if (self.window is None) == (self.alpha is None):
            raise RuleError("`Smoothed(...)` takes exactly one of `window` and `alpha`")
        if self.alpha is not None and self.alpha > 1:
            raise RuleError(f"`Smoothed(alpha=...)` must be at most 1, got {self.alpha!r}")
        if self.monitor not in self.rule.all_metrics:
            raise RuleError(
                f"`Smoothed(monitor=...)` must be a metric of {self.rule!r} "
                f"({', '.join(self.rule.all_metrics) or 'which has none'}), got {self.monitor!r}"
            )

    @functools.cached_property
    def metrics(self) -> tuple[str, ...]:
        # An epoch without the monitor must still reach rules inside that read other metrics.
        return ()

    def init(self) -> State:
        return self.State((0.0,) * (self.window or 1), 0.0, 0, self.rule.init())

    def smoothed(self, state: State, metrics: Any) -> tuple[State, Any]:
        """The state with the averages of one more epoch, and the metrics that the rule is shown."""
        present = reported(metrics, (self.monitor,))
        if present is False:
            return state, metrics
        value = metrics[self.monitor]
        enters = isfinite(value)
        seen = state.seen + 1
        if self.alpha is None:
            values = push(state.values, value)
            length = self.window or 1
            mean = divide(total(values), where(seen < length, seen, length))
        else:
            values = state.values
            mean = where(seen == 1, value, self.alpha * value + (1 - self.alpha) * state.mean)
        averaged = self.State(values, mean, seen, state.inner)
        after = where(present & enters, averaged, state)
        return after, replaced(metrics, self.monitor, where(enters, mean, value))

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        after, shown = self.smoothed(state, metrics)
        inner, fires = advance(self.rule, state.inner, shown, epoch)
        return after._replace(inner=inner), fires

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        _, shown = self.smoothed(state, metrics)
        reason = self.rule.explain(state.inner, shown, epoch)
        how = f"window={self.window}" if self.alpha is None else f"alpha={self.alpha:.6g}"
        return f"{reason} ({self.monitor} smoothed with {how})" if reason else ""
