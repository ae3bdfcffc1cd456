"""Where a check stands in a fit: the epoch and the step, as Lightning counts them."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["epoch_of", "is_at_epoch_ends", "step_of"]


def is_at_epoch_ends(trainer: Any, on_train_epoch_end: bool) -> bool:
    """Whether checks come at the end of epochs only.

    on_train_epoch_end: whether the epoch's end is when they are made, not that of the validation.
    """
    every = (trainer.num_training_batches, math.inf)
    by_epochs = trainer.check_val_every_n_epoch is not None
    return on_train_epoch_end or (by_epochs and trainer.val_check_batch in every)


def epoch_of(trainer: Any, at_epoch_ends: bool) -> float:
    """The epoch, from 0; where checks come within epochs, how many epochs are done."""
    epoch, batches = int(trainer.current_epoch), trainer.num_training_batches
    if at_epoch_ends or math.isinf(batches):
        return epoch
    return float(epoch + (trainer.fit_loop.batch_idx + 1) / batches)


def step_of(trainer: Any, last: float | None) -> float | None:
    """The steps of the optimizer so far; None before the first.

    last: those at the last check. If none was made since, as where gradients are accumulated, an
        ulp is added, because steps of a run must not be the same twice.
    """
    step = trainer.global_step
    if last is not None and step <= last:
        return math.nextafter(last, math.inf)
    return step or None
