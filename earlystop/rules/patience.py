"""`Patience`: stop when a metric has not improved for a number of checks in a row.

For logged runs there is a faster implementation of the same decisions,
`earlystop.replaying.patience`, which answers all values of patience at once. It calls this rule's
`improves` and `required_wait`. If you change anything else about when the rule fires, change that
implementation, too (property tests compare the two).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..language.direction import Mode
from ..language.ops import (
    Dtype,
    Value,
    absolute,
    improves,
    isfinite,
    isnan,
    push,
    reported,
    where,
    worst,
)
from ..language.positions import (
    CHECKS,
    EPOCH,
    STEP,
    epochs_done,
    place_text,
)
from ..language.rule import Rule
from ..language.settings import Count, NonNegative
from ..language.units import amount_in_words


class Patience(Rule):
    """Fires after `patience` checks in a row without improvement.

    A check improves when its value is better than the reference by more than `min_delta`
    (`value + min_delta < reference` for mode "min", `value - min_delta > reference` for "max", in
    float64); only then does the value become the reference. Before the first improvement the
    reference is `baseline` or, without one, the worst possible value: so neither NaN nor the
    infinity on the wrong side ever improves. The rule keeps firing until the next improvement.

    monitor: the metric to watch.
    patience: checks without improvement, or in another unit; 0 means 1.
    min_delta: the margin an improvement must exceed, in units of the metric.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    baseline: the value that the first improvement must beat.
    start_from_epoch: the first epoch that counts, from 0; earlier ones do not set the reference
        either. Where a check comes without an epoch, it is one.
    relative: `min_delta` is a fraction of the reference's magnitude, whatever its sign; 0.01
        requires an improvement of more than 1 %.
    growth: patience that grows with the run: after an improvement at t (in the unit; checks and
        epochs are counted from 0) the rule waits for `max(patience, growth * t)`. At 0 it does not
        grow.
    dtype: the type in which value and reference are compared, "float64" or "float32". A framework
        that compares metrics in float32 does not see improvements below that precision.
    unit: what `patience` counts: "checks" that report the metric, or how far the run may go on
        without improvement in "epoch", "step", "elapsed_seconds" or any metric that never falls.
        Where a check comes without an epoch, it is one. Until the first improvement the way is
        measured from the first check that counts.

    The arguments extend those of Keras's `EarlyStopping`; the README lists where decisions differ.

    >>> from earlystop import Stopper, Patience
    >>> stopper = Stopper(Patience("val_loss", patience=2))
    >>> for value in [5.0, 4.0, 4.5, 4.0]:
    ...     print(stopper.step({"val_loss": value}))
    epoch 0: continue
    epoch 1: continue
    epoch 2: continue
    epoch 3: stop: val_loss has not improved on 4 (epoch 1) by more than 0 for 2 epochs
    >>> stopper = Stopper(Patience("val_loss", patience=500, unit="step"))
    >>> for step, value in [(300, 5.0), (600, 5.0), (900, 6.0)]:
    ...     print(stopper.step({"val_loss": value}, step=step))
    step 300: continue
    step 600: continue
    step 900: stop: val_loss has not improved on 5 (step 300) by more than 0 for 600 steps
    """

    monitor: str
    patience: Count = 0
    min_delta: NonNegative = 0.0
    mode: Mode = "auto"
    baseline: float | None = None
    start_from_epoch: Count = 0
    relative: bool = False
    growth: NonNegative = 0.0
    dtype: Dtype = "float64"
    unit: str = CHECKS

    class State(NamedTuple):
        reference: float
        reference_epoch: int  # the number of its check
        wait: float  # in checks; in another unit, where the wait began, NaN before
        place: tuple[float, float]  # the epoch and step of the reference, NaN if unknown

    def init(self) -> State:
        start = worst(self.mode) if self.baseline is None else self.baseline
        wait = 0 if self.unit == CHECKS else math.nan
        return self.State(start, -1, wait, (math.nan, math.nan))

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        value = metrics[self.monitor]
        counts: Value = True
        if self.start_from_epoch > 0:
            counts = epochs_done(metrics, epoch) > self.start_from_epoch
        improved = counts & self.improves(value, state.reference)
        after = self.State(
            reference=where(improved, value, state.reference),
            reference_epoch=where(improved, epoch, state.reference_epoch),
            wait=self._next_wait(state, metrics, epoch, counts, improved),
            place=_place(state, metrics, improved),
        )
        wait = self._waited(after, metrics, epoch)
        return after, wait >= self.required_wait(self._last_improvement(after))

    def _next_wait(
        self, state: State, metrics: Any, epoch: Value, counts: Value, improved: Value
    ) -> Value:
        if self.unit == CHECKS:
            return where(improved, 0, state.wait + counts)
        at = begin = self._coordinate(metrics, epoch)
        if self.unit == EPOCH:  # the first epoch without an improvement is one to count
            begin = where(at < 0, -1.0, at - 1)
        return where(improved, at, where(isnan(state.wait) & counts, begin, state.wait))

    def _waited(self, state: State, metrics: Any, epoch: Value) -> Value:
        """How long the wait is, in the unit; NaN before anything counts."""
        if self.unit == CHECKS:
            return state.wait
        return self._coordinate(metrics, epoch) - state.wait

    def _coordinate(self, metrics: Any, epoch: Value) -> Value:
        """Where a check stands in the unit, for units other than checks."""
        return epochs_done(metrics, epoch) - 1.0 if self.unit == EPOCH else metrics[self.unit]

    def _last_improvement(self, state: State) -> Value:
        """Where the reference stands in the unit; -1 before the first."""
        if self.unit == CHECKS or not self.wait_grows:
            return state.reference_epoch
        return where(state.reference_epoch < 0, -1.0, state.wait)

    def required_wait(self, reference_epoch: Any, patience: Any = None) -> Any:
        """The wait without improvement at which the rule fires, in the unit.

        This is the only definition: `step` uses it, and so do replay and sweep, whose closed form
        for many values of patience is in `earlystop.replaying.patience`. The closed form assumes
        the larger of two waits: one that depends on the patience alone, and one that depends on
        the last improvement alone, if `wait_grows`.

        reference_epoch: where the last improvement stands in the unit, checks counted from 0; -1
            before the first.
        patience: replaces the rule's own patience; a number or an array.

        >>> Patience("loss", 5, growth=0.5).required_wait(30)
        15.0
        """
        patience = self.patience if patience is None else patience
        wait = where(patience < 1, 1, patience)  # 0 means 1
        if self.wait_grows:
            grown = self.growth * reference_epoch
            wait = where(grown > wait, grown, wait)
        return wait

    @property
    def wait_grows(self) -> bool:
        """Whether `required_wait` depends on the epoch of the last improvement."""
        return self.growth > 0

    def improves(self, value: Any, reference: Any, min_delta: Any = None) -> Any:
        """Does the value improve on the reference?

        min_delta: replaces the rule's own margin; a number or an array.
        """
        margin: Any = self.min_delta if min_delta is None else min_delta
        if self.relative:
            margin = where(isfinite(reference), margin * absolute(reference), 0.0)
        return improves(value, reference, self.mode, margin, self.dtype)

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        wait = self._waited(state, metrics, epoch)
        for_epochs = f"for {amount_in_words(wait, self._unit_in_words(state, metrics))}"
        if state.reference_epoch < 0 and self.baseline is None:
            return f"{self.monitor} has had no value to improve on {for_epochs}"
        margin = f"{self.min_delta:.6g}" + (" of it" if self.relative else "")
        if state.reference_epoch < 0:
            rival = f"the baseline {state.reference:.6g}"
            return f"{self.monitor} has not beaten {rival} by more than {margin} {for_epochs}"
        at = (None if math.isnan(position) else position for position in state.place)
        rival = f"{state.reference:.6g} ({place_text(state.reference_epoch, *at)})"
        return f"{self.monitor} has not improved on {rival} by more than {margin} {for_epochs}"

    def _unit_in_words(self, state: State, metrics: Mapping[str, float]) -> str:
        """The unit of the wait; checks are called epochs where each of them was one."""
        if self.unit != CHECKS:
            return self.unit
        if EPOCH not in metrics and STEP not in metrics:
            return EPOCH
        at = state.reference_epoch if math.isnan(state.place[0]) else state.place[0]
        return EPOCH if metrics.get(EPOCH, math.nan) - at == state.wait else CHECKS


def _place(state: Patience.State, metrics: Any, improved: Value) -> Value:
    """The place of the reference after a check."""
    told = [(name, reported(metrics, (name,))) for name in (EPOCH, STEP)]
    if all(present is False for _, present in told):
        return state.place
    place = state.place
    for name, present in told:
        at = math.nan if present is False else where(present, metrics[name], math.nan)
        place = push(place, at)
    return where(improved, place, state.place)
