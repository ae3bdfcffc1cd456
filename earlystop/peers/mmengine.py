"""What mmengine's hooks decide. From `mmengine/hooks/` of mmengine 0.10.7."""

from __future__ import annotations

from typing import Literal

from ..engine.stopper import Stopper
from ..errors import RuleError
from ..language.direction import Direction
from ..language.improvement import Improvement
from ..rules import Best, Never, NonFinite, Patience, Threshold
from .parts import any_of, either, saved_with

__all__ = ["checkpoint_hook", "early_stopping_hook"]

Comparison = Literal["greater", "less"]

_GREATER = ("acc", "top", "ar@", "auc", "precision", "map", "mdice", "miou", "macc", "aacc")
_LESS = ("loss",)


def early_stopping_hook(
    monitor: str,
    rule: Comparison | None = None,
    min_delta: float = 0.1,
    strict: bool = False,
    check_finite: bool = True,
    patience: int = 5,
    stopping_threshold: float | None = None,
) -> Stopper:
    """`mmengine.hooks.EarlyStoppingHook` of mmengine 0.10.7 (`early_stopping_hook.py`).

    A tie improves, and so does a NaN that does not stop the run. It saves where the hook's best
    score changes.

    rule: "greater" or "less"; by default, as mmengine reads the name.

    >>> stopper = early_stopping_hook("loss", min_delta=0.0, patience=1)
    >>> [stopper.step({"loss": value}).stop for value in [0.5, 0.5, 0.6]]
    [False, False, True]
    """
    mode = _mode(monitor, rule, "early_stopping_hook")
    how = Improvement(margin_on="reference", ties=True, nan="improves", signed=True)
    broken = NonFinite(monitor) if check_finite else None
    reached = None
    if stopping_threshold is not None:
        reached = Threshold(monitor, stopping_threshold, mode, strict=True)
    waits = Patience(monitor, max(patience, 0), min_delta, mode, improvement=how)
    best = any_of(Best(monitor, mode, min_delta, improvement=how), reached)
    return Stopper(
        any_of(broken, reached, waits),
        saved_with(best, broken),
        on_missing="raise" if strict else "skip",
    )


def checkpoint_hook(save_best: str, rule: Comparison | None = None) -> Stopper:
    """The best that `mmengine.hooks.CheckpointHook(save_best=...)` keeps, of mmengine 0.10.7.

    (`hooks/checkpoint_hook.py`.) It never stops.

    save_best: the metric.

    >>> stopper = checkpoint_hook("loss")
    >>> [stopper.step({"loss": value}).save for value in [0.5, 0.4, 0.4]]
    [True, True, False]
    """
    return Stopper(Never(), Best(save_best, _mode(save_best, rule, "checkpoint_hook")))


def _mode(monitor: str, rule: Comparison | None, owner: str) -> Direction:
    """The direction that mmengine reads in a name: in the whole name, else in a part of it."""
    if rule is not None:
        either(owner, "rule", rule, ("greater", "less"))
        return "max" if rule == "greater" else "min"
    name = monitor.lower()
    for keys, mode in ((_GREATER, "max"), (_LESS, "min")):
        if name in keys:
            return "max" if mode == "max" else "min"
    for keys, mode in ((_GREATER, "max"), (_LESS, "min")):
        if any(key in name for key in keys):
            return "max" if mode == "max" else "min"
    raise RuleError(
        f"`{owner}(rule=...)`: mmengine cannot tell from {monitor!r} whether it should fall or "
        'rise: pass rule="less" or rule="greater"'
    )
