"""What flax's early stopping decides. From `flax/training/early_stopping.py` of flax 0.12.8."""

from __future__ import annotations

import math

from ..engine.stopper import Stopper
from ..language.direction import Direction
from ..language.improvement import Improvement
from ..rules import Best, Patience

__all__ = ["early_stopping"]


def early_stopping(
    min_delta: float = 0,
    patience: int = 0,
    best_metric: float = math.inf,
    *,
    monitor: str = "loss",
    mode: Direction = "min",
) -> Stopper:
    """`flax.training.early_stopping.EarlyStopping` of flax 0.12.8 (`early_stopping.py`).

    It stops after `patience + 1` checks without improvement. An infinite best counts as none.

    best_metric: what the first value must beat; infinite for nothing.
    mode: flax only minimises; "max" is what it does with the metric negated.

    >>> stopper = early_stopping(patience=1)
    >>> [stopper.step({"loss": value}).stop for value in [0.5, 0.6, 0.7]]
    [False, False, True]
    """
    how = Improvement(margin_on="gap", none_at="infinite", signed=True)
    baseline = None if math.isinf(best_metric) else best_metric
    stop = Patience(monitor, patience + 1, min_delta, mode, baseline, improvement=how)
    return Stopper(stop, Best(monitor, mode, min_delta, baseline, improvement=how))
