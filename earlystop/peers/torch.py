"""What PyTorch's plateau scheduler decides. From `torch/optim/lr_scheduler.py` of PyTorch 2.13."""

from __future__ import annotations

from typing import Literal

from ..engine.stopper import Stopper
from ..errors import RuleError
from ..language.improvement import Improvement
from ..rules import Best, Patience
from .parts import either

__all__ = ["reduce_lr_on_plateau"]


def reduce_lr_on_plateau(
    mode: Literal["min", "max"] = "min",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: int = 0,
    min_lr: float = 0,
    eps: float = 1e-8,
    *,
    monitor: str = "val_loss",
) -> Stopper:
    """`torch.optim.lr_scheduler.ReduceLROnPlateau` of PyTorch 2.13: stops where it cuts the rate.

    (`lr_scheduler.py`.) To see every cut, step `stopper.stop`: the rule begins anew after it has
    fired. It waits for `patience + 1` checks.

    factor, min_lr, eps: the rate itself, which a rule does not know. PyTorch leaves a rate at
        `min_lr`, and one that would change by less than `eps`, as it is.

    >>> stopper = reduce_lr_on_plateau(patience=1)
    >>> [stopper.step({"val_loss": value}).stop for value in [0.5, 0.5, 0.5]]
    [False, False, True]
    """
    if factor >= 1.0:
        raise RuleError(f"`reduce_lr_on_plateau(factor=...)` must be below 1, got {factor!r}")
    either("reduce_lr_on_plateau", "mode", mode, ("min", "max"))
    either("reduce_lr_on_plateau", "threshold_mode", threshold_mode, ("rel", "abs"))
    relative = threshold_mode == "rel"
    how = Improvement(
        margin_on="reference", relative_form="factor" if relative else "magnitude", signed=True
    )
    stop = Patience(
        monitor,
        patience + 1,
        threshold,
        mode,
        relative=relative,
        cooldown=cooldown,
        improvement=how,
    )
    return Stopper(stop, Best(monitor, mode, threshold, relative=relative, improvement=how))
