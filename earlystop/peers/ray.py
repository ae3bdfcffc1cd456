"""What Ray Tune's plateau stopper decides. From `ray/tune/stopper/` of Ray 2.60."""

from __future__ import annotations

import math

from ..engine.stopper import Stopper
from ..language.rule import Rule
from ..rules import Always, Diverged, Never, Plateau, Warmup
from .parts import either

__all__ = ["trial_plateau_stopper"]


def trial_plateau_stopper(
    metric: str,
    std: float = 0.01,
    num_results: int = 4,
    grace_period: int = 4,
    metric_threshold: float | None = None,
    mode: str | None = None,
) -> Stopper:
    """`ray.tune.stopper.TrialPlateauStopper` of Ray 2.60 (`stopper/trial_plateau.py`).

    It stops when the last `num_results` values have a standard deviation below `std`, from the
    result number `grace_period` on. It saves nothing.

    metric_threshold: stop only where the metric is at least as good; without a mode it is ignored.
    mode: "min" or "max"; needed with a threshold other than 0.

    What differs: the deviation is computed in another order, which may round differently, and does
    not overflow where values of the largest floats are equal.

    >>> stopper = trial_plateau_stopper("loss", std=0.1, num_results=2, grace_period=3)
    >>> [stopper.step({"loss": value}).stop for value in [0.5, 0.5, 0.5]]
    [False, False, True]
    """
    if metric_threshold:
        either("trial_plateau_stopper", "mode", str(mode), ("min", "max"))
    if std <= 0:
        return Stopper(Never())
    stop: Rule = Plateau(metric, num_results, math.nextafter(std, 0.0))
    if grace_period > 1:
        stop = stop & Warmup(Always(), checks=grace_period - 1)
    if metric_threshold is not None and mode in ("min", "max"):
        stop = stop & ~Diverged(metric, metric_threshold, "min" if mode == "min" else "max")
    return Stopper(stop)
