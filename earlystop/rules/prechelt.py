"""The three families of criteria of Prechelt (1998), with his definitions.

L. Prechelt, "Early Stopping - But When?", in Neural Networks: Tricks of the Trade, LNCS 1524,
1998, section 2.2. E_va(t) and E_tr(t) are the validation and training error of epoch t = 1, 2, ...;
E_opt(t) is the lowest E_va up to t. A *strip* of length k is k epochs n+1 ... n+k with n divisible
by k.

His errors are positive. To make the criteria work for errors of any sign, each ratio here divides
by the magnitude of its denominator; for positive errors the results equal his formulas to the last
bit. Scores to be maximised (mode "max") are treated as errors with the sign flipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import RuleError
from ..language.direction import Mode, direction
from ..language.ops import absolute, divide, lowest, push, total, where
from ..language.rule import Rule
from ..language.settings import NonNegative, Positive, Window


def _error(value: Any, mode: Mode) -> Any:
    return value if mode == "min" else -1.0 * value


def _excess(value: Any, reference: Any, count: int = 1) -> Any:
    """value / (count * reference) - 1 for a positive reference; likewise for a negative one."""
    return divide(value, count * absolute(reference)) - where(reference < 0, -1.0, 1.0)


def generalization_loss(error: Any, lowest_error: Any) -> Any:
    """GL(t) = 100 (E_va(t) / E_opt(t) - 1), in percent.

    >>> generalization_loss(0.75, 0.5), generalization_loss(-0.25, -0.5)
    (50.0, 50.0)
    """
    return 100 * _excess(error, lowest_error)


class GeneralizationLoss(Rule):
    """Prechelt's GL: fires when the loss exceeds the lowest so far by more than `alpha` percent.

    GL(t) = 100 (E_va(t) / E_opt(t) - 1) > alpha. A NaN never fires and is never the lowest.

    monitor: the validation error.
    alpha: the generalisation loss that must be exceeded, in percent.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.

    >>> from earlystop import GeneralizationLoss, Stopper
    >>> stopper = Stopper(GeneralizationLoss("val_loss", alpha=5))
    >>> for value in [0.5, 0.52, 0.53]:
    ...     print(stopper.step({"val_loss": value}))
    epoch 0: continue
    epoch 1: continue
    epoch 2: stop: val_loss is 6 % worse than its best, 0.5; the limit is 5 %
    """

    dial = "alpha"

    monitor: str
    alpha: NonNegative = 5.0
    mode: Mode = "auto"

    class State(NamedTuple):
        lowest_error: float = math.inf

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        error = _error(metrics[self.monitor], self.mode)
        lowest_error = where(error < state.lowest_error, error, state.lowest_error)
        loss = generalization_loss(error, lowest_error)
        return self.State(lowest_error), loss > self.alpha

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        error = _error(metrics[self.monitor], self.mode)
        loss = generalization_loss(error, state.lowest_error)
        best = _error(state.lowest_error, self.mode)
        return (
            f"{self.monitor} is {loss:.4g} % worse than its best, {best:.6g}; "
            f"the limit is {self.alpha:.6g} %"
        )


class ProgressQuotient(Rule):
    """Prechelt's PQ: fires when generalisation loss outweighs training progress.

    At the end of every strip of `strip` = k epochs: GL(t) / P_k(t) > alpha, where
    P_k(t) = 1000 (sum of E_tr over the strip / (k times the lowest E_tr of the strip) - 1) is the
    training progress in per mille. So training continues while the training error still falls
    fast. If training makes no progress at all, any generalisation loss fires.

    monitor: the validation error.
    train_monitor: the training error, with the same direction.
    alpha: the quotient that must be exceeded.
    strip: epochs per strip, at most 100,000.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.

    >>> from earlystop import ProgressQuotient, Stopper
    >>> stopper = Stopper(ProgressQuotient("val_loss", "loss", alpha=0.04, strip=2))
    >>> for val_loss, loss in [(2.0, 6.0), (3.0, 2.0)]:
    ...     print(stopper.step({"val_loss": val_loss, "loss": loss}))
    epoch 0: continue
    epoch 1: stop: val_loss is 50 % worse than its best, 0.05 times the progress of loss in per \
