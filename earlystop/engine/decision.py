"""What a stopper answers after each epoch."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Decision"]


class Decision(NamedTuple):
    """What to do after an epoch. Save and stop may come together.

    epoch: the epoch it is about, counted from 0.
    stop: end the run.
    save: keep the model of this epoch.
    reason: why it stops; empty when it does not.

    It has no truth value: ask for `.stop` or `.save`.

    >>> print(Decision(12, stop=False, save=True, reason=""))
    epoch 12: save, continue
    """

    epoch: int
    stop: bool
    save: bool
    reason: str

    def __bool__(self) -> bool:
        raise TypeError("a Decision has no truth value: ask for its `.stop` or its `.save`")

    def __str__(self) -> str:
        save = "save, " if self.save else ""
        return f"epoch {self.epoch}: {save}{f'stop: {self.reason}' if self.stop else 'continue'}"
