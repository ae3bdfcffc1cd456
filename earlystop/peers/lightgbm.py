"""What LightGBM's early stopping decides. From `lightgbm/callback.py` of LightGBM 4.7.0."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..language.direction import Mode
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Best, Never, Patience
from .parts import at_least

__all__ = ["early_stopping"]


def early_stopping(
    stopping_rounds: int,
    first_metric_only: bool = False,
    verbose: bool = True,
    min_delta: float = 0.0,
    *,
    monitor: str = "valid_0-l2",
    mode: Mode = "auto",
) -> Stopper:
    """`lightgbm.early_stopping` of LightGBM 4.7.0 (`callback.py`), for one metric of one set.

    LightGBM stops when any pair of a set and a metric does: combine the `stop` of several with `|`.
    A check is a round. The first value is taken as it is, even a NaN.

    stopping_rounds: at 0 or below, it never stops, and has no best.
    first_metric_only, verbose: change no decision on one metric.
    monitor, mode: the metric, and whether it is to fall or to rise.

    >>> stopper = early_stopping(2)
    >>> [stopper.step({"valid_0-l2": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
    [False, False, False, True]
    """
    at_least("early_stopping", "min_delta", min_delta, 0)
    if stopping_rounds <= 0:
        return Stopper(Never())
    how = Improvement(margin_on="reference", first="taken")
    stop: Rule = Patience(monitor, stopping_rounds, min_delta, mode, improvement=how)
    return Stopper(stop, Best(monitor, mode, min_delta, improvement=how))
