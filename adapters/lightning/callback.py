"""The base of `EarlyStopping`: Lightning's events, one check after another, and the state."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch

from earlystop.engine.decision import Decision
from earlystop.engine.saved_positions import metrics_from_json, metrics_to_json
from earlystop.engine.saved_state import SavedFormat
from earlystop.engine.session import Session, forget_decision
from earlystop.engine.stopper import Stopper
from earlystop.errors import StateError
from earlystop.language.ops import Dtype
from earlystop.language.positions import ELAPSED, EPOCH, STEP

from ..chosen import wait_of
from ..torch.metrics import numbers
from ..torch.ranks import TorchRanks
from .installed import MODULES, module_of
from .places import epoch_of, is_at_epoch_ends, step_of
from .reasons import KINDS, why

__all__ = ["Checks"]

_SAVED = SavedFormat(
    "earlystop.lightning.EarlyStopping", 1, "a state of earlystop's EarlyStopping for Lightning"
)
_ENTRIES: Mapping[str, tuple[str, type]] = {  # of a saved state: the attribute and its type
    **{"dtype": ("_dtype", str), "batch": ("_batch", int), "validated": ("_validated", int)},
    **{"stopped_epoch": ("stopped_epoch", int), "stopped_reason": ("stopped_reason", str)},
    **{"kind": ("_kind", str)},
}
_NO_METRICS = {EPOCH, STEP, ELAPSED}  # positions, which are not logged


class Checks:
    """Steps a stopper at each check of a fit, and keeps its state in the Trainer's checkpoints.

    The settings are attributes of Lightning's callback, or arguments of `EarlyStopping`.
    """

    monitor: str | None
    verbose: bool
    strict: bool
    log_rank_zero_only: bool
    best_path: str | None
    _check_on_train_epoch_end: bool | None
    _changed_rules: bool
    _is_own: bool  # Lightning's arguments decide
    _is_given: bool  # the user passed a Stopper, possibly to several callbacks

    def _own(self, dtype: Dtype = "float32") -> Stopper:
        """The stopper of Lightning's arguments. Defined by `EarlyStopping`."""
        raise NotImplementedError

    # One run ---------------------------------------------------------------------------------

    def _prepare(self, stopper: Stopper, arguments: Mapping[str, Any]) -> None:
        """Take the stopper of the first run.

        arguments: what distinguishes this callback from others in a checkpoint.
        """
        self._rules = dict(arguments)
        self._in_fit = True  # not in `validate` or `test`, which load checkpoints, too
        self._module = MODULES[0].__name__  # of Lightning's own; a name can be pickled
        self._goes_on = False  # whether a state was loaded for the next fit
        self._dtype: Dtype = "float32"  # of the tensors that are compared
        self._begin(stopper)

    def _begin(self, stopper: Stopper) -> None:
        """Begin a run with this stopper."""
        self._session = self._new_session(stopper)
        self._batch = -1  # of the last check, counted over the run
        self._validated = -1  # the batch of the last validation
        self._values: dict[str, float] = {}  # and its metrics, if the check comes later
        self._forget_stop()

    def _forget_stop(self) -> None:
        self.stopped_epoch, self._kind, self.stopped_reason = 0, "NOT_STOPPED", ""
        self._waited: int | None = None  # before a check that ended the fit, but not by its wait

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
                if name in self._judged or (name not in _NO_METRICS and _is_one(value))
            }
        )

    # Lightning's events ----------------------------------------------------------------------

    @property
    def state_key(self) -> str:
        return f"earlystop.{type(self).__qualname__}{self._rules}"

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if self._check_on_train_epoch_end is None:
            every_epoch = trainer.val_check_interval == 1.0 and trainer.check_val_every_n_epoch == 1
            self._check_on_train_epoch_end = every_epoch
        self._module, self._in_fit = module_of(trainer).__name__, stage == "fit"

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._in_fit = True

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        nothing_done = trainer.current_epoch == 0 and trainer.fit_loop.total_batch_idx < 0
        if nothing_done and not self._goes_on:
            stopper = self._session.stopper
            stopper.reset()
            forget_decision(stopper)
            self._begin(stopper)
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
        elif _is_in_fit(trainer):  # a checkpoint may be saved here, before the check
            self._validated = trainer.fit_loop.total_batch_idx
            judged = {n: x for n, x in trainer.callback_metrics.items() if n in self._judged}
            self._values = numbers(judged)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._session.finish()

    # One check -------------------------------------------------------------------------------

    def _check(self, trainer: Any) -> None:
        if not _is_in_fit(trainer):
            return
        if self._session.stopper.stopped:  # yet min_epochs trains on
            trainer.should_stop = True
            return
        batch = trainer.fit_loop.total_batch_idx
        if batch == self._batch:  # the fit went on from a checkpoint within this end of an epoch
            return
        logs = trainer.callback_metrics
        if batch == self._validated and not logs.keys() >= set(self._judged):
            logs = {**self._values, **logs}  # not validated again where the fit goes on
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
        self._carry_out(trainer, decision, values, before)
        if decision.save and self.best_path is not None:
            try:
                trainer.save_checkpoint(self.best_path, weights_only=False)
            except BaseException:  # a best that is not saved is none
                session.restore(before)
                self._batch = earlier
                raise

    def _strict(self) -> bool:
        return self._session.stopper.on_missing == "raise" if self._is_given else self.strict

    def _carry_out(
        self, trainer: Any, decision: Decision, values: dict[str, float], before: tuple[Any, ...]
    ) -> None:
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
            if self._kind != "PATIENCE_EXHAUSTED":  # Lightning does not count such a check
                self._waited = self._wait_at(before)
            trainer.should_stop = True
            self._say(trainer, f"{decision.place}: stop: {self.stopped_reason}")

    def _wait_at(self, position: tuple[Any, ...]) -> int:
        """The checks without improvement at a `snapshot` of the session."""
        session = self._session
        now = session.snapshot()
        session.restore(position)
        wait = wait_of(session.stopper)
        session.restore(now)
        return wait

    def _say(self, trainer: Any, text: str) -> None:
        if not self.verbose or (self.log_rank_zero_only and trainer.global_rank > 0):
            return
        rank = f"[rank: {trainer.global_rank}] " if trainer.world_size > 1 else ""
        logging.getLogger(self._module).info("%sEarlyStopping: %s", rank, text)

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
        """The state needed to resume as if never interrupted, as plain JSON data."""
        entries = {name: getattr(self, attribute) for name, (attribute, _) in _ENTRIES.items()}
        values = metrics_to_json(self._values)
        entries |= {"values": values, "waited": self._waited}
        return _SAVED.wrap({**entries, "session": self._session.state_dict()})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Resume from `state_dict()`; the Trainer calls it with what is in its checkpoint.

        In `validate` and `test` it does nothing: they load weights.

        Raises StateError for a state that is damaged or of other rules, and then changes nothing.
        """
        if not self._in_fit:
            return
        body = _SAVED.unwrap(state_dict)
        wrong = [name for name, (_, kind) in _ENTRIES.items() if type(body.get(name)) is not kind]
        waited = body.get("waited")  # older states have none
        if waited is not None and type(waited) is not int:
            wrong.append("waited")
        if wrong or body["dtype"] not in ("float32", "float64") or body["kind"] not in KINDS:
            raise StateError(f"the state is damaged: {', '.join(wrong) or 'dtype or kind'}")
        values = metrics_from_json(body.get("values"), "values")
        stopper = self._own(body["dtype"]) if self._is_own else self._session.stopper
        session = self._new_session(stopper)
        session.load_state_dict(body.get("session"), changed_rules=self._changed_rules)
        self._session, self._goes_on, self._values = session, True, values
        self._waited = waited
        for name, (attribute, _) in _ENTRIES.items():
            setattr(self, attribute, body[name])
        if not stopper.stopped:  # with other numbers the run may go on
            self._forget_stop()

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Take the state of a callback with other rules, whose key differs; or refuse it."""
        states = checkpoint.get("callbacks", {})
        known = {callback.state_key for callback in trainer.callbacks}
        others = [s for key, s in states.items() if key not in known and _SAVED.matches(s)]
        if self.state_key in states or not others or not self._in_fit:
            return
        if len(others) > 1:
            raise StateError(
                f"the checkpoint has states of {len(others)} EarlyStopping with other rules, none "
                f"with {self._rules}: which of them goes on is not clear"
            )
        self.load_state_dict(others[0])


def _is_in_fit(trainer: Any) -> bool:
    """Whether a validation is part of a fit, and not of a sanity check or a fast_dev_run."""
    return trainer.state.fn == "fit" and not trainer.sanity_checking and not trainer.fast_dev_run


def _is_one(value: Any) -> bool:
    return value.numel() == 1 if isinstance(value, torch.Tensor) else isinstance(value, float)
