"""The position of a run: everything in a stopper that a step changes, as one immutable value."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..language.rule import Rule
from ..language.state import flatten, unflatten
from .metrics import MissingAsNaN
from .positions import Positions

__all__ = ["Position", "beginning", "explained"]


class Position(NamedTuple):
    """The position of a run.

    leaves: the leaves of both rules' states.
    checks: how many checks have been taken.
    stopped: whether the stop rule has ended the run.
    reason: why it has; "" otherwise.
    best_check: the last check that was saved; None before the first.
    best_metrics: the metrics of that check; None before the first.
    last_check: once the run has stopped, the leaves before its last check and the metrics of that
        check as the rules saw them, to decide on it again by other rules; None otherwise.
    positions: where the run stands as its caller counts; None if by checks alone.
    """

    leaves: tuple[Any, ...]
    checks: int
    stopped: bool
    reason: str
    best_check: int | None
    best_metrics: dict[str, float] | None
    last_check: tuple[tuple[Any, ...], dict[str, float]] | None
    positions: Positions | None


def beginning(stop: Rule, save: Rule, units: tuple[str, ...]) -> Position:
    """The position before the first check.

    units: the metrics in which the rules count.
    """
    leaves = tuple(flatten((stop.init(), save.init())))
    positions = Positions() if units else None  # without, a step does not look for them
    return Position(leaves, 0, False, "", None, None, None, positions)


def explained(stop: Rule, leaves: tuple[Any, ...], metrics: dict[str, float], check: int) -> str:
    """Why the rule fires at a check, given the leaves before it; never empty."""
    before = unflatten(stop.init(), iter(leaves))
    return stop.explain(before, MissingAsNaN(metrics), check) or f"{stop!r} fires"
