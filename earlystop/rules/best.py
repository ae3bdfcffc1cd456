"""`Best`: fires on every new best, and so decides which checks to save."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..language.direction import Mode
from ..language.improvement import Improvement, Terms
from ..language.ops import Dtype, invert, where, worst
from ..language.rule import Rule


class Best(Rule):
    """Fires when a metric improves on its best so far; on a tie the earlier epoch stays the best.

    An improvement is defined as for `Patience`: better by more than `min_delta`, and never a NaN,
    unless `improvement` says otherwise. Meant as a save rule.

    monitor: the metric to watch.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    min_delta: the margin an improvement must exceed, in units of the metric.
    baseline: the value that the first best must beat.
    dtype: the type in which values are compared, "float64" or "float32".
    relative: `min_delta` is a fraction of the best so far.
    improvement: what counts as an improvement; see `Improvement`. (A first value that is "free" is
        one that needs no wait, so here it is judged.)

    >>> from earlystop import Best, Never, Stopper
    >>> stopper = Stopper(Never(), save=Best("val_accuracy"))
    >>> [stopper.step({"val_accuracy": value}).save for value in [0.5, 0.7, 0.7, 0.6, 0.8]]
    [True, True, False, False, True]
    >>> stopper.best, stopper.best_epoch
    (0.8, 4)
    """

    monitor: str
    mode: Mode = "auto"
    min_delta: float = 0.0
    baseline: float | None = None
    dtype: Dtype = "float64"
    relative: bool = False
    improvement: Improvement = Improvement()

    class State(NamedTuple):
        best: float

    class Taking(NamedTuple):
        """The state where the first value is taken, whatever it is."""

        best: float
        taken: bool

    def validate(self) -> None:
        self.improvement.check_margin(self.min_delta, "Best")

    def init(self) -> State | Taking:
        best = worst(self.mode) if self.baseline is None else self.baseline
        if self.improvement.first == "taken":
            return self.Taking(best, self.baseline is not None)
        return self.State(best)

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        value = metrics[self.monitor]
        first = invert(state.taken) if self.improvement.first == "taken" else False
        judged = self.improvement.judge(value, state.best, first, self.terms)
        counts = self.improvement.counts(value)
        after = state._replace(best=where(counts & judged.moves, value, state.best))
        if self.improvement.first == "taken":
            after = after._replace(taken=state.taken | counts)
        return after, counts & judged.improved

    @functools.cached_property
    def terms(self) -> Terms:
        """What improvements are compared by."""
        return Terms(self.mode, self.min_delta, self.relative, self.dtype)

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{self.monitor} reached a new best, {metrics[self.monitor]:.6g}"


def best_of(save: Rule) -> Best | None:
    """The one `Best` that a save rule is, wraps or combines; None for none or several.

    >>> from earlystop import Every, NonFinite
    >>> best_of(Best("val_loss") & ~NonFinite("val_loss")), best_of(Every(5))
    (Best('val_loss', mode='min'), None)
    """
    found = bests_within(save)
    return found[0] if len(found) == 1 else None


def bests_within(rule: Rule) -> tuple[Best, ...]:
    """The `Best` rules that a rule is, wraps or combines, without repetition.

    >>> from earlystop import Best, Every, Warmup
    >>> bests_within(Warmup(Best("val_loss"), 2) & Every(5))
    (Best('val_loss', mode='min'),)
    """
    if isinstance(rule, Best):
        return (rule,)
    return tuple(dict.fromkeys(best for child in rule.children for best in bests_within(child)))
