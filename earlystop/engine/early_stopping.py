"""`EarlyStopping`, the stopper most people want: patience on one metric, every new best saved."""

from __future__ import annotations

from ..errors import RuleError
from ..language.direction import Mode
from ..language.keywords import by_keyword
from ..language.rule import OnMissing
from ..rules import Best, Patience
from .stopper import Stopper

__all__ = ["EarlyStopping"]

_PATIENCE = ("unit", "relative", "growth", "gate", "cooldown", "improvement", "dtype")
_RESTORING = (
    "a stopper decides, and you copy the model where `decision.save` is true; "
    "`EpochLoop(restore=...)`, `Training.restore_best()` and the adapters bring the best back"
)
_ELSEWHERE = {
    name: f"pass Patience(..., {name}=...) to `Stopper`, with save=Best(...)" for name in _PATIENCE
} | {
    "restore_best_weights": _RESTORING,
    "restore_best": _RESTORING,
    "delta": "write min_delta",
    "verbose": "print the decisions, or `explain()`",
    "stop": "rules are for `Stopper(stop, save=...)`",
    "save": "rules are for `Stopper(stop, save=...)`",
}


class EarlyStopping(Stopper):
    """Stops when a metric has not improved for `patience` epochs, and saves every new best.

    It is a `Stopper` with `Patience(monitor, ...)` and `save=Best(monitor)`. Arguments and defaults
    match the Keras callback of the same name.

    monitor: the metric to watch.
    min_delta: the margin an improvement must exceed, in units of the metric.
    patience: epochs in a row without improvement after which it stops; 0 means 1.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    baseline: until it is beaten, nothing counts as an improvement.
    start_from_epoch: the first epoch that counts for stopping.
    on_missing: see `Stopper`.

    Raises what `Patience` and `Stopper` raise.

    >>> from earlystop import EarlyStopping
    >>> stopper = EarlyStopping(monitor="val_loss", patience=2)
    >>> for value in [0.9, 0.7, 0.8, 0.7]:
    ...     decision = stopper.step({"val_loss": value})
    ...     print(decision)
    epoch 0: save, continue
    epoch 1: save, continue
    epoch 2: continue
    epoch 3: stop: val_loss has not improved on 0.7 (epoch 1) by more than 0 for 2 epochs
    >>> stopper.best, stopper.best_epoch
    (0.7, 1)
    """

    __slots__ = ()

    @by_keyword("patience", _ELSEWHERE)
    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        patience: int = 0,
        mode: Mode = "auto",
        baseline: float | None = None,
        start_from_epoch: int = 0,
        on_missing: OnMissing = "raise",
    ) -> None:
        try:
            stop = Patience(
                monitor,
                patience=patience,
                min_delta=min_delta,
                mode=mode,
                baseline=baseline,
                start_from_epoch=start_from_epoch,
            )
        except RuleError as error:  # name the class that the user called
            raise type(error)(str(error).replace("`Patience(", "`EarlyStopping(")) from None
        super().__init__(stop, save=Best(monitor, mode=stop.mode), on_missing=on_missing)
