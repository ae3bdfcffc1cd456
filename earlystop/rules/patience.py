"""`Patience`: stop when a metric has not improved for a number of checks in a row.

For logged runs there is a faster implementation of the same decisions,
`earlystop.replaying.patience`, which answers all values of patience at once. It calls this rule's
`judge`, `improves` and `required_wait`. If you change anything else about when the rule fires,
change that implementation, too (property tests compare the two).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ..errors import RuleError
from ..language.direction import Mode
from ..language.improvement import Improvement, Judged, Terms
from ..language.ops import (
    Dtype,
    Value,
    absolute,
    better,
    invert,
    isfinite,
    isnan,
    where,
    worst,
)
from ..language.positions import (
    CHECKS,
    EPOCH,
    epochs_done,
    place_after,
    place_text_of,
    unit_of_wait,
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
    Where a framework decides in another way, `improvement` and `gate` say so.

    monitor: the metric to watch.
    patience: checks without improvement, or in another unit; 0 means 1.
    min_delta: the margin an improvement must exceed, in units of the metric.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    baseline: the value that the first improvement must beat.
    start_from_epoch: the first epoch that counts, from 0; earlier ones do not set the reference
        either. Where a check comes without an epoch, it is one.
    relative: True or "best": `min_delta` is a fraction of the reference's magnitude, whatever its
        sign; 0.01 requires an improvement of more than 1 %. "improvement": of what the run has
        gained, from its first finite value to its best so far, this check included; it takes no
        cooldown, and is stepped in a sweep over many values of patience, which takes longer.
    growth: patience that grows with the run: after an improvement at t (in the unit; checks and
        epochs are counted from 0) the rule waits for `max(patience, growth * t)`. At 0 it does not
        grow.
    dtype: the type in which value and reference are compared, "float64" or "float32". A framework
        that compares metrics in float32 does not see improvements below that precision.
    unit: what `patience` counts: "checks" that report the metric, or how far the run may go on
        without improvement in "epoch", "step", "elapsed_seconds" or any metric that never falls.
        Where a check comes without an epoch, it is one. Until the first improvement the way is
        measured from the first check that counts.
    gate: a value that an improvement must beat, too, by `min_delta`, to end the wait. One that does
        not sets the reference, and the wait goes on, but the rule does not fire at it.
    cooldown: after it has fired, the rule begins a new wait, and its first `cooldown` checks do not
        count for it. None: it keeps firing. Needs `unit="checks"`. Runs are replayed check by check
        with it, which takes longer in a sweep over many values of patience.
    improvement: what counts as an improvement, and what becomes the reference; see `Improvement`.

    Raises RuleError for settings that do not fit together.

    The arguments extend those of Keras's `EarlyStopping`; docs/migration.md lists where decisions
    differ.

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

    dial = "patience"

    monitor: str
    patience: Count = 0
    min_delta: float = 0.0
    mode: Mode = "auto"
    baseline: float | None = None
    start_from_epoch: Count = 0
    relative: bool | Literal["best", "improvement"] = False
    growth: NonNegative = 0.0
    dtype: Dtype = "float64"
    unit: str = CHECKS
    gate: float | None = None
    cooldown: Count | None = None
    improvement: Improvement = Improvement()

    class State(NamedTuple):
        reference: float
        reference_epoch: int  # the number of the check that improved last
        wait: float  # in checks; in another unit, where the wait began, NaN before
        place: tuple[float, float]  # the epoch and step of that check, NaN if unknown

    class Cooling(NamedTuple):
        """The state with a cooldown."""

        reference: float
        reference_epoch: int
        wait: float
        place: tuple[float, float]
        cooling: int  # how many checks do not count after the rule has fired; -1 for none

    class Gaining(NamedTuple):
        """The state with a margin that is a fraction of the improvement."""

        reference: float
        reference_epoch: int
        wait: float
        place: tuple[float, float]
        first: float  # the first finite value, NaN before
        best: float  # the best finite value

    def validate(self) -> None:
        if self.relative == "best":  # equal rules have equal settings
            object.__setattr__(self, "relative", True)
        self.improvement.check_margin(self.min_delta, "Patience")
        if self.cooldown is not None and self.by_gain:
            raise RuleError(
                '`Patience(relative="improvement")` takes no cooldown: leave one of them out'
            )
        if self.cooldown is not None and self.unit != CHECKS:
            raise RuleError(
                f'`Patience(cooldown=...)` counts checks: pass unit="checks", not {self.unit!r}, '
                "or leave it out"
            )

    @property
    def by_gain(self) -> bool:
        """Whether `min_delta` is a fraction of what the run has gained."""
        return self.relative == "improvement"

    def init(self) -> State | Cooling | Gaining:
        start = worst(self.mode) if self.baseline is None else self.baseline
        wait = 0 if self.unit == CHECKS else math.nan
        state = self.State(start, -1, wait, (math.nan, math.nan))
        if self.by_gain:
            return self.Gaining(*state, first=math.nan, best=worst(self.mode))
        return state if self.cooldown is None else self.Cooling(*state, cooling=-1)

    def step(self, state: Any, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        value = metrics[self.monitor]
        is_check = counts = self.improvement.counts(value)
        if self.start_from_epoch > 0:
            counts = counts & (epochs_done(metrics, epoch) > self.start_from_epoch)
        is_first = state.reference_epoch < 0 if self.improvement.asks_for_first else False
        margin = None
        if self.by_gain:
            state, margin = self._gained(state, value, counts)
        judged = self.judge(value, state.reference, is_first, margin)
        improved = ends = counts & judged.no_miss
        if self.gate is not None:
            ends = improved & self.improves(value, self.gate, margin)
        moves = improved if judged.moves is judged.no_miss else counts & judged.moves
        after = state._replace(
            reference=where(moves, value, state.reference),
            reference_epoch=where(improved, epoch, state.reference_epoch),
            wait=self._next_wait(state, metrics, epoch, counts, ends),
            place=place_after(state.place, metrics, improved),
        )
        wait = self.waited(after, metrics, epoch)
        fires = is_check & (wait >= self.required_wait(self.last_improvement(after)))
        if self.gate is not None:
            fires = fires & (ends | invert(improved))
        if self.cooldown is not None:
            after = after._replace(cooling=self._next_cooling(state, counts, fires))
        return after, fires

    def judge(self, value: Any, reference: Any, is_first: Any, min_delta: Any = None) -> Judged:
        """What the value is, given the reference.

        is_first: whether there was no value yet.
        min_delta: replaces the rule's own margin; a number or an array.
        """
        if self.improvement.first == "taken" and self.baseline is not None:
            is_first = False
        return self.improvement.judge(value, reference, is_first, self._terms(min_delta))

    def _gained(self, state: Any, value: Value, counts: Value) -> tuple[Any, Value]:
        """The state with what this value has gained, and the margin by which it must improve."""
        finite = counts & isfinite(value)
        after = state._replace(
            first=where(finite & isnan(state.first), value, state.first),
            best=where(finite & better(value, state.best, self.mode), value, state.best),
        )
        gained = absolute(after.first - after.best)
        return after, self.min_delta * where(gained >= 0, gained, 0.0)

    def _next_wait(
        self, state: Any, metrics: Any, epoch: Value, counts: Value, ends: Value
    ) -> Value:
        if self.unit == CHECKS:
            waited = state.wait
            if self.cooldown is not None:  # the wait after firing begins anew
                waited = where(counts & (state.cooling >= 0), 0, waited)
                counts = counts & (state.cooling <= 0)
            return where(ends, 0, waited + counts)
        at = begin = self._coordinate(metrics, epoch)
        if self.unit == EPOCH:  # the first epoch without an improvement is one to count
            begin = where(at < 0, -1.0, at - 1)
        return where(ends, at, where(isnan(state.wait) & counts, begin, state.wait))

    def _next_cooling(self, state: Any, counts: Value, fires: Value) -> Value:
        left = where(counts & (state.cooling >= 0), state.cooling - 1, state.cooling)
        return where(fires, self.cooldown, left)

    def waited(self, state: Any, metrics: Any, epoch: Value) -> Value:
        """How long the wait is, in the unit; NaN before anything counts."""
        if self.unit == CHECKS:
            return state.wait
        return self._coordinate(metrics, epoch) - state.wait

    def _coordinate(self, metrics: Any, epoch: Value) -> Value:
        """Where a check stands in the unit, for units other than checks."""
        return epochs_done(metrics, epoch) - 1.0 if self.unit == EPOCH else metrics[self.unit]

    def last_improvement(self, state: Any) -> Value:
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
        """Whether `required_wait` depends on where the last improvement stands."""
        return self.growth > 0

    def improves(self, value: Any, reference: Any, min_delta: Any = None) -> Any:
        """Does the value improve on the reference?

        min_delta: replaces the rule's own margin; a number or an array.
        """
        return self.improvement.improves(value, reference, self._terms(min_delta))

    @functools.cached_property
    def terms(self) -> Terms:
        """What improvements are compared by."""
        return Terms(self.mode, self.min_delta, self.relative is True, self.dtype)

    def _terms(self, min_delta: Any) -> Terms:
        return self.terms if min_delta is None else self.terms._replace(min_delta=min_delta)

    def reason(self, state: Any, metrics: Mapping[str, float], epoch: int) -> str:
        wait = self.waited(state, metrics, epoch)
        for_epochs = f"for {amount_in_words(wait, self.unit_in_words(state, metrics))}"
        if self.cooldown is not None:
            for_epochs += f" outside its cooldown of {amount_in_words(self.cooldown, CHECKS)}"
        reference = f"{state.reference:.6g}"
        is_worst = self.baseline is None and state.reference == worst(self.mode)
        if is_worst and self.improvement.first != "taken":
            return f"{self.monitor} has had no value to improve on {for_epochs}"
        if state.reference_epoch < 0:
            rival = f"the baseline {reference}"
            return f"{self.monitor} has not beaten {rival} {self._by_margin()} {for_epochs}"
        place = place_text_of(state.reference_epoch, state.place)
        if self.gate is not None:
            return (
                f"{self.monitor} has had no improvement that beats {self.gate:.6g} "
                f"{self._by_margin()} {for_epochs}; it last improved at {place}"
            )
        if self.improvement.moved_by != "improvement":
            return (
                f"{self.monitor} has not improved on its best, now {reference}, "
                f"{self._by_margin()} {for_epochs}; it last improved at {place}"
            )
        return (
            f"{self.monitor} has not improved on {reference} ({place}) "
            f"{self._by_margin()} {for_epochs}"
        )

    def _by_margin(self) -> str:
        how = "by at least" if self.improvement.ties else "by more than"
        whole = " of what the run has gained" if self.by_gain else " of it"
        return f"{how} {self.min_delta:.6g}" + (whole if self.relative else "")

    def unit_in_words(self, state: Any, metrics: Mapping[str, float]) -> str:
        """The unit of the wait; checks are called epochs where each of them was one."""
        if self.unit != CHECKS:
            return self.unit
        if self.cooldown is not None or self.improvement.nan == "skipped":
            return CHECKS
        return unit_of_wait(state.wait, state.reference_epoch, state.place, metrics)
