"""`EarlyStopping` with skorch's arguments and decisions, or with any rule."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Literal

from earlystop.engine.session import Session, forget_decision
from earlystop.engine.stopper import Stopper
from earlystop.language.positions import ELAPSED
from earlystop.language.rule import Rule
from earlystop.language.settings import Count
from earlystop.peers.skorch import early_stopping

from .arguments import checked, known_arguments
from .chosen import Watched, check_names_best, chosen_stopper, wait_of

try:
    from skorch.callbacks import Callback
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "earlystop.adapters.skorch needs skorch: pip install skorch", name=error.name
    ) from error

__all__ = ["EarlyStopping"]

_DEFAULTS = {
    **{"monitor": "valid_loss", "patience": 5, "threshold": 1e-4},
    **{"threshold_mode": "rel", "lower_is_better": True},
}
_NO_METRICS = {"batches", "epoch"}  # in a row of the history


class EarlyStopping(Callback):  # type: ignore[misc]  # skorch has no types
    """Skorch's `EarlyStopping` callback, which also accepts any rule.

    The first seven arguments and their defaults are those of skorch 1.4. The others are:

    stop: a rule that ends the training, in place of skorch's arguments but `sink` and `load_best`;
        or a `Stopper`. Rules look at what the net's history has of an epoch.
    save: with a `stop` rule, the rule that decides which epoch is the best.

    The state is the net's history: wherever that comes from (`net.partial_fit`, a pickle of the
    net, a `Checkpoint` with `LoadInitState`), the next epoch is decided on as if the training had
    never been interrupted. With `load_best`, the best weights are in a pickle, too; if they are
    missing in the end, `sink` gets a message.

    After training there are `stopped_reason_`, `best_epoch_`, `is_best_` (whether the last epoch
    was the best, which `Checkpoint(monitor=...)` may ask), `misses_` and `stopper_`. Epochs count
    from 1, as in the history.

    With skorch's arguments, decisions in one `fit` are skorch's. Deliberate differences:

    - `partial_fit` goes on with the wait of the training before, if that has not stopped; if it
      has, a new wait begins. (In skorch it always does.)
    - `load_best` and `sink` know of the best of all of it, and `best_epoch_` is None before the
      first. (In skorch: of the last `partial_fit`, and 0.)
    - A patience that is below 0 or no whole number is refused. (Skorch's never stops.)
    - A threshold that is no finite number is refused. (Nothing would ever improve by it.)
    - The best weights are in a pickle. (Skorch's: None.)
    - The reason that `sink` gets names the best and where it was.

    Raises RuleError, when the training begins, for arguments that do not fit together or are out of
    range; after an epoch, what `Session.collect` and `Session.step` raise.

    >>> import numpy as np, torch
    >>> from skorch import NeuralNetRegressor
    >>> callback = EarlyStopping(patience=2, sink=lambda text: None)
    >>> net = NeuralNetRegressor(torch.nn.LazyLinear, module__out_features=1, lr=0.0,
    ...     callbacks=[callback], max_epochs=50, verbose=0)
    >>> _ = torch.manual_seed(0)
    >>> x = np.linspace(-1, 1, 20, dtype="float32").reshape(-1, 1)
    >>> len(net.fit(x, x).history)
    3
    >>> callback.best_epoch_, callback.misses_
    (1, 2)
    """

    @known_arguments
    def __init__(
        self,
        monitor: str = "valid_loss",
        patience: int = 5,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        lower_is_better: bool = True,
        sink: Callable[[str], Any] = print,
        load_best: bool = False,
        *,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
    ) -> None:
        self.monitor, self.patience, self.threshold = monitor, patience, threshold
        self.threshold_mode, self.lower_is_better = threshold_mode, lower_is_better
        self.sink, self.load_best = sink, load_best
        self.stop, self.save = stop, save
        self._forget()

    # Attributes end with "_": skorch takes all others for arguments.

    def _forget(self) -> None:
        self.session_: Any = None  # a Session, within a training
        self.stopper_: Stopper | None = None
        self.taken_ = 0  # how many rows of the history the stopper has been shown
        self.is_best_ = False
        self.best_model_weights_: dict[str, Any] | None = None
        self.best_weights_epoch_: int | None = None

    def _stopper(self) -> Stopper:
        given = (
            *(self.monitor, self.patience, self.threshold),
            *(self.threshold_mode, self.lower_is_better),
        )
        stopper = chosen_stopper("EarlyStopping", self.stop, self.save, self._own, _DEFAULTS, given)
        if self.load_best:
            what = "EarlyStopping(stop=..., load_best=True)"
            check_names_best(stopper.save, what, "valid_loss")
        return stopper

    def _own(self) -> Stopper:
        """The stopper of skorch's arguments."""
        kinds = {
            **{"monitor": str, "patience": Count, "threshold": float},
            **{"threshold_mode": Literal["rel", "abs"]},
        }
        own = checked("EarlyStopping", kinds, vars(self))
        return early_stopping(**own, lower_is_better=self.lower_is_better)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "session_": None}

    # Skorch's events --------------------------------------------------------------------------

    def initialize(self) -> EarlyStopping:
        """Begin another training: the net has been initialized, and its history is new."""
        self._forget()
        self._stopper()  # refuses arguments before the module is made
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        stopper = self._stopper()
        if not self._goes_on_with(stopper):
            self._begin_anew(stopper)
            self.stopper_, self.taken_ = stopper, 0
        self.session_ = Session(
            self.stopper_ or stopper,
            "EarlyStopping",
            on_missing=None if stopper is self.stop else "raise",
            advice="have a callback before this one record it",
            to_floats=Watched(stopper, _NO_METRICS),
        )
        self.session_.stopwatch.earlier = sum(_seconds(net.history))
        self._catch_up(net.history, len(net.history))

    def _goes_on_with(self, stopper: Stopper) -> bool:
        """Whether the training goes on under these rules; else its epochs are decided on again."""
        known = self.stopper_
        if known is None or stopper is self.stop:
            return known is stopper
        return (known.stop, known.save) == (stopper.stop, stopper.save)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self._catch_up(net.history, len(net.history) - 1)  # LoadInitState may have brought some

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        row = next(reversed(net.history))  # its `[-1]` costs as much as a check
        stops, self.taken_ = self._step(row), len(net.history)
        if self.is_best_ and self.load_best:
            weights = net.module_.state_dict()
            # On the CPU, so that a pickle can be read where there is no other device.
            self.best_model_weights_ = {
                name: value.detach().to("cpu", copy=True) if hasattr(value, "detach") else value
                for name, value in weights.items()
            }
            self.best_weights_epoch_ = row["epoch"]
        if stops:
            if net.verbose:
                self._tell(net, f"Stopping since {self.stopped_reason_}.")
            raise KeyboardInterrupt

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        if len(net.history) > self.taken_ and self._was_check(net.history[-1]):
            # A callback before this one has ended the training, and this epoch with it.
            if self.session_ is not None and not self.session_.stopper.stopped:
                self._step(net.history[-1])
            self.taken_ = len(net.history)
        best = self.best_epoch_
        if not self.load_best or best is None or best == net.history[-1, "epoch"]:
            return
        if self.best_model_weights_ is None or self.best_weights_epoch_ != best:
            self._tell(
                net,
                f"Not restoring the best model, of epoch {best}: its weights are not here. Load "
                "them from your checkpoint.",
            )
            return
        net.module_.load_state_dict(self.best_model_weights_)
        self._tell(net, f"Restoring best model from epoch {best}.")

    # One epoch --------------------------------------------------------------------------------

    def _catch_up(self, history: Any, length: int) -> None:
        """Show the stopper the epochs before this one that it has not seen."""
        session = self.session_
        if session.stopper.stopped:
            self._begin_anew(session.stopper)
        if length <= self.taken_:
            return
        ends = list(itertools.accumulate(_seconds(history)))
        session.stopwatch.earlier = ends[length - 1]
        for row, seconds in zip(history[self.taken_ : length], ends[self.taken_ :], strict=False):
            if self._was_check(row) and self._step({**row, ELAPSED: seconds}):
                self._begin_anew(session.stopper)
        self.taken_ = length

    def _was_check(self, row: Mapping[str, Any]) -> bool:
        """Whether an epoch ended, and has what the rules look at."""
        session: Session = self.session_
        skips = session.stopper is self.stop and session.stopper.on_missing == "skip"
        ended = row.keys() > _NO_METRICS
        return ended and (skips or {*session.needed} - {ELAPSED, "epoch"} <= row.keys())

    def _begin_anew(self, stopper: Stopper) -> None:
        stopper.reset()
        forget_decision(stopper)

    def _step(self, row: Mapping[str, Any]) -> bool:
        """Decide on an epoch of the history; whether it stops."""
        session: Session = self.session_
        epoch = row["epoch"]
        if session.place.epoch is None:
            session.count_from(epoch - 1, from_zero=False)
        values = session.collect(row)
        decision = session.step(values, epoch=epoch, at=epoch)
        self.is_best_ = decision.save
        return decision.stop

    def _tell(self, net: Any, text: str) -> None:
        if self.sink is not print or net.verbose:  # only `print` heeds the net's verbosity
            self.sink(text)

    # The training so far ----------------------------------------------------------------------

    @property
    def stopped_reason_(self) -> str:
        """Why it ended the training; "" if it has not. Epochs count from 1."""
        return "" if self.stopper_ is None else self.stopper_.reason

    @property
    def best_epoch_(self) -> int | None:
        """The best epoch; None before the first."""
        best = None if self.stopper_ is None else self.stopper_.best_epoch
        return None if best is None else int(best)

    @property
    def misses_(self) -> int:
        """The number of epochs without improvement; 0 for rules without a wait."""
        return 0 if self.stopper_ is None else wait_of(self.stopper_)


def _seconds(history: Any) -> list[float]:
    """How long each epoch took."""
    return [row.get("dur", 0.0) for row in history]
