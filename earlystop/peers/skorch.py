"""What skorch's callbacks decide. From `skorch/callbacks/training.py` of skorch 1.4.0."""

from __future__ import annotations

from typing import Any, Literal

from ..engine.stopper import Stopper
from ..language.direction import Direction
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Best, Never, Patience
from .parts import either

__all__ = ["checkpoint", "early_stopping"]


def early_stopping(
    monitor: str = "valid_loss",
    patience: int = 5,
    threshold: float = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    lower_is_better: bool = True,
    sink: Any = None,
    load_best: bool = False,
) -> Stopper:
    """`skorch.callbacks.EarlyStopping` of skorch 1.4.0 (`callbacks/training.py`).

    It saves where skorch's best changes.

    patience: at 0 skorch stops at the first epoch that improves.
    sink, load_best: change no decision.

    >>> stopper = early_stopping(patience=2, threshold=0.1)
    >>> [stopper.step({"valid_loss": value}).stop for value in [1.0, 0.95, 0.92]]
    [False, False, True]
    """
    either("early_stopping", "threshold_mode", threshold_mode, ("rel", "abs"))
    mode: Direction = "min" if lower_is_better else "max"
    how = Improvement(margin_on="reference", relative_form="signed", signed=True)
    relative = threshold_mode == "rel"
    best = Best(monitor, mode, threshold, relative=relative, improvement=how)
    stop: Rule = best
    if patience > 0:
        stop = Patience(monitor, patience, threshold, mode, relative=relative, improvement=how)
    return Stopper(stop, best)


def checkpoint(
    monitor: str = "valid_loss_best",
    *,
    mode: Direction = "min",
) -> Stopper:
    """`skorch.callbacks.Checkpoint` of skorch 1.4.0 (`callbacks/training.py`). It never stops.

    monitor: the metric, with or without the `_best` that skorch adds where it is a new best.
    mode: what the scoring callback says with `lower_is_better`.

    >>> stopper = checkpoint()
    >>> [stopper.step({"valid_loss": value}).save for value in [0.5, 0.4, 0.4]]
    [True, True, False]
    """
    return Stopper(Never(), Best(monitor.removesuffix("_best"), mode))
