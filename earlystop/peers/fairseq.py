"""What fairseq's early stopping decides. From `fairseq_cli/train.py` of fairseq 0.12."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..language.direction import Direction
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Best, Never, Patience

__all__ = ["should_stop_early"]


def should_stop_early(
    patience: int = -1,
    best_checkpoint_metric: str = "loss",
    maximize_best_checkpoint_metric: bool = False,
) -> Stopper:
    """`should_stop_early` of fairseq 0.12 (`fairseq_cli/train.py`), by the fields of its config.

    A check is a validation. The first value is taken as it is, even a NaN.

    patience: at 0 or below it never stops.

    >>> stopper = should_stop_early(2)
    >>> [stopper.step({"loss": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
    [False, False, False, True]
    """
    mode: Direction = "max" if maximize_best_checkpoint_metric else "min"
    how = Improvement(first="taken")
    stop: Rule = Never()
    if patience > 0:
        stop = Patience(best_checkpoint_metric, patience, mode=mode, improvement=how)
    best = Best(best_checkpoint_metric, mode, improvement=how)
    return Stopper(stop, best, on_missing="skip")
