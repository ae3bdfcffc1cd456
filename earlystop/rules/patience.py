"""`Patience`: stop when a metric has not improved for a number of epochs in a row.

For logged runs there is a faster implementation of the same decisions,
`earlystop.replaying.patience`, which answers all values of patience at once. It calls this rule's
`improves` and `required_wait`. If you change anything else about when the rule fires, change that
implementation, too (property tests compare the two).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..language.direction import Mode
from ..language.ops import Dtype, absolute, improves, isfinite, where, worst
from ..language.rule import Rule
from ..language.settings import Count, NonNegative


class Patience(Rule):
    """Fires after `patience` epochs in a row without improvement.

    An epoch improves when its value is better than the reference by more than `min_delta`
    (`value + min_delta < reference` for mode "min", `value - min_delta > reference` for "max", in
    float64); only then does the value become the reference. Before the first improvement the
    reference is `baseline` or, without one, the worst possible value: so neither NaN nor the
    infinity on the wrong side ever improves. The rule keeps firing until the next improvement.

    monitor: the metric to watch.
    patience: epochs without improvement; 0 means 1.
    min_delta: the margin an improvement must exceed, in units of the metric.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    baseline: the value that the first improvement must beat.
    start_from_epoch: the first epoch that counts; earlier ones do not set the reference either.
    relative: `min_delta` is a fraction of the reference's magnitude, whatever its sign; 0.01
        requires an improvement of more than 1 %.
    growth: patience that grows with the run: after an improvement at epoch t (counted from 0) the
        rule waits for `max(patience, growth * t)` epochs. At 0 it does not grow.
    dtype: the type in which value and reference are compared, "float64" or "float32". A framework
        that compares metrics in float32 does not see improvements below that precision.

    The arguments extend those of Keras's `EarlyStopping`; the README lists where decisions differ.

    >>> from earlystop import Stopper, Patience
    >>> stopper = Stopper(Patience("val_loss", patience=2))
    >>> for value in [5.0, 4.0, 4.5, 4.0]:
    ...     print(stopper.step({"val_loss": value}))
    epoch 0: continue
    epoch 1: continue
    epoch 2: continue
    epoch 3: stop: val_loss has not improved on 4 (epoch 1) by more than 0 for 2 epochs
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

    class State(NamedTuple):
        reference: float
        reference_epoch: int
        wait: int

    def init(self) -> State:
        start = worst(self.mode) if self.baseline is None else self.baseline
        return self.State(reference=start, reference_epoch=-1, wait=0)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        value = metrics[self.monitor]
        counts = epoch >= self.start_from_epoch
        improved = counts & self.improves(value, state.reference)
        wait = where(improved, 0, state.wait + counts)
        after = self.State(
            reference=where(improved, value, state.reference),
            reference_epoch=where(improved, epoch, state.reference_epoch),
            wait=wait,
        )
        return after, wait >= self.required_wait(after.reference_epoch)

    def required_wait(self, reference_epoch: Any, patience: Any = None) -> Any:
        """Checks without improvement after which the rule fires, given the last improvement.

        This is the only definition: `step` uses it, and so do replay and sweep, whose closed form
        for many values of patience is in `earlystop.replaying.patience`. The closed form assumes
        the larger of two waits: one that depends on the patience alone, and one that depends on
        the last improvement alone, if `wait_grows`.

        reference_epoch: the epoch of the last improvement, counted from 0; -1 before the first.
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
        for_epochs = f"for {state.wait} epoch{'s' if state.wait != 1 else ''}"
        if state.reference_epoch < 0 and self.baseline is None:
            return f"{self.monitor} has had no value to improve on {for_epochs}"
        margin = f"{self.min_delta:.6g}" + (" of it" if self.relative else "")
        if state.reference_epoch < 0:
            rival = f"the baseline {state.reference:.6g}"
            return f"{self.monitor} has not beaten {rival} by more than {margin} {for_epochs}"
        rival = f"{state.reference:.6g} (epoch {state.reference_epoch})"
        return f"{self.monitor} has not improved on {rival} by more than {margin} {for_epochs}"
