"""`Improvement`: what counts as an improvement, in settings that are independent of each other.

Frameworks differ in what they call better: where the margin stands, whether a tie counts, what a
NaN does, how the first value is taken, what moves the reference. Rules that wait for an improvement
or save on one ask `Improvement.judge`, which is the only place where this is decided.
"""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar, Literal, NamedTuple

from ..errors import RuleError
from .config import Config
from .direction import Mode
from .ops import (
    Dtype,
    Value,
    absolute,
    as_float32,
    better,
    improves,
    in_dtype,
    invert,
    is_zero,
    isfinite,
    isnan,
    where,
    worsened,
)
from .registry import register_value

__all__ = ["Improvement", "Judged", "Terms"]


class Terms(NamedTuple):
    """The settings of a rule that its `Improvement` compares by.

    min_delta: the margin; a number or an array.
    relative: whether it is a fraction of the reference.
    dtype: the type in which the two sides are compared.
    """

    mode: Mode
    min_delta: Any = 0.0
    relative: bool = False
    dtype: Dtype = "float64"


class Judged(NamedTuple):
    """What a value is, given the reference: each field is a truth value, or an array of them.

    improved: whether it is an improvement.
    no_miss: whether it ends a wait: it is an improvement, or a first value that is free.
    moves: whether it becomes the reference.
    """

    improved: Value
    no_miss: Value
    moves: Value


