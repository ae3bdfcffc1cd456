"""Parts that several frameworks' decisions are made of."""

from __future__ import annotations

from ..errors import RuleError
from ..language.ops import Dtype
from ..language.rule import Rule
from ..rules import Always, Diverged, Every, Never, NonFinite, Threshold, Warmup

__all__ = [
    "any_of",
    "at_every",
    "at_least",
    "either",
    "is_nan",
    "is_reported",
    "not_finite",
    "saved_with",
]


LARGEST = 3.4028234663852886e38  # the largest float32


def not_finite(monitor: str, dtype: Dtype) -> Rule:
    """Fires when the metric is NaN or infinite, in float32 also beyond its range."""
    if dtype == "float64":
        return NonFinite(monitor)
    above = Diverged(monitor, LARGEST, mode="min", dtype=dtype)
    below = Diverged(monitor, -LARGEST, mode="max", dtype=dtype)
    return NonFinite(monitor) | above | below


def is_nan(monitor: str) -> Rule:
    """Fires when the metric is NaN: it is neither at most 0 nor above 0."""
    return ~Threshold(monitor, 0.0, mode="min") & ~Diverged(monitor, 0.0, mode="min")


def is_reported(monitor: str) -> Rule:
    """Fires whenever the metric is reported."""
    reached = Threshold(monitor, 0.0, mode="min")
    return reached | ~reached


def any_of(*rules: Rule | None) -> Rule:
    """The rules that there are, any of which fires."""
    found: Rule | None = None
    for rule in rules:
        if rule is not None:
            found = rule if found is None else found | rule
    return Never() if found is None else found


def at_every(interval: int, first: int = 0) -> Rule:
    """Fires at the checks first, first + interval, and so on, counted from 0."""
    begun, later = (Warmup(Always(), checks=number) for number in (first, first + 1))
    if interval == 1:
        return begun
    return (begun & ~later) | Warmup(Every(interval), checks=first + 1)


def saved_with(best: Rule, *ending: Rule | None) -> Rule:
    """The best, but not at a check at which one of these rules ends the run."""
    ends = any_of(*ending)
    return best if ends == Never() else best & ~ends


def at_least(owner: str, name: str, value: float, least: float) -> None:
    """Raise RuleError for an argument below the least that the framework accepts."""
    if value < least:
        raise RuleError(f"`{owner}({name}=...)` must be at least {least:g}, got {value!r}")


def either(owner: str, name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise RuleError for an argument that is none of these."""
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise RuleError(f"`{owner}({name}=...)` must be one of {listed}, got {value!r}")
