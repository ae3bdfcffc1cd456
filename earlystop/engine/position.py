"""The position of a run: everything in a stopper that a step changes, as one immutable value."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..language.rule import Rule
from ..language.state import flatten, unflatten
from .metrics import MissingAsNaN

__all__ = ["Position", "beginning", "explained"]


class Position(NamedTuple):
    """The position of a run.

    leaves: the leaves of both rules' states.
    epoch: how many epochs have been taken.
    stopped: whether the stop rule has ended the run.
    reason: why it has; "" otherwise.
    best_epoch: the last epoch that was saved; None before the first.
    best_metrics: the metrics of that epoch; None before the first.
    last_check: once the run has stopped, the leaves before its last epoch and the metrics of that
        epoch, to decide on it again by other rules; None otherwise.
    """

    leaves: tuple[Any, ...]
    epoch: int
    stopped: bool
    reason: str
    best_epoch: int | None
    best_metrics: dict[str, float] | None
    last_check: tuple[tuple[Any, ...], dict[str, float]] | None


def beginning(stop: Rule, save: Rule) -> Position:
    """The position before the first epoch."""
    return Position(tuple(flatten((stop.init(), save.init()))), 0, False, "", None, None, None)


def explained(stop: Rule, leaves: tuple[Any, ...], metrics: dict[str, float], epoch: int) -> str:
    """Why the rule fires at an epoch, given the leaves before it; never empty."""
    before = unflatten(stop.init(), iter(leaves))
    return stop.explain(before, MissingAsNaN(metrics), epoch) or f"{stop!r} fires"
