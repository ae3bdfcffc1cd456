"""`Decision`: what a stopper decides after each epoch."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Decision"]


class Decision(NamedTuple):
    """What to do after an epoch: continue or stop, and whether to save.

    epoch: the epoch that was decided on, counted from 0.
    stop: whether to end the run.
    save: whether to keep the model of this epoch; it may coincide with a stop.
    reason: why to stop; "" otherwise.

    A Decision has no truth value: use `.stop` or `.save`.

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
