"""`Decision`: what a stopper decides after each check."""

from __future__ import annotations

from typing import NamedTuple

from ..language.positions import place_text

__all__ = ["Decision", "Place"]


class Place(NamedTuple):
    """Where a check stands in a run whose caller counts epochs or steps.

    check: its number, from 0.
    epoch, step: its position, as the caller counts it; None where not given.
    """

    check: int
    epoch: float | None = None
    step: float | None = None

    def __str__(self) -> str:
        return place_text(*self)


class Decision(NamedTuple):
    """What to do after a check: continue or stop, and whether to save.

    epoch: the epoch of the check, as the caller counts it; if none was given, the number of the
        check, from 0.
    stop: whether to end the run.
    save: whether to keep the model of this check; it may coincide with a stop.
    reason: why to stop; "" otherwise.
    place: where the check stands, if an epoch or step was given.

    A Decision has no truth value: use `.stop` or `.save`.

    >>> print(Decision(12, stop=False, save=True, reason=""))
    epoch 12: save, continue
    """

    epoch: float
    stop: bool
    save: bool
    reason: str
    place: Place | None = None

    @property
    def check(self) -> int:
        """The number of the check, from 0."""
        return int(self.epoch) if self.place is None else self.place.check

    @property
    def step(self) -> float | None:
        """The step of the check, as the caller counts it; None if none was given."""
        return None if self.place is None else self.place.step

    def __bool__(self) -> bool:
        raise TypeError("a Decision has no truth value: ask for its `.stop` or its `.save`")

    def _repr_html_(self) -> str:
        from .._html import facts

        told = {"stop": "yes" if self.stop else "no", "save": "yes" if self.save else "no"}
        told |= {"reason": self.reason} if self.reason else {}
        return facts(str(self.place or place_text(self.check, None, None)), told)

    def __str__(self) -> str:
        save = "save, " if self.save else ""
        place = self.place or place_text(self.check, None, None)
        return f"{place}: {save}{f'stop: {self.reason}' if self.stop else 'continue'}"
