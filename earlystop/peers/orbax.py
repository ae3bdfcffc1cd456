"""What Orbax's checkpoint manager saves. From `orbax/checkpoint/` of orbax-checkpoint 0.12.8."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..rules import Never
from .parts import at_every, at_least

__all__ = ["checkpoint_manager"]


def checkpoint_manager(save_interval_steps: int = 1) -> Stopper:
    """`orbax.checkpoint.CheckpointManager` of orbax-checkpoint 0.12.8: what it saves.

    (`checkpoint_manager.py`.) It saves every `save_interval_steps` checks, from the first on; the
    metric decides only what is kept. `Checkpoints(keep_best=n, ties="later", keep_last=0)` keeps
    what `max_to_keep=n` does with a `best_fn`. It never stops.

    What differs: a NaN is never among the best, nor is an infinity on the wrong side. (Orbax sorts
    by a NaN, and may delete the best.)

    >>> stopper = checkpoint_manager(save_interval_steps=2)
    >>> [stopper.step({"loss": value}).save for value in [0.5, 0.6, 0.4, 0.3]]
    [True, False, True, False]
    """
    at_least("checkpoint_manager", "save_interval_steps", save_interval_steps, 1)
    return Stopper(Never(), at_every(save_interval_steps))