mille; the limit is 0.04
    """

    dial = "alpha"

    monitor: str
    train_monitor: str
    alpha: NonNegative = 0.5
    strip: Window = 5
    mode: Mode = "auto"

    class State(NamedTuple):
        lowest_error: float
        training_errors: tuple[float, ...]
        seen: int

    def validate(self) -> None:
        if getattr(self, "_given_mode", None) == "auto":
            other = direction(self.train_monitor, "auto", "ProgressQuotient")
            if other != self.mode:
                raise RuleError(
                    f"`ProgressQuotient(monitor={self.monitor!r}, train_monitor="
                    f"{self.train_monitor!r})` needs two metrics with the same direction, got "
                    f"{self.mode!r} and {other!r}: take the loss of both, or pass `mode`"
                )

    def init(self) -> State:
        return self.State(math.inf, (math.nan,) * self.strip, 0)

    def _quotient(self, state: State, error: Any) -> Any:
        sum_of_strip, least = total(state.training_errors), lowest(state.training_errors)
        progress = 1000 * _excess(sum_of_strip, least, self.strip)
        # Without this, rounding could turn zero progress into a small positive or negative one.
        progress = where(sum_of_strip <= self.strip * least, 0.0, progress)
        return divide(generalization_loss(error, state.lowest_error), progress)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        error = _error(metrics[self.monitor], self.mode)
        training_error = _error(metrics[self.train_monitor], self.mode)
        after = self.State(
            lowest_error=where(error < state.lowest_error, error, state.lowest_error),
            training_errors=push(state.training_errors, training_error),
            seen=state.seen + 1,
        )
        at_strip_end = after.seen % self.strip == 0
        return after, at_strip_end & (self._quotient(after, error) > self.alpha)

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        error = _error(metrics[self.monitor], self.mode)
        return (
            f"{self.monitor} is {generalization_loss(error, state.lowest_error):.4g} % worse than "
            f"its best, {self._quotient(state, error):.4g} times the progress of "
            f"{self.train_monitor} in per mille; the limit is {self.alpha:.6g}"
        )


class ConsecutiveIncreases(Rule):
    """Prechelt's UP: fires when the error rose over `increases` strips in a row.

    Strips have `strip` = k epochs, and the ends of strips are compared: UP_1 fires at a strip's end
    t with E_va(t) > E_va(t - k), UP_s when UP_{s-1} fired at t - k and again E_va(t) > E_va(t - k).
    The first strip has no predecessor, so it takes (increases + 1) * strip epochs to fire. A NaN at
    the end of a strip is neither a rise nor something to rise above.

    monitor: the validation error.
    increases: how many strips in a row the error must rise.
    strip: epochs per strip.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.

    >>> from earlystop import ConsecutiveIncreases, Stopper
    >>> stopper = Stopper(ConsecutiveIncreases("val_loss", increases=1, strip=2))
    >>> [stopper.step({"val_loss": value}).stop for value in [9.0, 1.0, 0.5, 1.5]]
    [False, False, False, True]
    """

    dial = "increases"

    monitor: str
    increases: Positive = 3
    strip: Positive = 5
    mode: Mode = "auto"

    class State(NamedTuple):
        previous_error: float = math.nan
        rises: int = 0
        seen: int = 0

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        error = _error(metrics[self.monitor], self.mode)
        seen = state.seen + 1
        at_strip_end = seen % self.strip == 0
        rose = error > state.previous_error  # nothing is above NaN
        rises = where(at_strip_end, where(rose, state.rises + 1, 0), state.rises)
        previous_error = where(at_strip_end, error, state.previous_error)
        after = self.State(previous_error, rises, seen)
        return after, at_strip_end & (rises >= self.increases)

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        strips = f"{state.rises} strip{'s' if state.rises != 1 else ''} of {self.strip} epochs"
        return f"{self.monitor} has got worse over {strips} in a row"
