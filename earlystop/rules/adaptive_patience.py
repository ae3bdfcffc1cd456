"""`AdaptivePatience`: patience that reads from the curve how long waiting still pays.

After a wait of w noisy checks a new record has a chance of about 1 / w, and is worth about as much
as the metric moves from check to check. So the gain to expect of one more check, as a share of what
the run has gained, is about ratio / w, and a rule that ends the wait at a given gain waits in
proportion to the ratio; the square root does better on real curves, and the optimum is flat.

For logged runs there is a faster implementation of the same decisions, `earlystop.replaying.score`,
which answers all values of the dial at once: it calls this rule's `follow` and `score`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from ..errors import RuleError
from ..language.direction import Mode
from ..language.ops import (
    absolute,
    better,
    divide,
    improves,
    isfinite,
    isnan,
    where,
    worst,
)
from ..language.positions import place_after, place_text_of, unit_of_wait
from ..language.rule import Rule
from ..language.settings import AtLeast, NonNegative
from ..language.units import amount_in_words, unit_of_amount

_LEAST, _MOST = 1e-6, 1e3  # of the ratio


class AdaptivePatience(Rule):
    """Fires when the wait for a gain is long for how much the metric still moves.

    How much it moves counts as a share of what the run has gained, so the rule is free of the
    metric's scale and shift. With

        gained = |first finite value - best value so far|
        moved  = exponential mean of |value - value before|, starting with the first
        wait   = checks since the reference moved; it moves to a value that is better by more than
                 min_gain * gained
        ratio  = moved / gained, within 1e-6 and 1e3; 1 where nothing has been gained yet

    it fires when (wait + 1)^2 / ratio >= patience^2, that is, after about patience * sqrt(ratio)
    checks. A NaN or an infinity neither moves nor improves anything; it counts as waiting. The rule
    keeps firing until the reference moves.

    There is no good default for `patience`, which differs between kinds of runs: `advise` finds it
    from logs. A huge first value makes `gained` huge: put the rule into a `Warmup` then.

    monitor: the metric to watch.
    patience: the dial, above 0: the larger, the later the rule fires.
    min_gain: a gain counts if it is more than this share of what the run has gained.
    alpha: the weight of the newest value in the exponential mean, above 0 and at most 1.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.

    >>> from earlystop import AdaptivePatience, Stopper
    >>> stopper = Stopper(AdaptivePatience("val_loss", patience=8))
    >>> for value in [5.0, 1.0, 1.125, 1.0, 1.125]:
    ...     print(stopper.step({"val_loss": value}))
    epoch 0: continue
    epoch 1: continue
    epoch 2: continue
    epoch 3: continue
    epoch 4: stop: val_loss has gained nothing worth counting for 3 epochs (since 1, epoch 1) and \
moves by 24 % of its improvement an epoch
    """

    dial = "patience"

    monitor: str
    patience: Annotated[float, AtLeast(0, strict=True)]
    min_gain: NonNegative = 0.03
    alpha: Annotated[float, AtLeast(0, strict=True)] = 0.4
    mode: Mode = "auto"

    class State(NamedTuple):
        first: float  # the first finite value, NaN before
        best: float
        reference: float
        reference_epoch: int  # the number of its check
        wait: float  # in checks
        previous: float  # the last finite value, NaN before
        moved: float  # NaN before the second finite value
        place: tuple[float, float]  # the epoch and step of the reference, NaN if unknown

    def validate(self) -> None:
        if self.alpha > 1:
            raise RuleError(f"`AdaptivePatience(alpha=...)` must be at most 1, got {self.alpha!r}")

    def init(self) -> State:
        start = worst(self.mode)
        unknown = math.nan
        return self.State(unknown, start, start, -1, 0.0, unknown, unknown, (unknown, unknown))

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        after, moved = self.follow(state, metrics[self.monitor])
        after = after._replace(
            reference_epoch=where(moved, epoch, state.reference_epoch),
            place=place_after(state.place, metrics, moved),
        )
        return after, self.score(after) >= self.patience * self.patience

    def follow(self, state: State, value: Any) -> tuple[State, Any]:
        """The state after one more value, and whether the reference moved to it.

        Where the reference stands is left as it was. The dial plays no part.
        """
        finite = isfinite(value)
        first = where(finite & isnan(state.first), value, state.first)
        best = where(finite & better(value, state.best, self.mode), value, state.best)
        margin = self.min_gain * absolute(first - best)
        moved = finite & improves(value, state.reference, self.mode, margin)
        step = absolute(value - state.previous)
        mean = where(isnan(state.moved), step, self.alpha * step + (1 - self.alpha) * state.moved)
        after = state._replace(
            first=first,
            best=best,
            reference=where(moved, value, state.reference),
            wait=where(moved, 0.0, state.wait + 1.0),
            previous=where(finite, value, state.previous),
            moved=where(finite, mean, state.moved),
        )
        return after, moved

    def ratio(self, state: State) -> Any:
        """How much the metric moves from check to check, as a share of what the run has gained."""
        gained = absolute(state.first - state.best)
        ratio = where(gained > 0, divide(state.moved, gained), 1.0)
        capped = where(ratio > _MOST, _MOST, ratio)
        return where(capped < _LEAST, _LEAST, capped)

    def score(self, state: State) -> Any:
        """What the rule compares with the square of the dial; NaN where floats overflow."""
        wait = state.wait + 1.0
        return divide(wait * wait, self.ratio(state))

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        unit = unit_of_wait(state.wait, state.reference_epoch, state.place, metrics)
        for_epochs = f"for {amount_in_words(state.wait, unit)}"
        if state.reference_epoch < 0:
            return f"{self.monitor} has had no value to improve on {for_epochs}"
        place = place_text_of(state.reference_epoch, state.place)
        since = f"{for_epochs} (since {state.reference:.6g}, {place})"
        if state.first == state.best:
            return f"{self.monitor} has gained nothing on its first value {since}"
        one = unit_of_amount(1, unit)
        return (
            f"{self.monitor} has gained nothing worth counting {since} and moves by "
            f"{100 * self.ratio(state):.3g} % of its improvement {'an' if one[0] == 'e' else 'a'} "
            f"{one}"
        )
