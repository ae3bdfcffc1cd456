"""What Lightning's callbacks decide. From `lightning/pytorch/callbacks/` of Lightning 2.6.6."""

from __future__ import annotations

from typing import Any, Literal

from ..engine.stopper import Stopper
from ..errors import RuleError
from ..language.improvement import Improvement
from ..language.ops import Dtype
from ..language.rule import Rule
from ..rules import Always, Best, Diverged, Every, Filtered, Never, Patience, Threshold, TopK
from .parts import any_of, at_least, either, is_reported, not_finite, saved_with

__all__ = ["early_stopping", "model_checkpoint"]


def early_stopping(
    monitor: str,
    min_delta: float = 0.0,
    patience: int = 3,
    verbose: bool = False,
    mode: Literal["min", "max"] = "min",
    strict: bool = True,
    check_finite: bool = True,
    stopping_threshold: float | None = None,
    divergence_threshold: float | None = None,
    check_on_train_epoch_end: bool | None = None,
    log_rank_zero_only: bool = False,
    *,
    dtype: Dtype = "float32",
) -> Stopper:
    """`lightning.pytorch.callbacks.EarlyStopping` of Lightning 2.6.6 (`early_stopping.py`).

    It saves where Lightning's own best score changes: not at a check that ends the run for a value
    that is not finite, or beyond a threshold.

    verbose, check_on_train_epoch_end, log_rank_zero_only: change no decision.
    dtype: the type of the tensors that are logged; `self.log` makes float32 of a number.

    >>> stopper = early_stopping("val_loss", patience=1, stopping_threshold=0.3)
    >>> [stopper.step({"val_loss": value}).stop for value in [0.5, 0.3, 0.2]]
    [False, False, True]
    """
    either("early_stopping", "mode", mode, ("min", "max"))
    how = Improvement(signed=True, arithmetic=dtype)
    ends = (
        not_finite(monitor, dtype) if check_finite else None,
        None
        if stopping_threshold is None
        else Threshold(monitor, stopping_threshold, mode, dtype, strict=True),
        None
        if divergence_threshold is None
        else Diverged(monitor, divergence_threshold, mode, dtype),
    )
    stop = any_of(*ends, Patience(monitor, max(patience, 0), min_delta, mode, improvement=how))
    best = Best(monitor, mode, min_delta, improvement=how)
    return Stopper(stop, saved_with(best, *ends), on_missing="raise" if strict else "skip")


def model_checkpoint(
    dirpath: Any = None,
    filename: str | None = None,
    monitor: str | None = None,
    verbose: bool = False,
    save_last: bool | Literal["link"] | None = None,
    save_top_k: int = 1,
    save_on_exception: bool = False,
    save_weights_only: bool = False,
    mode: Literal["min", "max"] = "min",
    auto_insert_metric_name: bool = True,
    every_n_train_steps: int | None = None,
    train_time_interval: None = None,
    every_n_epochs: int | None = None,
    save_on_train_epoch_end: bool | None = None,
    enable_version_counter: bool = True,
    *,
    dtype: Dtype = "float32",
) -> Stopper:
    """`lightning.pytorch.callbacks.ModelCheckpoint` of Lightning 2.6.6 (`model_checkpoint.py`).

    A check is the end of an epoch. It never stops. Of what it saves,
    `Checkpoints(keep_best=save_top_k, drops="oldest", keep_last=0, improvement=how)` keeps what
    Lightning does, with `how = Improvement(first="taken", arithmetic=dtype)`.

    save_last: at the same checks, and at the end of a run of which nothing was saved.
    dirpath, filename, verbose, save_on_exception, save_weights_only, auto_insert_metric_name,
        save_on_train_epoch_end, enable_version_counter: change no decision at a check.
    dtype: the type of the tensors that are logged; `self.log` makes float32 of a number.

    Raises RuleError for what Lightning refuses, and for `every_n_train_steps` and
    `train_time_interval`, which are not about checks.

    What differs: with `every_n_epochs` above 1 an epoch that lacks the metric is skipped; Lightning
    raises an error if it is one to save.

    >>> stopper = model_checkpoint(monitor="val_loss", save_top_k=2)
    >>> [stopper.step({"val_loss": value}).save for value in [0.5, 0.6, 0.6, 0.55, 0.4]]
    [True, True, False, True, True]
    """
    owner = "model_checkpoint"
    at_least(owner, "save_top_k", save_top_k, -1)
    either(owner, "mode", mode, ("min", "max"))
    if every_n_train_steps or train_time_interval is not None:
        raise RuleError(
            f"`{owner}(every_n_train_steps=..., train_time_interval=...)`: a rule sees checks: "
            "leave them out"
        )
    if monitor is None and save_top_k > 1:
        raise RuleError(f"`{owner}(save_top_k={save_top_k})` needs a metric: pass `monitor`")
    if every_n_epochs is None:
        every_n_epochs = 0 if every_n_train_steps == 0 else 1
    at_least(owner, "every_n_epochs", every_n_epochs, 0)
    save: Rule = Always()
    if save_top_k == 0 or every_n_epochs == 0:
        save = Never()
    elif monitor is not None and save_top_k == -1:
        save = is_reported(monitor)
    elif monitor is not None:
        save = TopK(monitor, save_top_k, mode, Improvement(first="taken", arithmetic=dtype))
    if every_n_epochs > 1 and save != Never():
        return Stopper(
            Never(), Filtered(save, by=Every(every_n_epochs, unit="epoch")), on_missing="skip"
        )
    return Stopper(Never(), save)
