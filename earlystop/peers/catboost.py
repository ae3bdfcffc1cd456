"""What CatBoost's overfitting detector decides. From `overfitting_detector.cpp` of CatBoost 1.2."""

from __future__ import annotations

from typing import Literal

from ..engine.stopper import Stopper
from ..errors import RuleError
from ..language.direction import Mode
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Best, Never, Patience

__all__ = ["overfitting_detector"]


def overfitting_detector(
    od_type: Literal["Iter"] = "Iter",
    od_wait: int = 20,
    *,
    monitor: str = "validation",
    mode: Mode = "min",
) -> Stopper:
    """`od_type="Iter"` of CatBoost 1.2.10, which `early_stopping_rounds` sets as well.

    (`libs/overfitting_detector/overfitting_detector.cpp`.) A check is an iteration.

    od_type: CatBoost's default, "IncToDec", follows an expected increase and is not taken.
    od_wait: how many iterations to wait; at 0 it is off.

    What differs: CatBoost also computes a p-value, which rounds to 1 where a value ties with the
    best on metrics of a scale above 100,000, and then does not stop there.

    >>> stopper = overfitting_detector(od_wait=2)
    >>> [stopper.step({"validation": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
    [False, False, False, True]
    """
    if od_type != "Iter":
        raise RuleError(f'`overfitting_detector(od_type=...)` must be "Iter", got {od_type!r}')
    how = Improvement(first="taken")
    stop: Rule = Never()
    if od_wait > 0:
        stop = Patience(monitor, od_wait, mode=mode, improvement=how)
    return Stopper(stop, Best(monitor, mode, improvement=how))
