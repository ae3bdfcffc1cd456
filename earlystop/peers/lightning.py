"""What Lightning's callbacks decide. From `lightning/pytorch/callbacks/` of Lightning 2.6.6."""

from __future__ import annotations

from typing import Literal

from ..engine.stopper import Stopper
from ..language.improvement import Improvement
from ..language.ops import Dtype
from ..rules import Best, Diverged, Patience, Threshold
from .parts import any_of, either, not_finite, saved_with

__all__ = ["early_stopping"]


def early_stopping(
    monitor: str,
    min_delta: float = 0.0,
    patience: int = 3,
    verbose: bool = False,
    mode: Literal["min", "max"] = "min",
    strict: bool = True,
    check_finite: bool = True,
    stopping_threshold: float | None = None,
    divergence_threshold: float | None = None,
    check_on_train_epoch_end: bool | None = None,
    log_rank_zero_only: bool = False,
    *,
    dtype: Dtype = "float32",
) -> Stopper:
    """`lightning.pytorch.callbacks.EarlyStopping` of Lightning 2.6.6 (`early_stopping.py`).

    It saves where Lightning's own best score changes: not at a check that ends the run for a value
    that is not finite, or beyond a threshold.

    verbose, check_on_train_epoch_end, log_rank_zero_only: change no decision.
    dtype: the type of the tensors that are logged; `self.log` makes float32 of a number.

    >>> stopper = early_stopping("val_loss", patience=1, stopping_threshold=0.3)
    >>> [stopper.step({"val_loss": value}).stop for value in [0.5, 0.3, 0.2]]
    [False, False, True]
    """
    either("early_stopping", "mode", mode, ("min", "max"))
    how = Improvement(signed=True, arithmetic=dtype)
    ends = (
        not_finite(monitor, dtype) if check_finite else None,
        None
        if stopping_threshold is None
        else Threshold(monitor, stopping_threshold, mode, dtype, strict=True),
        None
        if divergence_threshold is None
        else Diverged(monitor, divergence_threshold, mode, dtype),
    )
    stop = any_of(*ends, Patience(monitor, max(patience, 0), min_delta, mode, improvement=how))
    best = Best(monitor, mode, min_delta, improvement=how)
    return Stopper(stop, saved_with(best, *ends), on_missing="raise" if strict else "skip")
