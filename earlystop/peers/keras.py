"""What Keras's callbacks decide. From `keras/src/callbacks/` of Keras 3.15.1, 3.10.0 and 3.3.3."""

from __future__ import annotations

import math
from typing import Literal

from ..engine.stopper import Stopper
from ..errors import RuleError
from ..language.direction import Mode, direction
from ..language.improvement import Improvement
from ..language.ops import Dtype, worst
from ..language.rule import Rule
from ..rules import Always, Best, MaxEpochs, Never, Patience, Warmup

__all__ = ["early_stopping", "model_checkpoint", "reduce_lr_on_plateau"]

Version = Literal["3.15", "3.10", "3.3"]


def early_stopping(
    monitor: str = "val_loss",
    min_delta: float = 0,
    patience: int = 0,
    verbose: int = 0,
    mode: Mode = "auto",
    baseline: float | None = None,
    restore_best_weights: bool = False,
    start_from_epoch: int = 0,
    *,
    dtype: Dtype = "float32",
    version: Version = "3.15",
) -> Stopper:
    """`keras.callbacks.EarlyStopping` of Keras 3.15.1 (`callbacks/early_stopping.py`).

    It saves what Keras restores. An epoch without the metric is skipped.

    verbose, restore_best_weights: change no decision.
    dtype: "float64" for the NumPy backend, which compares in it.
    version: "3.3" starts with the worst value, where later ones take the first value, even a NaN;
        and does not stop after the first epoch.

    What differs: `mode="auto"` goes by the name of the metric, not by the compiled metrics.

    >>> stopper = early_stopping(patience=2)
    >>> [stopper.step({"val_loss": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
    [False, False, False, True]
    """
    first: Literal["judged", "taken"] = "judged" if version == "3.3" else "taken"
    stop: Rule = Patience(
        monitor,
        max(patience, 0),
        abs(min_delta),
        mode,
        start_from_epoch=start_from_epoch,
        dtype=dtype,
        gate=baseline,
        improvement=Improvement(first=first),
    )
    save: Rule = Best(monitor, mode, abs(min_delta), None, dtype, False, Improvement(first=first))
    if start_from_epoch > 0:
        save = Warmup(save, epochs=start_from_epoch)
    if version == "3.3":
        stop = stop & MaxEpochs(2)
    return Stopper(stop, save, on_missing="skip")


def model_checkpoint(
    filepath: str = "",
    monitor: str = "val_loss",
    verbose: int = 0,
    save_best_only: bool = False,
    save_weights_only: bool = False,
    mode: Mode = "auto",
    save_freq: Literal["epoch"] = "epoch",
    initial_value_threshold: float | None = None,
    *,
    dtype: Dtype = "float32",
    version: Version = "3.15",
) -> Stopper:
    """`keras.callbacks.ModelCheckpoint` of Keras 3.15.1 (`callbacks/model_checkpoint.py`).

    It never stops.

    filepath, verbose, save_weights_only: change no decision.
    initial_value_threshold: any number; nothing is better than a NaN, or the best infinity.
    dtype: "float64" for the NumPy backend.
    version: before "3.15" values are compared in float64, and the first must beat the worst.

    What differs: an epoch that lacks the metric is not saved, where Keras warns and saves it, over
    the best. `save_freq` in batches is not accepted: a rule sees checks.

    >>> stopper = model_checkpoint(save_best_only=True)
    >>> [stopper.step({"val_loss": value}).save for value in [0.5, 0.4, 0.4]]
    [True, True, False]
    """
    if save_freq != "epoch":
        raise RuleError(f'`model_checkpoint(save_freq=...)` must be "epoch", got {save_freq!r}')
    if not save_best_only:
        return Stopper(Never(), Always(), on_missing="skip")
    newest = version == "3.15"
    threshold = initial_value_threshold
    first: Literal["judged", "taken"] = "taken" if newest else "judged"
    if threshold is not None and not math.isfinite(threshold):
        if threshold != worst(direction(monitor, mode, "model_checkpoint")):
            return Stopper(Never(), on_missing="skip")  # nothing is better than that
        threshold, first = None, "judged"
    how = Improvement(first=first)
    best = Best(
        monitor,
        mode,
        baseline=threshold,
        dtype=dtype if newest else "float64",
        improvement=how,
    )
    return Stopper(Never(), best, on_missing="skip")


def reduce_lr_on_plateau(
    monitor: str = "val_loss",
    factor: float = 0.1,
    patience: int = 10,
    verbose: int = 0,
    mode: Mode = "auto",
    min_delta: float = 1e-4,
    cooldown: int = 0,
    min_lr: float = 0.0,
    *,
    dtype: Dtype = "float32",
) -> Stopper:
    """`keras.callbacks.ReduceLROnPlateau` of Keras 3.15.1: stops where Keras cuts the rate.

    (`callbacks/reduce_lr_on_plateau.py`.) To see every cut, step `stopper.stop`: the rule begins
    anew after it has fired. The first check after a cut always counts, so a `cooldown` of 1 is 0.

    factor, verbose, min_lr: the rate itself, which a rule does not know. Keras makes no further cut
        when the rate has reached `min_lr`.

    >>> stopper = reduce_lr_on_plateau(patience=2)
    >>> [stopper.step({"val_loss": value}).stop for value in [0.5, 0.5, 0.5]]
    [False, False, True]
    """
    if factor >= 1.0:
        raise RuleError(f"`reduce_lr_on_plateau(factor=...)` must be below 1, got {factor!r}")
    how = Improvement(first="taken")
    stop = Patience(
        monitor,
        patience,
        min_delta,
        mode,
        dtype=dtype,
        cooldown=max(cooldown - 1, 0),
        improvement=how,
    )
    best = Best(monitor, mode, min_delta, dtype=dtype, improvement=how)
    return Stopper(stop, best, on_missing="skip")
