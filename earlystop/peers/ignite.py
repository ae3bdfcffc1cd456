"""What ignite's handlers decide. From `ignite/handlers/` of pytorch-ignite 0.5.5."""

from __future__ import annotations

from typing import Any, Literal

from ..engine.stopper import Stopper
from ..language.improvement import Improvement
from ..rules import Best, Patience
from .parts import at_least, either

__all__ = ["early_stopping"]


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
