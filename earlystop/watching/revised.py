"""What a log says now, compared with what it said before: more, less, or something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..replaying.stepping import LoggedStep

__all__ = ["Revision", "revision_of"]


class Revision(NamedTuple):
    """How the checks of a log have changed.

    again: whether to decide on all of them anew.
    shorter: whether some are missing and none has changed: the log is being rewritten, or begun
        anew with the same values; nothing can be said until it changes again.
    first: the first check whose decision is new.
    note: what to say about it; "" for nothing.
    """

    again: bool = False
    shorter: bool = False
    first: int = 0
    note: str = ""


def revision_of(before: Sequence[LoggedStep], now: Sequence[LoggedStep]) -> Revision:
    """How checks have changed.

    >>> one, two, other = (LoggedStep({"loss": value}, {}) for value in (1.0, 2.0, 3.0))
    >>> revision_of([one], [one, two])
    Revision(again=False, shorter=False, first=1, note='')
    >>> revision_of([one, two], [other]).note
    'begins anew: what was decided before is forgotten'
    >>> revision_of([one, two], [one, other]).note
    'was taken back to check 1: decides anew from there'
    """
    same = next((n for n, pair in enumerate(zip(before, now, strict=False)) if _other(*pair)), -1)
    if same < 0:
        if len(now) < len(before):
            return Revision(shorter=True, first=len(before), note="is shorter than it was")
        places = any(one.place != other.place for one, other in zip(before, now, strict=False))
        return Revision(again=places, first=len(before))
    if same == 0:
        return Revision(again=True, note="begins anew: what was decided before is forgotten")
    note = f"was taken back to check {same:,}: decides anew from there"
    return Revision(again=True, first=same, note=note)


def _other(one: LoggedStep, other: LoggedStep) -> bool:
    """Do they report different things? A NaN equals a NaN here."""
    if one.metrics == other.metrics:
        return False
    if one.metrics.keys() != other.metrics.keys():
        return True
    pairs = ((value, other.metrics[name]) for name, value in one.metrics.items())
    return any(mine != its and (mine == mine or its == its) for mine, its in pairs)
