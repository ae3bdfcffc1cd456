"""Waits behind a gate: improvements that do not beat it are held.

A held improvement moves the reference, but the wait goes on, and it is no check for stopping. So a
patience that would stop there stops at the next epoch without improvement, if the wait lasts until
then:

    epoch        0    1    2    3    4    5         gate 0.5, mode "min"
    val_loss   0.9  0.8  0.7  0.6  0.6  0.6
    held         *    *    *    *
    wait         1    2    3    4    5    6         patience 1 to 5 stop at epoch 4, 6 at epoch 5

While a track is held nothing is noted. At the first epoch without improvement, every patience that
would have stopped meanwhile stops: each is noted as a wait that began as many checks before this
epoch. From there on the wait is noted like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...history import Bools
from ..batches import Epoch
from .references import ReferenceTracker

__all__ = ["HeldWaits"]


class HeldWaits:
    """Which tracks of a reference tracker are held.

    holding: a mask of the tracks whose last epochs were held improvements.
    """

    def __init__(self, references: ReferenceTracker) -> None:
        self._references = references
        self.holding = np.zeros(len(references.value), dtype=np.bool_)

    def interrupted(self, best_changes: Bools) -> Bools:
        """A mask of the tracks with a wait to be noted before the current epoch.

        best_changes: the tracks on whose lanes the best changes at it.
        """
        own = self._references
        tracks: Bools = ~self.holding & (own.improved | own.held | best_changes)
        self.holding = (self.holding | own.held) & ~own.improved
        return tracks

    def over(self, own: ReferenceTracker, epoch: Epoch) -> Bools:
        """A mask of the tracks that are held no longer, because the epoch is a check."""
        checks = ~own.held & ~own.improved
        if epoch.inside is not None:
            checks = (own.by_rule(checks) & epoch.inside).ravel()
        over: Bools = self.holding & checks
        self.holding &= ~over
        return over

    def keep(self, tracks: Any) -> None:
        """Drop all other tracks."""
        self.holding = self.holding[tracks]
