"""What Optuna's pruners decide on their own. From `optuna/pruners/` of Optuna 5.0.0."""

from __future__ import annotations

from typing import Any

from ..engine.stopper import Stopper
from ..errors import RuleError
from ..language.direction import Mode
from ..language.improvement import Improvement
from ..rules import Diverged, Lasting, Patience
from .parts import any_of, at_every, at_least, is_nan

__all__ = ["patient_pruner", "threshold_pruner"]


def patient_pruner(
    wrapped_pruner: Any,
    patience: int,
    min_delta: float = 0.0,
    *,
    monitor: str = "objective",
    mode: Mode = "min",
) -> Stopper:
    """`optuna.pruners.PatientPruner(None, patience, min_delta)` of Optuna 5.0.0 (`_patient.py`).

    It prunes when the last `patience + 1` values are all worse than the best before them by more
    than `min_delta`, which is a tolerance. A NaN among them counts for none, unless all are NaN.

    wrapped_pruner: None; a pruner that compares trials needs the study.

    >>> stopper = patient_pruner(None, 1, min_delta=0.1)
    >>> [stopper.step({"objective": value}).stop for value in [0.5, 0.55, 0.7, 0.7]]
    [False, False, False, True]
    """
    if wrapped_pruner is not None:
        raise RuleError("`patient_pruner(wrapped_pruner=...)` must be None: a rule sees one trial")
    at_least("patient_pruner", "patience", patience, 0)
    at_least("patient_pruner", "min_delta", min_delta, 0)
    how = Improvement(margin_on="reference", ties=True, moved_by="gain", signed=True)
    waits = Patience(monitor, patience + 1, -min_delta, mode, improvement=how)
    return Stopper(waits & ~Lasting(is_nan(monitor), patience + 1))


def threshold_pruner(
    lower: float | None = None,
    upper: float | None = None,
    n_warmup_steps: int = 0,
    interval_steps: int = 1,
    *,
    monitor: str = "objective",
) -> Stopper:
    """`optuna.pruners.ThresholdPruner` of Optuna 5.0.0 (`_threshold.py`), with a report each step.

    It prunes below `lower`, above `upper`, and on a NaN.

    n_warmup_steps: how many checks to pass over.
    interval_steps: how many checks form an interval, of which only the first is looked at.

    >>> stopper = threshold_pruner(upper=1.0)
    >>> [stopper.step({"objective": value}).stop for value in [0.5, 1.0, 1.5]]
    [False, False, True]
    """
    if lower is None and upper is None:
        raise RuleError("`threshold_pruner()` needs `lower` or `upper`")
    at_least("threshold_pruner", "n_warmup_steps", n_warmup_steps, 0)
    at_least("threshold_pruner", "interval_steps", interval_steps, 1)
    bad = any_of(
        is_nan(monitor),
        None if lower is None else Diverged(monitor, lower, mode="max"),
        None if upper is None else Diverged(monitor, upper, mode="min"),
    )
    return Stopper(bad & at_every(interval_steps, n_warmup_steps))
