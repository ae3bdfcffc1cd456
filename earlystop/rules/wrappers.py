"""Rules that wrap a rule.

`Warmup` starts it later, `Filtered` shows it some of the checks, `Smoothed` gives it a smoothed
metric, `Lasting` waits until it has fired several times in a row.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from ..errors import RuleError
from ..language.ops import divide, invert, isfinite, push, replaced, reported, total, where
from ..language.positions import STEP, epochs_counted, later_start
from ..language.rule import Rule, advance
from ..language.settings import AtLeast, Count, Positive, Window


class Warmup(Rule):
    """Hides the beginning of a run from a rule, which starts with the check after it.

    Counters of the wrapped rule start from 0 there. Epoch numbers in its settings, such as
    `start_from_epoch`, and steps still refer to the whole run.

    rule: the wrapped rule.
    epochs: how many epochs to hide. Where a check comes without an epoch, it is one.
    steps: hide the checks up to this step.
    checks: how many checks to hide. Exactly one of the three is given.

    Raises RuleError for none, or more than one, of them.

    >>> from earlystop import Patience, Stopper, Warmup
    >>> stopper = Stopper(Warmup(Patience("loss", patience=1), epochs=2))
    >>> [stopper.step({"loss": value}).stop for value in [1.0, 2.0, 3.0, 4.0]]
    [False, False, False, True]
    """

    rule: Rule
    epochs: Count | None = None
    steps: Count | None = None
    checks: Count | None = None

    class State(NamedTuple):
        hidden: int
        inner: Any

    class Counted(NamedTuple):
        """The state of a warm-up that is given in steps or checks."""

        hidden: int
        inner: Any
        before: float  # how many epochs are done at the last hidden check

    def validate(self) -> None:
        if [self.epochs, self.steps, self.checks].count(None) != 2:
            raise RuleError("`Warmup(...)` takes exactly one of `epochs`, `steps` and `checks`")

    @functools.cached_property
    def metrics(self) -> tuple[str, ...]:
        return () if self.steps is None else (STEP,)

    def init(self) -> State | Counted:
        if self.epochs is not None:
            return self.State(0, self.rule.init())
        return self.Counted(0, self.rule.init(), 0.0)

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[Any, Any]:
        is_over = self._is_over(state, metrics)
        inner, fires = advance(self.rule, state.inner, self.shown(state, metrics), epoch)
        after = state._replace(
            hidden=where(is_over, state.hidden, state.hidden + 1),
            inner=where(is_over, inner, state.inner),
        )
        if self.epochs is None:
            done = epochs_counted(metrics, state.hidden + 1) + 0.0
            after = after._replace(before=where(is_over, state.before, done))
        return after, is_over & fires

    def _is_over(self, state: Any, metrics: Mapping[str, Any]) -> Any:
        if self.steps is not None:
            return metrics[STEP] > self.steps
        seen, most = state.hidden + 1, self.checks
        if self.epochs is not None:
            seen, most = epochs_counted(metrics, seen), self.epochs
        return seen > (most or 0)

    def shown(self, state: Any, metrics: Any) -> Any:
        """The metrics for the wrapped rule, which counts from the end of the warm-up."""
        return later_start(metrics, state.before if self.epochs is None else self.epochs)

    def explain(self, state: Any, metrics: Mapping[str, float], epoch: int) -> str:
        if not self._is_over(state, metrics):
            return ""
        return self.rule.explain(state.inner, self.shown(state, metrics), epoch)


class Filtered(Rule):
    """Shows a rule only the checks at which another one fires; at all others it does not fire.

    rule: the wrapped rule. What it counts are the checks it is shown.
    by: the rule that says which.

    >>> from earlystop import Best, Every, Filtered, Never, Stopper
    >>> stopper = Stopper(Never(), save=Filtered(Best("loss"), by=Every(2)))
    >>> [stopper.step({"loss": value}).save for value in [0.5, 0.9, 0.6, 0.8, 0.7, 0.85]]
    [False, True, False, True, False, False]
    """

    rule: Rule
    by: Rule

    class State(NamedTuple):
        by: Any
        inner: Any

    def init(self) -> State:
        return self.State(self.by.init(), self.rule.init())

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        by, shown = advance(self.by, state.by, metrics, epoch)
        inner, fires = advance(self.rule, state.inner, metrics, epoch)
        return self.State(by, where(shown, inner, state.inner)), shown & fires

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        _, shown = advance(self.by, state.by, metrics, epoch)
        return self.rule.explain(state.inner, metrics, epoch) if shown else ""


class Smoothed(Rule):
    """Gives a rule a smoothed metric in place of `monitor`; pass either `window` or `alpha`.

    rule: the wrapped rule; it must read `monitor`.
    monitor: the metric to smooth.
    window: take the mean of the last `window` values (of all values, until there are that many);
        at most 100,000.
    alpha: take the exponential mean `alpha * value + (1 - alpha) * previous mean`, starting with
        the first value; between 0 (excluded) and 1 (no smoothing).

    The rule sees NaN and infinities unchanged. They are left out of the mean, which they would
    spoil for the rest of the run.

    >>> from earlystop import Patience, Smoothed, Stopper
    >>> stopper = Stopper(Smoothed(Patience("loss", patience=1), "loss", window=2))
    >>> [stopper.step({"loss": value}).stop for value in [4.0, 2.0, 3.0, 5.0]]
    [False, False, False, True]
    """

    rule: Rule
    monitor: str
    window: Window | None = None
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
        # An epoch without the monitor must still reach inner rules that read other metrics.
        return ()

    def init(self) -> State:
        return self.State((0.0,) * (self.window or 1), 0.0, 0, self.rule.init())

    def smoothed(self, state: State, metrics: Any) -> tuple[State, Any]:
        """The state after averaging in one more check, and the metrics for the wrapped rule."""
        present = reported(metrics, (self.monitor,))
        if present is False:
            return state, metrics
        value = metrics[self.monitor]
        is_finite = isfinite(value)
        seen = state.seen + 1
        if self.alpha is None:
            values = push(state.values, value)
            length = self.window or 1
            mean = divide(total(values), where(seen < length, seen, length))
        else:
            values = state.values
            mean = where(seen == 1, value, self.alpha * value + (1 - self.alpha) * state.mean)
        averaged = self.State(values, mean, seen, state.inner)
        after = where(present & is_finite, averaged, state)
        return after, replaced(metrics, self.monitor, where(is_finite, mean, value))

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        after, smoothed = self.smoothed(state, metrics)
        inner, fires = advance(self.rule, state.inner, smoothed, epoch)
        return after._replace(inner=inner), fires

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        _, smoothed = self.smoothed(state, metrics)
        reason = self.rule.explain(state.inner, smoothed, epoch)
        how = f"window={self.window}" if self.alpha is None else f"alpha={self.alpha:.6g}"
        return f"{reason} ({self.monitor} smoothed with {how})" if reason else ""


class Lasting(Rule):
    """Fires when its rule has fired `n` times in a row, and as long as it goes on.

    A check at which a metric of the rule is missing neither adds to the row nor ends it.

    rule: the wrapped rule.
    n: how many times in a row.

    >>> from earlystop import Lasting, Stopper, Threshold
    >>> stopper = Stopper(Lasting(Threshold("loss", 0.5), 2))
    >>> [stopper.step({"loss": value}).stop for value in [0.4, 0.6, 0.4, 0.3]]
    [False, False, False, True]
    """

    rule: Rule
    n: Positive

    class State(NamedTuple):
        row: int
        inner: Any

    @functools.cached_property
    def metrics(self) -> tuple[str, ...]:
        # The wrapped rule may fire at an epoch that lacks some of its metrics.
        return ()

    def init(self) -> State:
        return self.State(0, self.rule.init())

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        inner, fires = advance(self.rule, state.inner, metrics, epoch)
        missing = invert(reported(metrics, self.rule.all_metrics))
        row = where(fires, state.row + 1, where(missing, state.row, 0))
        return self.State(row, inner), fires & (row >= self.n)

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        _, fires = self.step(state, metrics, epoch)
        if not fires:
            return ""
        reason = self.rule.explain(state.inner, metrics, epoch)
        return f"{reason} ({state.row + 1:,} times in a row)"