class Improvement(Config):
    """What counts as an improvement on a reference, and what becomes the next reference.

    With the defaults, a value improves if `value + min_delta < reference` for mode "min",
    `value - min_delta > reference` for "max". The settings are independent of each other.

    margin_on: where `min_delta` stands. "value": as above. "reference": on the other side,
        `value < reference - min_delta`, which rounds differently. "gap": the value is better, and
        `abs(value - reference) > min_delta`; for a `min_delta` below 0, it is worse by less.
    relative_form: what a margin is that is a fraction of the reference. "magnitude":
        `min_delta * abs(reference)`. "signed": `min_delta * reference`, which is below 0 for a
        reference below 0. "factor": the value is compared with `reference * (1 - min_delta)`, or
        `reference * (1 + min_delta)` for "max"; the margin is then on the reference.
    ties: whether a value improves that just meets what others must exceed.
    nan: what a NaN is. "misses": no improvement. "improves": whatever is compared with a NaN is an
        improvement, so the value after it is one, too. "skipped": no check at all.
    first: how the first value is taken. "judged": it must improve on the worst infinity, or on the
        `baseline`. "taken": without a `baseline` it is an improvement, even if it is NaN or
        infinite. "free": it is judged, but does not count as a check without improvement.
    moved_by: what becomes the reference. "improvement": a value that improves. "gain": a value
        that is better, by however little. "either": a value that improves or is better.
    none_at: a reference that counts for none, so that any value improves on it: "infinite", "zero",
        or None for no such reference.
    signed: whether `min_delta` may be below 0; a value that is worse by less than that improves.
    arithmetic: the type of value, reference and margin, and in which they are added, "float64" or
        "float32", as where metrics are tensors of that type. (A rule's `dtype="float32"` adds
        in float64, and then compares in float32.)

    >>> from earlystop import Improvement, Patience, Stopper
    >>> stopper = Stopper(Patience("loss", 2, improvement=Improvement(ties=True)))
    >>> [stopper.step({"loss": value}).stop for value in [0.5, 0.5, 0.5, 0.6, 0.7]]
    [False, False, False, False, True]
    >>> Improvement()
    Improvement()
    """

    margin_on: Literal["value", "reference", "gap"] = "value"
    relative_form: Literal["magnitude", "signed", "factor"] = "magnitude"
    ties: bool = False
    nan: Literal["misses", "improves", "skipped"] = "misses"
    first: Literal["judged", "taken", "free"] = "judged"
    moved_by: Literal["improvement", "gain", "either"] = "improvement"
    none_at: Literal["infinite", "zero"] | None = None
    signed: bool = False
    arithmetic: Dtype = "float64"

    _depth: ClassVar[int] = -1  # within a rule it is no level of rules

    def validate(self) -> None:
        if self.relative_form == "factor" and self.margin_on != "reference":
            raise RuleError(
                '`Improvement(relative_form="factor")` multiplies the reference: pass '
                f'margin_on="reference" with it, not {self.margin_on!r}'
            )

    @property
    def asks_for_first(self) -> bool:
        """Does it depend on whether there was a value before?"""
        return self.first != "judged"

    @property
    def moves_apart(self) -> bool:
        """May the reference move although a wait goes on, or stay although it ends?"""
        return self.moved_by != "improvement" or self.first == "free"

    def check_margin(self, min_delta: float, owner: str) -> None:
        """Raise RuleError for a margin below 0, unless these settings allow it."""
        if min_delta < 0 and not self.signed:
            raise RuleError(
                f"`{owner}(min_delta=...)` must be a number of at least 0, got {min_delta!r} "
                "(`improvement=Improvement(signed=True)` allows less)"
            )

    def check_ranks(self, owner: str) -> None:
        """Raise RuleError for settings that say nothing about which of several values are best."""
        others = set(self.changed_settings) - {"ties", "first", "arithmetic"}
        if others or self.first == "free":
            what = ", ".join(sorted(others)) or "first='free'"
            raise RuleError(
                f'`{owner}(improvement=...)` ranks by `ties`, first="taken" and `arithmetic` '
                f"alone: leave out {what}"
            )

    def judge(self, value: Value, reference: Value, is_first: Value, terms: Terms) -> Judged:
        """What the value is, given the reference.

        is_first: whether there was no value yet. Ignored if `first` is "judged".
        """
        improved = self.improves(value, reference, terms)
        taken = self._taken(reference, is_first)
        if taken is not False:
            improved = improved | taken
        no_miss = improved | is_first if self.first == "free" else improved
        if self.moved_by == "improvement":
            return Judged(improved, no_miss, improved)
        gains = better(*self._compared(value, reference, terms), terms.mode)
        return Judged(improved, no_miss, gains | (improved if self.moved_by == "either" else taken))

    def counts(self, value: Value) -> Value:
        """Does a check with this value count?"""
        return invert(isnan(value)) if self.nan == "skipped" else True

    def improves(self, value: Value, reference: Value, terms: Terms) -> Value:
        """Is the value better than the reference by the margin?

        >>> Improvement().improves(0.5, 0.625, Terms("min", 0.125))
        False
        >>> Improvement(ties=True).improves(0.5, 0.625, Terms("min", 0.125))
        True
        """
        if self._is_plain:
            margin = self._margin(reference, terms) if terms.relative else terms.min_delta
            return improves(value, reference, terms.mode, margin, terms.dtype)
        if self.arithmetic == "float32":
            value, reference = as_float32(value), as_float32(reference)
        if self.margin_on == "gap":
            return self._by_gap(value, reference, terms)
        sides = self._sides(value, reference, terms)
        return self._beats(*self._compared(*sides, terms), terms.mode)

    # The parts of one comparison -------------------------------------------------------------

    @functools.cached_property
    def _is_plain(self) -> bool:
        """Is a comparison the one that `improves` of `ops.py` defines?"""
        unusual = {"margin_on", "relative_form", "ties", "arithmetic"} & set(self.changed_settings)
        return not unusual and self.nan != "improves"

    def _taken(self, reference: Value, is_first: Value) -> Value:
        """Is there no reference, so that any value is taken?"""
        taken = is_first if self.first == "taken" else False
        if self.none_at == "infinite":
            taken = taken | (absolute(reference) == math.inf)
        elif self.none_at == "zero":
            taken = taken | (reference == 0)
        return taken

    def _by_gap(self, value: Value, reference: Value, terms: Terms) -> Value:
        margin = self._margin(reference, terms)
        gap = reference - value if terms.mode == "min" else value - reference
        gap, margin = self._compared(self._rounded(gap), margin, terms)
        wide = gap >= margin if self.ties else gap > margin
        value, reference = self._compared(value, reference, terms)
        improved = wide & (self._beats(value, reference, terms.mode) | (margin < 0))
        if self.nan == "improves":
            improved = improved | isnan(value) | isnan(reference)
        return improved

    def _sides(self, value: Value, reference: Value, terms: Terms) -> tuple[Value, Value]:
        """The value and the reference, one of them moved by the margin."""
        if is_zero(terms.min_delta):
            return value, reference
        if terms.relative and self.relative_form == "factor":
            factor = 1.0 - terms.min_delta if terms.mode == "min" else 1.0 + terms.min_delta
            return value, self._rounded(reference * self._rounded(factor))
        margin = self._margin(reference, terms)
        if self.margin_on == "value":
            return self._rounded(worsened(value, margin, terms.mode)), reference
        return value, self._rounded(worsened(reference, -margin, terms.mode))

    def _margin(self, reference: Value, terms: Terms) -> Value:
        margin = self._rounded(terms.min_delta)
        if not terms.relative:
            return margin
        whole = reference if self.relative_form == "signed" else absolute(reference)
        return self._rounded(where(isfinite(reference), margin * whole, 0.0))

    def _rounded(self, value: Value) -> Value:
        return as_float32(value) if self.arithmetic == "float32" else value

    def _compared(self, value: Value, rival: Value, terms: Terms) -> tuple[Value, Value]:
        """The two sides in the type in which they are compared."""
        return in_dtype("float32" if self.arithmetic == "float32" else terms.dtype, value, rival)

    def _beats(self, value: Value, rival: Value, mode: Mode) -> Value:
        ahead = better(value, rival, mode)
        if self.nan == "improves":  # no comparison with NaN holds
            behind = better(rival, value, mode)
            return invert(behind) if self.ties else invert(behind | (value == rival))
        return ahead | (value == rival) if self.ties else ahead


register_value(Improvement)
