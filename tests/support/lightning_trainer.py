"""What the classes of other frameworks ask of the trainer around them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lightning.pytorch.trainer.states import TrainerFn

__all__ = ["lightning_trainer"]


def lightning_trainer() -> Any:
    """As much of a Lightning `Trainer` as its `EarlyStopping` asks for, at the end of epochs."""
    return SimpleNamespace(
        state=SimpleNamespace(fn=TrainerFn.FITTING),
        sanity_checking=False,
        fast_dev_run=False,
        should_stop=False,
        val_check_interval=1.0,
        check_val_every_n_epoch=1,
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision),
    )
