"""What fastai's tracker callbacks decide. From `fastai/callback/tracker.py` of fastai 2.8."""

from __future__ import annotations

from typing import Any

from ..engine.stopper import Stopper
from ..language.direction import Mode
from ..language.improvement import Improvement
from ..rules import Best, Patience

__all__ = ["early_stopping_callback"]


def early_stopping_callback(
    monitor: str = "valid_loss",
    comp: Any = None,
    min_delta: float = 0.0,
    patience: int = 1,
    reset_on_fit: bool = True,
    *,
    mode: Mode | None = None,
) -> Stopper:
    """`fastai.callback.tracker.EarlyStoppingCallback` of fastai 2.8 (`callback/tracker.py`).

    It saves where `SaveModelCallback` does, with the same arguments.

    comp: ignored; `mode` says the direction.
    reset_on_fit: changes no decision within a fit.
    mode: by default as fastai reads the name: "min" if it contains "loss" or "error", else "max".

    >>> stopper = early_stopping_callback(patience=2)
    >>> [stopper.step({"valid_loss": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
    [False, False, False, True]
    """
    if mode is None:
        mode = "min" if "loss" in monitor or "error" in monitor else "max"
    how = Improvement(signed=True)
    stop = Patience(monitor, max(patience, 0), min_delta, mode, improvement=how)
    return Stopper(stop, Best(monitor, mode, min_delta, improvement=how))
