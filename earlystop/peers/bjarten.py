"""What Bjarten's `early-stopping-pytorch` decides. From `early_stopping_pytorch/` of 1.0.10."""

from __future__ import annotations

from typing import Any

from ..engine.stopper import Stopper
from ..language.direction import Direction
from ..language.improvement import Improvement
from ..rules import Best, Patience

__all__ = ["early_stopping"]


def early_stopping(
    patience: int = 7,
    verbose: bool = False,
    delta: float = 0,
    path: str = "checkpoint.pt",
    trace_func: Any = print,
    *,
    monitor: str = "val_loss",
    mode: Direction = "min",
) -> Stopper:
    """`EarlyStopping` of early-stopping-pytorch 1.0.10 (`early_stopping.py`).

    A NaN is skipped: it neither counts nor stops. The first other value is taken as it is.

    verbose, path, trace_func: change no decision.
    mode: the class only minimises; "max" is what it does with the metric negated.

    >>> stopper = early_stopping(patience=2)
    >>> values = [0.5, float("nan"), 0.6, float("nan"), 0.7]
    >>> [stopper.step({"val_loss": value}).stop for value in values]
    [False, False, False, False, True]
    """
    how = Improvement(margin_on="reference", nan="skipped", first="taken", signed=True)
    stop = Patience(monitor, patience, delta, mode, improvement=how)
    return Stopper(stop, Best(monitor, mode, delta, improvement=how))
