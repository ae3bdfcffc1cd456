"""What Ultralytics's early stopping decides. From `ultralytics/utils/torch_utils.py` of 8.4."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Best, Never, Patience

__all__ = ["early_stopping"]


def early_stopping(patience: int | None = 50, *, monitor: str = "fitness") -> Stopper:
    """`ultralytics.utils.torch_utils.EarlyStopping` of Ultralytics 8.4 (`torch_utils.py`).

    The fitness is to rise. A best of exactly 0 counts as none: any value replaces it.

    patience: at 0 or None it never stops.

    What differs: the trainer writes `best.pt` again on a tie, where this saves a new best only.

    >>> stopper = early_stopping(2)
    >>> [stopper.step({"fitness": value}).stop for value in [0.0, 0.0, 0.0, 0.4, 0.4, 0.3]]
    [False, False, False, False, False, True]
    """
    how = Improvement(none_at="zero")
    stop: Rule = Never()
    if patience:
        stop = Patience(monitor, patience, mode="max", baseline=0.0, improvement=how)
    best = Best(monitor, "max", baseline=0.0, improvement=how)
    return Stopper(stop, best, on_missing="skip")
