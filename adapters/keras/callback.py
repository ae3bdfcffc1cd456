"""The base of both callbacks: translates Keras's events into calls of a `Session`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import keras

from earlystop._files.paths import local_path
from earlystop.engine.decision import Decision
from earlystop.engine.missing import OnMissingMetric
from earlystop.engine.session import Session, forget_decision
from earlystop.engine.stopper import Stopper
from earlystop.engine.stopwatch import Stopwatch
from earlystop.errors import RuleError
from earlystop.language.positions import EPOCH, STEP
from earlystop.language.settings import validated

from .backup import Backup
from .metrics import LogReader, are_built

__all__ = ["RuleCallback", "resumed_after_stop"]

# The ids of models in a fit that was resumed although its run had been stopped. Keras then trains
# one more epoch anyway, which all callbacks ignore.
resumed_after_stop: set[int] = set()


class RuleCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Steps a stopper once per epoch, and keeps its state in `backup_dir`.

    The stopper gets Keras's epoch, counted from 0, and the step if its rules need it. What
    is logged under these names is not a position: callbacks may log anything.

    The first epoch of a fit that BackupAndRestore resumes is known only when that epoch begins. So
    the session begins with the first epoch, not with the fit; but before anything is trained.

    on_missing, backup_dir, changed_rules: see `EarlyStopping`.
    given: the stopper that the user passed, possibly to several callbacks; None if there is none.
    named: metrics in the name of a file.
    """

    def __init__(
        self,
        on_missing: OnMissingMetric,
        backup_dir: str | os.PathLike[str] | None,
        given: Stopper | None,
        *,
        changed_rules: bool = False,
        named: Iterable[str] = (),
    ) -> None:
        super().__init__()
        if on_missing not in ("auto", "raise", "skip"):
            raise RuleError(
                f'`{type(self).__name__}(on_missing=...)` must be "auto", "raise" or "skip", '
                f"got {on_missing!r}"
            )
        self._on_missing = on_missing
        what = f"`{type(self).__name__}(backup_dir=...)`"
        self._backup_dir = None if backup_dir is None else local_path(backup_dir, what)
        self._given, self._named = given, frozenset(named)
        self._changed_rules = validated(
            bool, changed_rules, f"{type(self).__name__}(changed_rules=...)"
        )
        self._backup: Backup | None = None
        self._stopper: Stopper | None = None
        self._session: Session | None = None  # None before the first epoch of a fit
        self._stopwatch = Stopwatch()
        self._offset = 0  # the first epoch of the run
        self._counts_steps = False
        self._is_other_model = False  # than that of the fit before

    def set_model(self, model: Any) -> None:
        if self._session is not None and model is not self.model:
            self._is_other_model = True
        super().set_model(model)

    def close(self) -> None:
        """Release the lock on the backup of a fit that was interrupted."""
        if self._backup is not None:
            self._backup.close()
            self._backup = None

    # Defined by each callback ----------------------------------------------------------------

    def _new_stopper(self) -> Stopper:
        """The stopper for a run whose first epoch is `_offset`."""
        raise NotImplementedError

    def _resumed(self, stopper: Stopper) -> None:
        """Check what the resumed run has saved, and set the attributes from its stopper."""
        raise NotImplementedError

    # One run ---------------------------------------------------------------------------------

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._session is None and are_built(self.model):
            self._begin_session(epoch)

    def _begin_run(self) -> None:
        self._session = None
        self._stopwatch = Stopwatch()
        self._stopwatch.start()
        resumed_after_stop.discard(id(self.model))
        if self._given is not None:
            forget_decision(self._given)

    def _session_at(self, epoch: int) -> Session:
        """The session, which begins with this epoch if no earlier one has been decided on.

        A subclass may pass over epochs by not calling `on_epoch_end`.
        """
        session = self._session
        if session is None:
            return self._begin_session(epoch)
        if epoch > self._offset and session.stopper.checks == 0 and self._given is None:
            self._stopper = None
            return self._begin_session(epoch)
        return session

    def _begin_session(self, epoch: int) -> Session:
        """Begin a run with this epoch, or resume the run that was saved before it."""
        saved = None if self._backup is None else self._backup.resume(epoch)
        self._offset = epoch if saved is None else saved.offset
        if self._stopper is None:
            self._stopper = self._new_stopper()
        stopper = self._stopper
        needed = {*stopper.stop.all_metrics, *stopper.save.all_metrics}
        session = Session(
            stopper,
            type(self).__name__,
            on_missing=None if stopper is self._given else self._on_missing,
            advice="pass validation_data to `fit`",
            to_floats=LogReader(needed, self._named),
            stopwatch=self._stopwatch,
        )
        first = epoch
        if saved is not None:
            has_offset = saved.counts_checks and saved.offset > 0  # then its rules had one, too
            changed = self._changed_rules or has_offset
            session.load_state_dict(saved.session, changed_rules=changed)
            first = saved.offset if saved.counts_checks else epoch
        session.count_from(first)
        if saved is not None:
            self._resumed(stopper)
        self._counts_steps = STEP in needed
        self._session = session
        self._is_other_model = False
        return session

    def _decide(self, session: Session, epoch: int, values: dict[str, float]) -> Decision | None:
        """The decision on an epoch; None if the run had stopped before."""
        is_given = session.stopper is self._given
        decision = session.decision_at(epoch) if is_given else None
        if decision is not None:  # another callback has stepped the stopper
            return decision
        if session.stopper.stopped:  # yet the fit continues
            self.model.stop_training = True
            return None
        seen = {name: value for name, value in values.items() if name not in (EPOCH, STEP)}
        step = values.get(STEP, self._steps_done) if self._counts_steps else None
        at = epoch if is_given else None
        decision = session.step(seen, epoch=epoch, step=step, at=at)
        if decision.stop:
            self.model.stop_training = True
        return decision

    @property
    def _steps_done(self) -> int | None:
        """The steps of the optimizer; None if the model has none."""
        optimizer = getattr(self.model, "optimizer", None)
        return None if optimizer is None else int(optimizer.iterations)

    def _state(self, session: Session) -> dict[str, Any]:
        state = session.state_dict()
        return {"callback": type(self).__name__, "offset": self._offset, **state}

    def _end_backup(self) -> None:
        if self._backup is not None:
            self._backup.end(self)
            self._backup = None

    def _finish(self) -> None:
        """End the session; raise MissingMetricError for a metric that no epoch reported."""
        if self._session is not None:
            self._session.finish()
