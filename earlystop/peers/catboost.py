"""What CatBoost's overfitting detector decides. From `overfitting_detector.cpp` of CatBoost 1.2."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..errors import RuleError
from ..language.direction import Mode
from ..language.improvement import Improvement
from ..language.settings import Positive, validated
from ..rules import Best, Patience

__all__ = ["overfitting_detector"]


def overfitting_detector(
    od_pval: float | None = None,
    od_wait: int | None = None,
    od_type: str | None = None,
    *,
    monitor: str = "validation",
    mode: Mode = "min",
) -> Stopper:
    """The detector "Iter" of CatBoost 1.2.10, which `early_stopping_rounds` sets as well.

    (`libs/overfitting_detector/overfitting_detector.cpp`.) A check is an iteration. CatBoost looks
    at its `eval_metric`, on the last data set.

    od_pval: only None. With one, CatBoost takes "IncToDec", which is no rule of this library.
    od_wait: how many iterations to wait, by default 20; at least 1.
    od_type: "Iter" or None.
    monitor, mode: the metric, and whether it is to fall or to rise.

    Raises RuleError for other kinds of detectors, and for an `od_wait` below 1.

    What differs: CatBoost also computes a p-value, which rounds to 1 where a value ties with the
    best on metrics of a scale above 100,000, and then does not stop there.

    >>> stopper = overfitting_detector(od_wait=2)
    >>> [stopper.step({"validation": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
    [False, False, False, True]
    """
    if od_type not in (None, "Iter") or od_pval is not None:
        raise RuleError(
            '`overfitting_detector(od_type=..., od_pval=...)` is for od_type="Iter", without '
            "od_pval: leave the other kinds to CatBoost"
        )
    what = "overfitting_detector(od_wait=...)"
    wait = 20 if od_wait is None else validated(Positive, od_wait, what)
    how = Improvement(first="taken")
    stop = Patience(monitor, wait, mode=mode, improvement=how)
    return Stopper(stop, Best(monitor, mode, improvement=how))
