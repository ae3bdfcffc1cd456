"""`EarlyStopping` with Keras's arguments and decisions, or with any rule."""

from __future__ import annotations

import functools
import os
import re
from typing import Any

from earlystop.engine.missing import OnMissingMetric
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import CheckpointError, RuleError
from earlystop.language.rule import Rule
from earlystop.language.settings import Count, validated
from earlystop.rules import Best, Patience, Warmup

from ..arguments import known_arguments
from ..chosen import check_names_best, chosen_stopper, set_wait, wait_of
from .backup import Backup
from .callback import resumed_after_stop
from .files import read_weights, write_weights
from .messages import count_from_1, say
from .metrics import backend_dtype
from .monitor import MonitorCallback

__all__ = ["EarlyStopping"]

_DEFAULTS = {
    **{"monitor": "val_loss", "min_delta": 0, "patience": 0},
    **{"mode": "auto", "baseline": None, "start_from_epoch": 0},
}


class EarlyStopping(MonitorCallback):
    """Keras's `EarlyStopping`, which also accepts any rule.

    The first eight arguments and their defaults are those of Keras. The others are:

    stop: a rule that ends the run, in place of Keras's arguments; or a `Stopper`, whose two rules
        are used. If a `ModelCheckpoint` has the same Stopper, it decides once for both.
    save: with a `stop` rule, the rule that decides which epoch is the best.
    on_missing: how to treat an epoch that lacks a metric of a rule. "auto": an error that lists the
        reported metrics, unless this epoch was not validated and others are. "raise": always an
        error. "skip": never an error.
    backup_dir: a folder, other than that of BackupAndRestore, for the state and the best weights
        during `fit`. A fit that BackupAndRestore resumes then continues its wait, and knows its
        best epoch. List this callback before BackupAndRestore. After the fit, the backup is deleted
        with the callback, or when the process ends.
    changed_rules: resume from a backup of rules of the same kinds with other numbers, such as more
        patience; it is refused otherwise.

    It has the attributes of Keras's callback, `best`, `best_epoch`, `wait`, `stopped_epoch` and
    `best_weights`, and also `stopped_reason`. All of them count epochs from 0. Subclasses may
    override `get_monitor_value`, `_is_improvement` and `_set_monitor_op`, and set `best`, `wait`
    and `monitor_op`, as Keras's may.

    Decisions are those of Keras, including comparisons in the backend's float32. They differ
    deliberately in these cases:

    - A NaN, or an infinity on the wrong side, is not an improvement, not even in the first epoch.
      (Keras makes it the best, and nothing ever improves on it.)
    - Until a `baseline` is beaten, `patience` epochs end the run, even the first ones, whether or
      not the metric approaches it. (Keras continues while every epoch is better than the best.)
    - A missing metric is an error. (Keras warns, and never stops.)
    - An unknown mode is an error (Keras: a warning), and so are a negative patience (Keras: 0), one
      that is no whole number, a `start_from_epoch` like that, and a `min_delta` or `baseline` that
      is not finite, by which nothing would improve, or anything. (Keras takes them.)
    - mode="auto" uses the name of a metric whose direction Keras does not know (Keras: an error).
    - If no epoch is the best, nothing is restored. (Keras restores the first.)

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> callback = EarlyStopping("loss", patience=3, restore_best_weights=True)
    >>> x, y = np.ones((4, 2)), np.full((4, 1), np.nan)
    >>> history = model.fit(x, y, epochs=9, callbacks=[callback], verbose=0)
    >>> len(history.epoch), callback.stopped_reason
    (3, 'loss has had no value to improve on for 3 epochs')
    """

    @known_arguments
    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
        *,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
        on_missing: OnMissingMetric = "auto",
        backup_dir: str | os.PathLike[str] | None = None,
        changed_rules: bool = False,
    ) -> None:
        given = stop if isinstance(stop, Stopper) else None
        super().__init__(on_missing, backup_dir, given, changed_rules=changed_rules)
        validated(float, min_delta, "EarlyStopping(min_delta=...)")
        self.monitor, self.min_delta, self.patience = monitor, abs(min_delta), patience
        self.verbose, self.mode, self.baseline = verbose, mode, baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._stop, self._save = stop, save
        self._follows_monitor = stop is None
        stopper = chosen_stopper(
            "EarlyStopping",
            stop,
            save,
            functools.partial(self._stopper_as_keras, "min" if mode == "auto" else mode, 0),
            _DEFAULTS,
            (monitor, min_delta, patience, mode, baseline, start_from_epoch),
        )
        if restore_best_weights:
            what = "EarlyStopping(stop=..., restore_best_weights=True)"
            check_names_best(stopper.save, what)
        self._forget()

    def _forget(self) -> None:
        self._stopper, self._best = None, None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None
        self.stopped_epoch = 0
        self._weights_after_stop: list[Any] | None = None  # where a resumed run had been stopped

    # The stopper -----------------------------------------------------------------------------

    def _new_stopper(self) -> Stopper:
        if self._given is not None:
            return self._given
        if isinstance(self._stop, Rule):
            return Stopper(self._stop, self._save, on_missing="skip")
        return self._stopper_as_keras(self._direction(), self._offset)

    def _stopper_as_keras(self, mode: Any, offset: int) -> Stopper:
        """A stopper that decides as Keras does.

        mode: None if the comparison is a subclass's own. offset: the first epoch of the run.
        """
        self._made_of = self._numbers
        start = validated(Count, self.start_from_epoch, "EarlyStopping(start_from_epoch=...)")
        start = start if start > offset else 0
        watched: Any = {"mode": mode, "min_delta": abs(self.min_delta), "dtype": backend_dtype()}
        names: tuple[str, ...] = (self.monitor, self.monitor)
        baselines: tuple[float | None, ...] = (self.baseline, None)
        if mode is None:
            watched, names, baselines = {"mode": "max"}, self._counts, (0.0, 0.0)
        try:
            stop = Patience(
                names[0],
                patience=self.patience,
                baseline=baselines[0],
                start_from_epoch=start,
                **watched,
            )
            save: Rule = Best(names[1], baseline=baselines[1], **watched)
        except RuleError as error:  # name the class that the user called
            text = re.sub(r"`(Patience|Best)\(", "`EarlyStopping(", str(error))
            raise type(error)(text) from None
        return Stopper(stop, Warmup(save, start) if start else save, on_missing="skip")

    @property
    def _numbers(self) -> tuple[Any, ...]:
        return self.patience, abs(self.min_delta), self.baseline, self.start_from_epoch

    def _follow_numbers(self, session: Session) -> None:
        """Go on with numbers that were changed during the run, such as more patience."""
        if self._follows_monitor and self._numbers != self._made_of:
            state = session.stopper.state_dict()
            stopper = self._stopper_as_keras(self._direction(), self._offset)
            stopper.load_state_dict(state, changed_rules=True)
            self._stopper = session.stopper = stopper

    def _resumed(self, stopper: Stopper) -> None:
        if self.restore_best_weights and stopper.best_epoch is not None:
            self._check_best(int(stopper.best_epoch))
        if stopper.best_epoch is not None:
            self.best_epoch = int(stopper.best_epoch)
            self._best = self._saved_best(stopper)
        if stopper.stopped:
            self.stopped_epoch = int(stopper.epoch) - 1

    def _check_best(self, epoch: int) -> None:
        """Raise CheckpointError now if the best weights could not be restored at the end."""
        best = None if self._backup is None else self._backup.checkpoints.best
        path = None if self._backup is None else self._backup.checkpoints.best_path
        if best is None or best.epoch != epoch or path is None:  # an older one may be there
            raise CheckpointError(
                f"the run that goes on here had its best in epoch {epoch + 1}, whose weights are "
                "not there: they were deleted, or never kept; pass restore_best_weights=False, or "
                "begin a new run with another backup_dir"
            )
        if self.model.get_weights() or not path.exists():  # a model may not have been built
            read_weights(path, self.model)

    # Keras's events --------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        self._begin_run()
        self._forget()
        if self._given is not None:
            self._given.reset()
        if self._backup_dir is not None:
            self.close()
            self._backup = Backup(self._backup_dir / "early_stopping", "best-{epoch:04d}.npz")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        backup = self._backup if self._session is None else None
        was_stopped = backup is not None and backup.was_stopped(epoch)
        super().on_epoch_begin(epoch, logs)
        goes_on = self._session is not None and not self._session.stopper.stopped
        if was_stopped and not goes_on:
            self.model.stop_training = True
            self._weights_after_stop = self.model.get_weights()
            resumed_after_stop.add(id(self.model))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        session = self._session_at(epoch)
        if resumed_after_stop and id(self.model) in resumed_after_stop:
            if self._backup is not None:  # keep up with BackupAndRestore
                self._backup.save(None, epoch, self._state(session))
            return
        self._follow_numbers(session)
        values = session.collect(self._with_monitored(logs))
        decision = self._decide(session, epoch, self._compared(values, epoch))
        if decision is None:
            return
        if decision.save:
            self.best_epoch, self._best = epoch, self._best_of(session.stopper, values)
        keeps_weights = decision.save and self.restore_best_weights
        if self._backup is not None:
            write = functools.partial(write_weights, model=self.model) if keeps_weights else None
            self._backup.save(write, epoch, self._state(session), best=decision.save)
        elif keeps_weights:
            self.best_weights = self.model.get_weights()
        if decision.stop:
            self.stopped_epoch = epoch

    def on_train_end(self, logs: Any = None) -> None:
        if self._backup is not None:
            self._read_backup(self._backup)
        if self._weights_after_stop is not None:
            self.model.set_weights(self._weights_after_stop)
            resumed_after_stop.discard(id(self.model))
        if self.stopped_reason and self.verbose > 0:
            reason = count_from_1(self.stopped_reason)
            say(f"Epoch {self.stopped_epoch + 1}: early stopping: {reason}")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                say(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)
        self._end_backup()
        self._finish()

    def _read_backup(self, backup: Backup) -> None:
        if backup.last_epoch is not None and self._session is None:  # resumed with nothing left
            self._begin_session(backup.last_epoch + 1)
        path = backup.checkpoints.best_path
        self.best_weights = None if path is None else read_weights(path, self.model)

    # Attributes ------------------------------------------------------------------------------

    @property
    def wait(self) -> int:
        """The number of epochs without improvement; 0 for rules without a wait."""
        return 0 if self._stopper is None else wait_of(self._stopper)

    @wait.setter
    def wait(self, epochs: int) -> None:
        if self._stopper is not None:
            set_wait(self._stopper, validated(Count, epochs, "EarlyStopping.wait"))

    @property
    def stopped_reason(self) -> str:
        """Why it stopped the run; "" if it has not. Epochs count from 0."""
        reason = "" if self._stopper is None else self._stopper.reason
        if reason and self._compares:  # the rules know only the count of improvements
            name, epochs = type(self).__name__, self.wait
            plural = "s" if epochs != 1 else ""
            return f"{self.monitor} has not improved for {epochs} epoch{plural}, as {name} compares"
        return reason
