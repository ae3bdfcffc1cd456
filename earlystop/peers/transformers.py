"""What the Hugging Face Trainer decides. From transformers 5.23.0."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..language.direction import Mode
from ..language.improvement import Improvement
from ..language.settings import validated
from ..rules import Always, Best, Patience

__all__ = ["early_stopping_callback"]


def early_stopping_callback(
    early_stopping_patience: int = 1,
    early_stopping_threshold: float = 0.0,
    *,
    monitor: str = "eval_loss",
    mode: Mode = "auto",
) -> Stopper:
    """`transformers.EarlyStoppingCallback` of transformers 5.23.0 (`trainer_callback.py`).

    The best is the Trainer's (`Trainer._determine_best_metric`): it moves on any gain, whatever the
    threshold. It saves on every new best, as with `save_strategy="best"`.

    early_stopping_patience: at 0 it stops at the first evaluation.
    early_stopping_threshold: below 0 it is no margin, but a gain is still needed.
    monitor, mode: what `metric_for_best_model` and `greater_is_better` of the arguments say.

    What differs: a threshold of None is refused, where the callback fails at a later evaluation.

    >>> stopper = early_stopping_callback(2, early_stopping_threshold=0.1)
    >>> [stopper.step({"eval_loss": value}).stop for value in [0.5, 0.45, 0.42]]
    [False, False, True]
    """
    best = Best(monitor, mode)
    if early_stopping_patience <= 0:
        return Stopper(Always(), best)
    how = Improvement(margin_on="gap", first="free", moved_by="gain")
    what = "early_stopping_callback(early_stopping_threshold=...)"
    threshold = max(validated(float, early_stopping_threshold, what), 0.0)
    return Stopper(
        Patience(monitor, early_stopping_patience, threshold, mode, improvement=how),
        best,
    )
