"""What ignite's handlers decide. From `ignite/handlers/` of pytorch-ignite 0.5.5."""

from __future__ import annotations

from typing import Any, Literal

from ..engine.stopper import Stopper
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Always, Best, Never, Patience, TopK
from .parts import at_least, either

__all__ = ["checkpoint", "early_stopping"]


def checkpoint(
    to_save: Any = None,
    save_handler: Any = None,
    filename_prefix: str = "",
    score_function: Any = None,
    score_name: str | None = None,
    n_saved: int | None = 1,
    global_step_transform: Any = None,
    filename_pattern: str | None = None,
    include_self: bool = False,
    greater_or_equal: bool = False,
    save_on_rank: int = 0,
    *,
    monitor: str | None = "score",
    mode: Literal["min", "max"] = "max",
) -> Stopper:
    """`ignite.handlers.Checkpoint` of ignite 0.5.5 (`checkpoint.py`), by its score.

    It never stops. Of what it saves,
    `Checkpoints(keep_best=n_saved, drops="oldest", keep_last=0, improvement=how)` keeps what ignite
    does, with `how = Improvement(first="taken", ties=greater_or_equal)`.

    n_saved: None saves at every check.
    monitor: the score; None for a handler without a score function, which saves at every check.
    mode: "min" for a score function that gives the metric with its sign changed.
    to_save, save_handler, score_function and the others: change no decision.

    What differs: ignite saves no more once a NaN is the worst that it keeps; here the NaN is
    replaced, unless `n_saved` is 1. Without a `global_step_transform` ignite names a file by its
    score to 4 decimals, and keeps only one of several scores with the same name.

    >>> stopper = checkpoint(n_saved=2, greater_or_equal=True, monitor="accuracy")
    >>> [stopper.step({"accuracy": value}).save for value in [0.5, 0.6, 0.5, 0.4]]
    [True, True, True, False]
    """
    either("checkpoint", "mode", mode, ("min", "max"))
    if n_saved is not None:
        at_least("checkpoint", "n_saved", n_saved, 1)
    how = Improvement(first="taken", ties=greater_or_equal)
    save: Rule = Always()
    if monitor is not None and n_saved == 1:
        save = Best(monitor, mode, improvement=how)
    elif monitor is not None and n_saved is not None:
        save = TopK(monitor, n_saved, mode, how)
    return Stopper(Never(), save)


def early_stopping(
    patience: int,
    score_function: Any = None,
    trainer: Any = None,
    threshold: float = 0.0,
    cumulative: bool = False,
    threshold_mode: Literal["abs", "rel"] = "abs",
    mode: Literal["min", "max"] = "max",
    *,
    monitor: str = "score",
) -> Stopper:
    """`ignite.handlers.EarlyStopping` of ignite 0.5.5 (`early_stopping.py`).

    It saves where ignite's counter is set to 0 by a better score. A NaN is an improvement, as every
    comparison with it is; the first score is taken as it is.

    score_function, trainer: change no decision; the score is the metric `monitor`.

    >>> stopper = early_stopping(2, threshold=0.1, monitor="accuracy")
    >>> [stopper.step({"accuracy": value}).stop for value in [0.5, 0.55, 0.6]]
    [False, False, True]
    """
    at_least("early_stopping", "patience", patience, 1)
    at_least("early_stopping", "threshold", threshold, 0)
    either("early_stopping", "threshold_mode", threshold_mode, ("abs", "rel"))
    either("early_stopping", "mode", mode, ("min", "max"))
    relative = threshold_mode == "rel"
    how = Improvement(
        margin_on="reference",
        relative_form="factor" if relative else "magnitude",
        nan="improves",
        first="taken",
        moved_by="improvement" if cumulative else "either",
    )
    stop = Patience(monitor, patience, threshold, mode, relative=relative, improvement=how)
    return Stopper(stop, Best(monitor, mode, threshold, relative=relative, improvement=how))
