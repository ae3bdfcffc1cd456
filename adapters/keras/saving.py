"""One save of a model, in the steps of Keras's `ModelCheckpoint`, which subclasses override."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from earlystop.checkpoints import write_atomically
from earlystop.engine.decision import Decision
from earlystop.engine.session import Session
from earlystop.language.positions import ELAPSED

from .backup import Backup
from .callback import resumed_after_stop
from .files import formatted_path, path_fields
from .messages import distinct_texts, say
from .metrics import LogReader, is_validation_metric
from .monitor import MonitorCallback

__all__ = ["SavingCallback"]

Logs = Mapping[str, Any] | None


class SavingCallback(MonitorCallback):
    """Decides on an epoch or a batch, and saves the model under the name that is asked for.

        _save_model --> the decision --> _get_file_path --> _should_save_model --> the file

    A save that fails takes the decision back: nobody has that epoch, so it is not the best.
    """

    filepath: str
    _here: Path  # the working directory when the callback was made; a program may change it
    verbose: int
    save_weights_only: bool
    save_top_k: int | None
    epochs_since_last_save = 0
    _decision: Decision | None = None  # the last one
    _values: Mapping[str, float] = {}  # what it was about
    _has_saved = False  # in this fit

    def _save_model(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Decide on an epoch, or on some of its batches, and save the model if it is to be saved.

        batch: the number of the batch in its epoch, from 0; None at the end of an epoch.
        """
        if resumed_after_stop and id(self.model) in resumed_after_stop:
            return
        session = self._session_at(epoch)
        logs = self._with_monitored(logs)
        before = session.snapshot(), self._best, self._improvements
        values = self._values = session.collect(logs)
        self._decision = self._decide(session, epoch, self._compared(values, epoch))
        if self._decision is None:
            return
        try:
            if self._backup is not None and self.save_top_k is not None:
                self._save_ranked(self._backup, session, self._decision, epoch)
            else:
                self._save_decided(epoch, batch, logs)
        except BaseException:
            snapshot, self._best, self._improvements = before
            session.restore(snapshot)
            raise

    # One file, or one per epoch --------------------------------------------------------------

    def _save_decided(self, epoch: int, batch: int | None, logs: Logs) -> None:
        filepath = self._get_file_path(epoch, batch, logs)
        if not self._should_save_model(epoch, batch, logs, filepath):
            return
        write_atomically(self._here / filepath, self._write)
        self._note_saved()
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: finished saving model to {filepath}")

    def _get_file_path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        """The file to save to: `filepath`, with its fields formatted.

        A metric that this epoch lacks is written as "none", if `on_missing` lets it be missing.
        """
        fields = path_fields(self.filepath)
        values: dict[str, Any] = LogReader((), fields)(logs)
        values.setdefault(ELAPSED, self._stopwatch.seconds)
        values.update(batch=(batch or 0) + 1, epoch=epoch + 1)
        missing = "none" if self._may_lack(fields - values.keys(), values) else None
        return str(formatted_path(self.filepath, values, missing))

    def _may_lack(self, metrics: Iterable[str], values: Iterable[str]) -> bool:
        """Whether these metrics may be missing: by default, in an epoch without validation."""
        if self._on_missing != "auto":
            return self._on_missing == "skip"
        return all(map(is_validation_metric, metrics)) and not any(
            map(is_validation_metric, values)
        )

    def _should_save_model(self, epoch: int, batch: int | None, logs: Logs, filepath: str) -> bool:
        """Whether the last decision is to save. Prints it, and makes it the best."""
        if self._decision is None or self._session is None:
            return False
        monitor = self._watched(self._session.stopper)
        value = self._values.get(monitor)
        before, now = distinct_texts(self.best, 0.0 if value is None else value)
        if not self._decision.save:
            if value is not None and self.verbose > 0:
                say(f"\nEpoch {epoch + 1}: {monitor} did not improve from {before}")
            return False
        if self.verbose > 0:
            what = "" if value is None else f"{monitor} improved from {before} to {now}, "
            say(f"\nEpoch {epoch + 1}: {what}saving model to {filepath}")
        self._best = self.best if value is None else value
        return True

    # The best few, with a ledger --------------------------------------------------------------

    def _save_ranked(
        self, ranked: Backup, session: Session, decision: Decision, epoch: int
    ) -> None:
        values = self._values
        is_top = ranked.checkpoints.ranks(values)
        write = self._write if is_top else None
        path = ranked.save(write, epoch, self._state(session), values, best=decision.save)
        if path is not None:
            self._note_saved()
        if decision.save:
            self._best = values[self.monitor]
        if self.verbose > 0:
            what = f"saved to {path}" if path is not None else "not saved"
            negation = "" if is_top else "not "
            say(
                f"\nEpoch {epoch + 1}: {self.monitor} {values.get(self.monitor, 'missing')} is "
                f"{negation}among the best {self.save_top_k}, {what}"
            )

    # The file ----------------------------------------------------------------------------------

    def _note_saved(self) -> None:
        self.epochs_since_last_save, self._has_saved = 0, True

    def _write(self, path: Path) -> None:
        if self.save_weights_only:
            self.model.save_weights(str(path), overwrite=True)
        else:
            self.model.save(str(path), overwrite=True)
