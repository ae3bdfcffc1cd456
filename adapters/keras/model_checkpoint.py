"""`ModelCheckpoint` with Keras's arguments and decisions, or with any rule."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from earlystop._files.deferred_close import wait_for_space
from earlystop._files.paths import expanded
from earlystop.checkpoints import write_atomically
from earlystop.engine.decision import Decision
from earlystop.engine.missing import OnMissingMetric
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError, RuleTypeError
from earlystop.language.direction import direction
from earlystop.language.ops import worst
from earlystop.language.rule import Rule
from earlystop.language.settings import Positive, validated
from earlystop.rules import Always, Best, Never

from .backup import Backup
from .callback import RuleCallback, resumed_after_stop
from .files import formatted_path
from .messages import distinct_texts, say
from .metrics import backend_dtype, metric_direction, monitored

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(RuleCallback):
    """Keras's `ModelCheckpoint`, which also accepts any rule, and never leaves a partial file.

    The first eight arguments and their defaults are those of Keras. The others are:

    save: a rule that decides which epochs to save, in place of `save_best_only`; or the `Stopper`
        of an `EarlyStopping`: then it restores exactly what this callback has saved.
    save_top_k: keep the k best epochs, by `monitor`, and delete the others. The file name must
        contain {epoch}; a ledger, checkpoints.json, is kept next to the files.
    resume: with `save_top_k`, continue with the folder of an earlier fit; it is refused otherwise.
    on_missing: as in `EarlyStopping`.
    backup_dir: as in `EarlyStopping`. Without it a resumed fit does not know the best so far, and
        warns if it might overwrite it. (With `save_top_k`, the ledger knows.)

    A file is written under a temporary name and flushed to the disk before it replaces the previous
    one. Fields in the names of folders are formatted, too, but cannot point outside the folders
    given literally.

    Decisions are those of Keras, including comparisons in the backend's float32. They differ
    deliberately in these cases:

    - A NaN, or an infinity on the wrong side, is never the best. (Keras saves it if it comes
      first, and then never again.)
    - With save_best_only a missing metric is an error or, with `on_missing`, an epoch that is not
      saved. (Keras warns and saves, over the best.) So is a value that is not a number.
    - An unknown mode is an error (Keras: a warning), and so is a threshold that is NaN (Keras: it
      never saves).
    - mode="auto" uses the name of a metric whose direction Keras does not know (Keras: an error).
    - With save_best_only and a number as `save_freq`, the first epoch is like the others. (In
      Keras its second save is a TypeError.)

    >>> import keras, numpy as np, tempfile
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> folder = tempfile.TemporaryDirectory()
    >>> callback = ModelCheckpoint(f"{folder.name}/{{epoch}}.keras", "loss", save_top_k=2)
    >>> x, y = np.ones((4, 2)), np.ones((4, 1))
    >>> history = model.fit(x, y, epochs=4, callbacks=[callback], verbose=0)
    >>> sorted(path.name for path in Path(folder.name).glob("*.keras"))
    ['3.keras', '4.keras']
    >>> folder.cleanup()
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        *,
        save: Rule | Stopper | None = None,
        save_top_k: int | None = None,
        resume: bool = False,
        on_missing: OnMissingMetric = "auto",
        backup_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.filepath = expanded(filepath, "`ModelCheckpoint(filepath=...)`")
        self._here = Path.cwd()  # the program may change it
        given = save if isinstance(save, Stopper) else None
        super().__init__(on_missing, backup_dir, given, template=self.filepath)
        self.monitor, self.verbose, self.mode = monitor, verbose, mode
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self.save_top_k = validated(Positive | None, save_top_k, "ModelCheckpoint(save_top_k=...)")
        self._threshold = initial_value_threshold
        self._save, self._resume = save, resume
        self._is_ranking = save_best_only or save_top_k is not None
        self._check_rules()
        self._check_numbers()
        self._check_path()
        self._batches = 0  # since the last save
        self._last_batch: int | None = None
        self._epoch = 0

    def _check_rules(self) -> None:
        if not isinstance(self._save, (Rule, Stopper)) and self._save is not None:
            raise RuleTypeError(
                f"`ModelCheckpoint(save=...)` must be a rule or a Stopper, got {self._save!r}"
            )
        if self._save is not None and self._is_ranking:
            raise RuleError(
                "`ModelCheckpoint(save=...)` takes the place of save_best_only and save_top_k: "
                "give one of them"
            )
        if self.save_top_k and (self.save_freq != "epoch" or self._threshold is not None):
            raise RuleError(
                "`ModelCheckpoint(save_top_k=...)` looks at whole epochs, and at all of them: "
                "leave out save_freq and initial_value_threshold"
            )

    def _check_numbers(self) -> None:
        if self.save_freq != "epoch":
            self.save_freq = validated(Positive, self.save_freq, "ModelCheckpoint(save_freq=...)")
        threshold = self._threshold
        if threshold is not None and not math.isinf(threshold):
            validated(float, threshold, "ModelCheckpoint(initial_value_threshold=...)")
        if self._is_ranking and self.mode not in ("auto", "min", "max"):
            direction(self.monitor, self.mode, "ModelCheckpoint")  # says what is wrong

    def _check_path(self) -> None:
        endings = (".weights.h5",) if self.save_weights_only else (".keras", ".h5", ".hdf5")
        if not self.filepath.endswith(endings):
            raise RuleError(
                f"`ModelCheckpoint(filepath=...)` must end in {' or '.join(endings)} with "
                f"save_weights_only={self.save_weights_only}, got {self.filepath!r}"
            )

    # The stopper -----------------------------------------------------------------------------

    def _new_stopper(self) -> Stopper:
        if self._given is not None:
            return self._given
        return Stopper(Never(), self._save_rule(), on_missing="skip")

    def _save_rule(self) -> Rule:
        if isinstance(self._save, Rule):
            return self._save
        if not self._is_ranking:
            return Always()
        mode = metric_direction(self.model, self.monitor, self.mode, "ModelCheckpoint")
        threshold = None if self._threshold == worst(mode) else self._threshold
        if threshold is not None and math.isinf(threshold):  # nothing is better than that
            return Never()
        return Best(self.monitor, mode=mode, baseline=threshold, dtype=backend_dtype())

    def _restore_attributes(self, stopper: Stopper) -> None:
        saved = (stopper.best_metrics or {}).get(monitored(stopper.save))
        self.best = self.best if saved is None else saved

    # A fit begins ----------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        # As in Keras, the best is remembered from one fit to the next.
        self._begin_run()
        if self.save_top_k is None and self._backup_dir is not None:
            self.close()
            self._backup = Backup(self._backup_dir / "model_checkpoint", "{epoch}")

    def _begin_session(self, epoch: int) -> Session:
        if self.save_top_k is not None:
            self._backup = self._open_ranked(self.save_top_k)
            self._resume = True  # the same callback may continue it in another fit
        if epoch and self.save_best_only:
            self._warn_of_unknown_best(epoch)
        return super()._begin_session(epoch)

    def _open_ranked(self, keep_best: int) -> Backup:
        """The files and their ledger, once the direction of the metric is known."""
        folder, name = os.path.split(self.filepath)
        mode = metric_direction(self.model, self.monitor, self.mode, "ModelCheckpoint")
        self.close()
        settings = {"monitor": self.monitor, "mode": mode, "keep_best": keep_best}
        return Backup(self._here / folder, name, count_from=1, resume=self._resume, **settings)

    def _warn_of_unknown_best(self, epoch: int) -> None:
        """Warn if a fit that does not begin with the first epoch may overwrite an earlier best."""
        is_known = self._backup is not None or self.best is not None
        if not is_known and "{" not in self.filepath and (self._here / self.filepath).exists():
            warnings.warn(
                f"ModelCheckpoint: this fit begins with epoch {epoch + 1}, and the score of the "
                f"model in {self.filepath!r} is unknown: a worse one may replace it. Pass "
                "backup_dir=... to go on with the best, or initial_value_threshold=...",
                stacklevel=5,
            )

    # Epochs and batches ----------------------------------------------------------------------

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            return
        # With steps_per_execution not every batch is reported; an epoch counts its own from 0.
        last = -1 if self._last_batch is None or batch <= self._last_batch else self._last_batch
        self._batches += batch - last
        self._last_batch = batch
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._consider(self._epoch, logs, batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._consider(epoch, logs)
        session = self._session
        if session is None:
            session = self._begin_session(epoch)
        if self._backup is None:
            return
        last = self._backup.last_epoch
        if last is None or last < epoch:
            self._backup.save(None, epoch, self._state(session))

    def on_train_end(self, logs: Any = None) -> None:
        if self._backup is not None and self.save_top_k is not None:
            self._backup.checkpoints.prune(keep_last=1)
            self.close()
        self._end_backup()
        wait_for_space()
        self._finish()

    # One save --------------------------------------------------------------------------------

    def _consider(self, epoch: int, logs: Any, batch: int = 0) -> None:
        if resumed_after_stop and id(self.model) in resumed_after_stop:
            return
        session = self._session
        if session is None:
            session = self._begin_session(epoch)
        values = session.collect(logs)
        decision = self._decide(session, epoch, values)
        if decision is None:
            return
        if self._backup is not None and self.save_top_k is not None:
            self._save_ranked(self._backup, session, decision, epoch, values)
            return
        monitor = monitored(session.stopper.save)
        if decision.save:
            self._save_model(epoch, batch, values, monitor)
        elif monitor in values and self.verbose > 0:
            before, _ = distinct_texts(self.best, values[monitor])
            say(f"\nEpoch {epoch + 1}: {monitor} did not improve from {before}")

    def _save_model(
        self, epoch: int, batch: int, values: Mapping[str, float], monitor: str
    ) -> None:
        names = {"batch": batch + 1, **values, "epoch": epoch + 1}
        path = self._here / formatted_path(self.filepath, names)
        value, what = values.get(monitor), ""
        if value is not None:
            before, now = distinct_texts(self.best, value)
            what = f"{monitor} improved from {before} to {now}, "
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: {what}saving model to {path}")
        write_atomically(path, self._write)
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: finished saving model to {path}")
        self.best = self.best if value is None else value

    def _save_ranked(
        self,
        ranked: Backup,
        session: Session,
        decision: Decision,
        epoch: int,
        values: dict[str, float],
    ) -> None:
        is_top = ranked.checkpoints.ranks(values)
        write = self._write if is_top else None
        path = ranked.save(write, epoch, self._state(session), values, best=decision.save)
        if decision.save:
            self.best = values[self.monitor]
        if self.verbose > 0:
            what = f"saved to {path}" if path is not None else "not saved"
            negation = "" if is_top else "not "
            say(
                f"\nEpoch {epoch + 1}: {self.monitor} {values.get(self.monitor, 'missing')} is "
                f"{negation}among the best {self.save_top_k}, {what}"
            )

    def _write(self, path: Path) -> None:
        if self.save_weights_only:
            self.model.save_weights(str(path), overwrite=True)
        else:
            self.model.save(str(path), overwrite=True)
