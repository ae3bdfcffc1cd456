"""`ModelCheckpoint` with Keras's arguments and decisions, or with any rule."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import Any

from earlystop._files.deferred_close import wait_for_space
from earlystop._files.paths import expanded
from earlystop.engine.missing import OnMissingMetric
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import CheckpointWarning, RuleError
from earlystop.language.ops import worst
from earlystop.language.rule import Rule
from earlystop.language.settings import Positive, validated
from earlystop.rules import Always, Best, Never

from ..arguments import known_arguments
from .backup import Backup
from .checkpoint_settings import check_mode, check_numbers, check_path, check_rules
from .files import path_fields
from .metrics import are_built, backend_dtype
from .saving import SavingCallback

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(SavingCallback):
    """Keras's `ModelCheckpoint`, which also accepts any rule, and never leaves a partial file.

    The first eight arguments and their defaults are those of Keras. The others are:

    save: a rule that decides which epochs to save, in place of `save_best_only`; or the `Stopper`
        of an `EarlyStopping`: then it restores exactly what this callback has saved.
    save_top_k: keep the k best epochs, by `monitor`, and delete the others. The file name must
        contain {epoch}; a ledger, checkpoints.json, is kept next to the files.
    resume: with `save_top_k`, continue with the folder of an earlier fit; it is refused otherwise.
    on_missing, changed_rules: as in `EarlyStopping`.
    backup_dir: as in `EarlyStopping`. Without it a resumed fit does not know the best so far, and
        warns if it might overwrite it. (With `save_top_k`, the ledger knows.)

    As in Keras, the best is remembered from one fit of a model to the next, and where a fit does
    not begin with the first epoch. If it keeps a whole fit from saving, there is a warning.

    Subclasses may override what those of `EarlyStopping` may, and `_get_file_path`,
    `_should_save_model` and `_save_model`, with Keras's arguments. With `save_top_k` the names are
    always those of `filepath`.

    A file is written under a temporary name and synced to the disk before it replaces the previous
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
    - A fit of another model that begins with the first epoch begins anew, so that the best of one
      fold does not keep those of the next from being saved. (Keras keeps the best of all models.)
    - A metric in the file name that an epoch lacks is written as "none" if `on_missing` lets it be
      missing, as in epochs without validation. (Keras: an error.)

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

    @known_arguments
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
        changed_rules: bool = False,
    ) -> None:
        self.filepath = expanded(filepath, "`ModelCheckpoint(filepath=...)`")
        self._here = Path.cwd()  # the program may change it
        given = save if isinstance(save, Stopper) else None
        is_formatted = type(self)._get_file_path is ModelCheckpoint._get_file_path
        named = path_fields(self.filepath) if is_formatted else ()
        super().__init__(on_missing, backup_dir, given, changed_rules=changed_rules, named=named)
        self.monitor, self.verbose, self.mode = monitor, verbose, mode
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = check_numbers(save_freq, initial_value_threshold)
        self.best = initial_value_threshold
        self.save_top_k = validated(Positive | None, save_top_k, "ModelCheckpoint(save_top_k=...)")
        self._threshold = initial_value_threshold
        self._save, self._resume = save, resume
        self._is_ranking = self._follows_monitor = save_best_only or save_top_k is not None
        is_plain = save_freq == "epoch" and initial_value_threshold is None
        check_rules(save, save_top_k, is_ranking=self._is_ranking, is_plain=is_plain)
        if self._is_ranking:
            check_mode(monitor, mode)
        check_path(self.filepath, weights_only=save_weights_only, is_formatted=is_formatted)
        self._batches = 0  # since the last save
        self._last_batch: int | None = None
        self._current_epoch = 0
        self._knew_best = False  # from an earlier fit

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
        mode = self._direction()
        if mode is None:  # a subclass compares
            return Best(self._counts[0], mode="max", baseline=0.0)
        threshold = None if self._threshold == worst(mode) else self._threshold
        if threshold is not None and math.isinf(threshold):  # nothing is better than that
            return Never()
        return Best(self.monitor, mode=mode, baseline=threshold, dtype=backend_dtype())

    def _resumed(self, stopper: Stopper) -> None:
        saved = self._saved_best(stopper)
        self._best = self.best if saved is None else saved
        self._check_best(stopper)

    def _check_best(self, stopper: Stopper) -> None:
        """Warn now if the file of the best epoch is gone."""
        epoch, metrics = stopper.best_epoch, stopper.best_metrics
        is_named_here = type(self)._get_file_path is ModelCheckpoint._get_file_path
        if epoch is None or self.save_top_k is not None or not self._is_ranking:
            return
        if self.save_freq != "epoch" or not is_named_here:  # its name is not known any more
            return
        path = self._get_file_path(int(epoch), None, metrics)
        if not (self._here / path).exists():
            warnings.warn(
                f"ModelCheckpoint: the file of the best so far, {path!r}, is not there any more; "
                "it is saved again only by a better epoch",
                CheckpointWarning,
                stacklevel=6,
            )

    # A fit begins ----------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        # As in Keras, the best is remembered from one fit to the next.
        self._begin_run()
        self._has_saved = False
        self._knew_best = self._stopper is not None and self._stopper.best_epoch is not None
        self.close()
        if self.save_top_k is not None:
            if are_built(self.model):
                self._open_ranked(self.save_top_k)
        elif self._backup_dir is not None:
            self._backup = Backup(self._backup_dir / "model_checkpoint", "{epoch}")

    def _begin_session(self, epoch: int) -> Session:
        if self.save_top_k is not None and self._backup is None:
            self._open_ranked(self.save_top_k)
        if self._is_other_model and epoch == 0:
            self._begin_anew()
        elif epoch and self.save_best_only:
            self._warn_of_unknown_best(epoch)
        session = super()._begin_session(epoch)
        self._resume = True  # the same callback may continue its files in another fit
        return session

    def _begin_anew(self) -> None:
        """Forget the model of the previous fit, whose best says nothing about this one."""
        if self._given is not None and self._given.checks:
            self._given.reset()
        self._stopper, self.best, self._knew_best = None, self._threshold, False
        self._batches, self._last_batch = 0, None
        if self._is_ranking and "{" not in self.filepath and (self._here / self.filepath).exists():
            warnings.warn(
                "ModelCheckpoint: this fit is of another model than the one before, so that its "
                f"best replaces {self.filepath!r}; give each model a file of its own",
                stacklevel=5,
            )

    def _open_ranked(self, keep_best: int) -> None:
        """Open the files and their ledger, once the direction of the metric is known."""
        folder, name = os.path.split(self.filepath)
        mode = self._direction()
        if mode is None:
            raise RuleError(
                "`ModelCheckpoint(save_top_k=...)` ranks values as numbers, and this subclass "
                "compares them itself, by _is_improvement or monitor_op: use save_best_only"
            )
        settings = {"monitor": self.monitor, "mode": mode, "keep_best": keep_best}
        settings["missing"] = None if self._on_missing == "raise" else "none"
        self._backup = Backup(
            self._here / folder, name, count_from=1, resume=self._resume, **settings
        )

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
        self._current_epoch = epoch
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._should_save_on_batch(batch):
            self._save_model(epoch=self._current_epoch, batch=batch, logs=logs)

    def _should_save_on_batch(self, batch: int) -> bool:
        if self.save_freq == "epoch":
            return False
        # With steps_per_execution not every batch is reported; an epoch counts its own from 0.
        last = -1 if self._last_batch is None or batch <= self._last_batch else self._last_batch
        self._batches += batch - last
        self._last_batch = batch
        if self._batches < int(self.save_freq):
            return False
        self._batches = 0
        return True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs_since_last_save += 1
        if self.save_freq == "epoch":
            self._save_model(epoch=epoch, batch=None, logs=logs)
        session = self._session_at(epoch)
        if self._backup is None:
            return
        last = self._backup.last_epoch
        if last is None or last < epoch:
            self._backup.save(None, epoch, self._state(session))

    def on_train_end(self, logs: Any = None) -> None:
        if self._backup is not None and self.save_top_k is not None:
            self._backup.checkpoints.prune(keep_last=1)
            self.close()
        elif self._is_ranking and self._knew_best and not self._has_saved:
            warnings.warn(
                "ModelCheckpoint: nothing was saved, as no epoch of this fit was better than the "
                "best of an earlier fit with the same model; make a new callback for a new run",
                stacklevel=4,
            )
        self._end_backup()
        wait_for_space()
        self._finish()
