"""`EarlyStopping` with Lightning's arguments and decisions, or with any rule."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from typing import Any

import torch

import earlystop.peers.lightning as peer
from earlystop.engine.decision import Decision
from earlystop.engine.saved_state import SavedFormat
from earlystop.engine.session import Session, forget_decision
from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError, StateError
from earlystop.language.ops import Dtype
from earlystop.language.positions import ELAPSED, EPOCH, STEP
from earlystop.language.rule import Rule
from earlystop.rules import Never

from ..chosen import chosen_stopper, wait_of
from ..torch.metrics import numbers
from ..torch.ranks import TorchRanks
from .installed import MODULES, module_of
from .places import epoch_of, is_at_epoch_ends, step_of
from .reasons import KINDS, why

__all__ = ["EarlyStopping"]

_DEFAULTS: Mapping[str, Any] = {
    **{"monitor": None, "min_delta": 0.0, "patience": 3, "mode": "min", "check_finite": True},
    **{"stopping_threshold": None, "divergence_threshold": None},
}
_SAVED = SavedFormat(
    "earlystop.lightning.EarlyStopping", 1, "a state of earlystop's EarlyStopping for Lightning"
)
_ENTRIES: Mapping[str, tuple[str, type]] = {  # of a saved state: the attribute and its type
    **{"dtype": ("_dtype", str), "batch": ("_batch", int)},
    **{"stopped_epoch": ("stopped_epoch", int), "stopped_reason": ("stopped_reason", str)},
    **{"kind": ("_kind", str)},
}
_NO_METRICS = {EPOCH, STEP, ELAPSED}  # positions, which are not logged


class EarlyStopping(*(module.EarlyStopping for module in MODULES)):  # type: ignore[misc]
    """Lightning's `EarlyStopping`, which also accepts any rule.

    The first eleven arguments and their defaults are those of Lightning. The others are:

    stop: a rule that ends the fit, in place of Lightning's arguments for decisions; or a `Stopper`,
        whose two rules are used. Rules look at `trainer.callback_metrics`.
    save: with a `stop` rule, the rule that decides which check is the best.
    best_path: where to save the best, by `trainer.save_checkpoint`: a path, or an address that
        Lightning writes to. A `ModelCheckpoint` may stand beside it, or do it.
    changed_rules: go on with a checkpoint of rules of the same kinds with other numbers, such as
        more patience; it is refused otherwise.

    `strict=True` says that a check without a metric of the rules is an error; a `Stopper` has its
    own `on_missing`. A check without any of their metrics is none.

    It has the attributes of Lightning's callback, `best_score`, `wait_count`, `stopped_epoch`,
    `stopping_reason` and `stopping_reason_message`, and also `stopper` and `stopped_reason`. Its
    state is in the Trainer's checkpoints; a fit that goes on from one neither loses nor repeats a
    check. With Lightning's arguments, decisions are Lightning's, in the type of the logged tensor.
    They differ deliberately in these cases:

    - All ranks decide on the metrics of rank 0. (Lightning: each on its own, and the first that
      stops ends the fit. The same with `self.log(..., sync_dist=True)`.)
    - A fit that has stopped stays so, and a checkpoint of it trains nothing. (Lightning goes on
      until the next check.)
    - A fit from the beginning begins anew. (Lightning's keeps the wait and best of the one before.)
    - A checkpoint of other rules is refused. (Lightning's takes over its patience.)
    - A negative patience is an error. (Lightning: 0.)

    Raises RuleError for arguments that do not fit together or are out of range; in a fit, what
    `Session.collect` and `Session.step` raise, StateError for a checkpoint of other rules.

    >>> import torch
    >>> from earlystop.adapters.lightning import EarlyStopping
    >>> callback = EarlyStopping("val_loss", patience=2, stopping_threshold=0.1)
    >>> callback.stopped_reason, callback.wait_count
    ('', 0)
    """

    def __init__(
        self,
        monitor: str | None = None,
        min_delta: float = 0.0,
        patience: int = 3,
        verbose: bool = False,
        mode: str = "min",
        strict: bool = True,
        check_finite: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
        check_on_train_epoch_end: bool | None = None,
        log_rank_zero_only: bool = False,
        *,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
        best_path: str | os.PathLike[str] | None = None,
        changed_rules: bool = False,
    ) -> None:
        # Lightning's own __init__ is not called: where both are installed, there are two.
        self.monitor, self.mode, self.patience = monitor, mode, patience
        self.min_delta = min_delta if mode == "max" else -min_delta  # as Lightning's attribute
        self.verbose, self.strict, self.check_finite = verbose, strict, check_finite
        self.stopping_threshold, self.divergence_threshold = (
            stopping_threshold,
            divergence_threshold,
        )
        self.log_rank_zero_only = log_rank_zero_only
        self._check_on_train_epoch_end = check_on_train_epoch_end
        self.best_path = None if best_path is None else os.fspath(best_path)
        self._changed_rules, self._is_own, self._min_delta = changed_rules, stop is None, min_delta
        given = (monitor, min_delta, patience, mode, check_finite)
        bounds = (stopping_threshold, divergence_threshold)
        own, owner = self._own, "EarlyStopping"
        stopper = chosen_stopper(owner, stop, save, own, _DEFAULTS, (*given, *bounds))
        if best_path is not None and isinstance(stopper.save, Never):
            raise RuleError(
                "`EarlyStopping(stop=..., best_path=...)` needs to know which is the best: pass "
                "save=Best('val_loss'), or whichever it is"
            )
        self._is_given = stopper is stop
        self._rules = {"stop": repr(stopper.stop), "save": repr(stopper.save)}
        self._module = MODULES[0]
        self._goes_on = False  # whether a state was loaded for the next fit
        self._begin(stopper)

    def _own(self, dtype: Dtype = "float32") -> Stopper:
        """The stopper of Lightning's arguments."""
        if self.monitor is None:
            raise RuleError(
                "`EarlyStopping(monitor=...)` is missing: name the metric to watch, or pass `stop=`"
            )
        if self.patience < 0:
            raise RuleError(f"`EarlyStopping(patience=...)` is below 0: {self.patience}")
        return peer.early_stopping(
            self.monitor,
            self._min_delta,
            self.patience,
            mode=self.mode,  # type: ignore[arg-type]  # refused there if it is none
            check_finite=self.check_finite,
            stopping_threshold=self.stopping_threshold,
            divergence_threshold=self.divergence_threshold,
            dtype=dtype,
        )

    def _begin(self, stopper: Stopper) -> None:
        """Begin a run with this stopper."""
        self._session = self._new_session(stopper)
        self._dtype: Dtype = "float32"  # of the tensors that are compared
        self._batch = -1  # of the last check, counted over the run
        self.stopped_epoch, self._kind, self.stopped_reason = 0, "NOT_STOPPED", ""

    def _new_session(self, stopper: Stopper) -> Session:
        needed = stopper.stop.all_metrics + stopper.save.all_metrics
        self._judged = tuple(dict.fromkeys(name for name in needed if name not in _NO_METRICS))
        return Session(
            stopper,
            "EarlyStopping",
            on_missing=None if self._is_given else "raise" if self.strict else "skip",
            to_floats=self._floats,
            ranks=TorchRanks(),
        )

    def _floats(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """The metrics that the rules look at, and whatever else is one number."""
        return numbers(
            {
                name: value
                for name, value in logs.items()
                if name in self._judged or (name not in _NO_METRICS and value.numel() == 1)
            }
        )

    # Lightning's events ----------------------------------------------------------------------

    @property
    def state_key(self) -> str:
        return f"{type(self).__qualname__}{self._rules}"

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if self._check_on_train_epoch_end is None:
            every_epoch = trainer.val_check_interval == 1.0 and trainer.check_val_every_n_epoch == 1
            self._check_on_train_epoch_end = every_epoch
        self._module = module_of(trainer)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        stopper = self._session.stopper
        if (
            not self._goes_on
            and trainer.current_epoch == 0
            and trainer.fit_loop.total_batch_idx < 0
        ):
            if self._is_given or not self._is_own:
                stopper.reset()
                forget_decision(stopper)
            self._begin(self._own() if self._is_own else stopper)
        self._session.stopwatch.start()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._goes_on = False
        if self._session.stopper.stopped:
            trainer.should_stop = True
            self._say(trainer, f"this run had stopped: {self.stopped_reason}")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if self._check_on_train_epoch_end:
            self._check(trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if not self._check_on_train_epoch_end:
            self._check(trainer)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._session.finish()

    # One check -------------------------------------------------------------------------------

    def _check(self, trainer: Any) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking or trainer.fast_dev_run:
            return
        if self._session.stopper.stopped:  # yet min_epochs trains on
            trainer.should_stop = True
            return
        batch = trainer.fit_loop.total_batch_idx
        if batch == self._batch:  # the fit went on from a checkpoint within this end of an epoch
            return
        logs = trainer.callback_metrics
        if self._session.stopper.checks == 0:
            self._prepare_first(trainer, logs)
        session = self._session
        values = session.collect(logs)
        if self._judged and not self._strict() and values.keys().isdisjoint(self._judged):
            return
        before = session.snapshot()
        decision = session.step(
            values,
            epoch=epoch_of(trainer, self._at_epoch_ends(trainer)),
            step=step_of(trainer, session.place.step),
            at=batch if self._is_given else None,
        )
        earlier, self._batch = self._batch, batch
        self._carry_out(trainer, decision, values)
        if decision.save and self.best_path is not None:
            try:
                trainer.save_checkpoint(self.best_path)
            except BaseException:  # a best that is not saved is none
                session.restore(before)
                self._batch = earlier
                raise

    def _strict(self) -> bool:
        return self._session.stopper.on_missing == "raise" if self._is_given else self.strict

    def _carry_out(self, trainer: Any, decision: Decision, values: dict[str, float]) -> None:
        if decision.save:
            told = ", ".join(
                f"{name} {values[name]:.6g}" for name in self._judged if name in values
            )
            self._say(trainer, f"new best at {decision.place}: {told}")
        if decision.stop:
            self.stopped_epoch = trainer.current_epoch
            self._kind, self.stopped_reason = (
                why(self, decision.reason, values[str(self.monitor)])
                if self._is_own
                else ("PATIENCE_EXHAUSTED", decision.reason)
            )
            trainer.should_stop = True
            self._say(trainer, f"{decision.place}: stop: {self.stopped_reason}")

    def _say(self, trainer: Any, text: str) -> None:
        if not self.verbose or (self.log_rank_zero_only and trainer.global_rank > 0):
            return
        rank = f"[rank: {trainer.global_rank}] " if trainer.world_size > 1 else ""
        logging.getLogger(self._module.__name__).info("%sEarlyStopping: %s", rank, text)

    def _prepare_first(self, trainer: Any, logs: Mapping[str, Any]) -> None:
        """Before the first check: the type of the metric, and how the epochs count."""
        is_double = getattr(logs.get(str(self.monitor)), "dtype", None) == torch.float64
        if self._is_own and is_double != (self._dtype == "float64"):
            stopwatch = self._session.stopwatch
            self._begin(self._own("float64" if is_double else "float32"))
            self._dtype = "float64" if is_double else "float32"
            self._session.stopwatch = stopwatch
        self._session.count_from(trainer.current_epoch, from_zero=self._at_epoch_ends(trainer))

    def _at_epoch_ends(self, trainer: Any) -> bool:
        return is_at_epoch_ends(trainer, bool(self._check_on_train_epoch_end))

    # State -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state needed to go on as if never interrupted, as plain JSON data."""
        entries = {name: getattr(self, attribute) for name, (attribute, _) in _ENTRIES.items()}
        return _SAVED.wrap({**entries, "session": self._session.state_dict()})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`; the Trainer calls it with what is in its checkpoint.

        Raises StateError for a state that is damaged or of other rules, and then changes nothing.
        """
        body = _SAVED.unwrap(state_dict)
        wrong = [name for name, (_, kind) in _ENTRIES.items() if type(body.get(name)) is not kind]
        if wrong or body["dtype"] not in ("float32", "float64") or body["kind"] not in KINDS:
            raise StateError(f"the state is damaged: {', '.join(wrong) or 'dtype or kind'}")
        stopper = self._own(body["dtype"]) if self._is_own else self._session.stopper
        session = self._new_session(stopper)
        session.load_state_dict(body.get("session"), changed_rules=self._changed_rules)
        self._session, self._goes_on = session, True
        for name, (attribute, _) in _ENTRIES.items():
            setattr(self, attribute, body[name])
        if not stopper.stopped:  # with other numbers the run may go on
            self.stopped_epoch, self._kind, self.stopped_reason = 0, "NOT_STOPPED", ""

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Take the state of a callback with other rules, whose key is another; or refuse it."""
        states = checkpoint.get("callbacks", {})
        known = {callback.state_key for callback in trainer.callbacks}
        others = [s for key, s in states.items() if key not in known and _SAVED.matches(s)]
        if self.state_key in states or not others:
            return
        if len(others) > 1:
            raise StateError(
                f"the checkpoint has states of {len(others)} EarlyStopping with other rules, none "
                f"with {self._rules}: which of them goes on is not clear"
            )
        self.load_state_dict(others[0])

    # Attributes ------------------------------------------------------------------------------

    @property
    def stopper(self) -> Stopper:
        """The stopper that decides."""
        return self._session.stopper

    @property
    def wait_count(self) -> int:
        """The checks without improvement; 0 for rules without a wait."""
        return wait_of(self.stopper)

    @property
    def best_score(self) -> Any:
        """The value of `monitor` at the best check, as a tensor; before the first, the worst."""
        worst = -math.inf if self.mode == "max" else math.inf
        best = (self.stopper.best_metrics or {}).get(str(self.monitor), worst)
        return torch.tensor(best, dtype=getattr(torch, self._dtype))

    @property
    def stopping_reason(self) -> Any:
        """Why the fit was stopped, as Lightning's `EarlyStoppingReason`.

        Rules in place of Lightning's arguments have PATIENCE_EXHAUSTED.
        """
        return self._module.EarlyStoppingReason[self._kind]

    @property
    def stopping_reason_message(self) -> str | None:
        """Why the fit was stopped, in words; None if it was not."""
        return self.stopped_reason or None
