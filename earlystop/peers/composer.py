"""What Composer's callbacks decide. From `composer/callbacks/` of Composer 0.33.0."""

from __future__ import annotations

from typing import Any

from ..engine.stopper import Stopper
from ..language.direction import Mode, direction
from ..language.improvement import Improvement
from ..language.ops import Dtype
from ..rules import Best, Patience, Threshold

__all__ = ["early_stopper", "threshold_stopper"]


def early_stopper(
    monitor: str,
    dataloader_label: str = "eval",
    comp: Any = None,
    min_delta: float = 0.0,
    patience: int = 1,
    *,
    mode: Mode = "auto",
    dtype: Dtype = "float32",
) -> Stopper:
    """`composer.callbacks.EarlyStopper` of Composer 0.33.0 (`early_stopper.py`).

    It stops when more than `patience` epochs have passed since the best: one epoch later.

    dataloader_label: changes no decision.
    comp: ignored; `mode` says the direction.
    patience: in epochs, one for each check.
    dtype: the type of the metric's tensor.

    >>> stopper = early_stopper("loss", patience=1)
    >>> [stopper.step({"loss": value}).stop for value in [0.5, 0.6, 0.7]]
    [False, False, True]
    """
    margin = abs(min_delta)
    how = Improvement(margin_on="gap", first="taken", arithmetic=dtype)
    stop = Patience(monitor, patience + 1, margin, mode, improvement=how)
    return Stopper(stop, Best(monitor, mode, margin, improvement=how))


def threshold_stopper(
    monitor: str,
    dataloader_label: str = "eval",
    threshold: float = 0.0,
    *,
    comp: Any = None,
    stop_on_batch: bool = False,
    mode: Mode = "auto",
    dtype: Dtype = "float32",
) -> Stopper:
    """`composer.callbacks.ThresholdStopper` of Composer 0.33.0 (`threshold_stopper.py`).

    It stops beyond the threshold, not at it, and saves nothing.

    dataloader_label, stop_on_batch: change no decision.
    comp: ignored; `mode` says the direction.
    dtype: the type of the metric's tensor.

    >>> stopper = threshold_stopper("loss", threshold=0.5)
    >>> [stopper.step({"loss": value}).stop for value in [0.6, 0.5, 0.4]]
    [False, False, True]
    """
    way = direction(monitor, mode, "threshold_stopper")
    return Stopper(Threshold(monitor, threshold, way, dtype, strict=True))
