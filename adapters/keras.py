"""Keras's `EarlyStopping` and `ModelCheckpoint`, by this library's rules, on every backend.

Change the import and a script runs as before, but for the differences that each class lists; or
give the callbacks rules of this library.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import math
import os
import re
import struct
import time
import uuid
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from earlystop._files.atomic import write_whole
from earlystop._files.deferred_close import wait_for_space
from earlystop.checkpoints import Checkpoint, Checkpoints, format_name, write_atomically
from earlystop.engine.stopper import Decision, Stopper, as_floats
from earlystop.errors import (
    CheckpointError,
    MissingMetricError,
    RuleError,
    RuleTypeError,
    StateError,
    name_advice,
)
from earlystop.language.direction import Direction, direction
from earlystop.language.ops import Operation, better, where, worst
from earlystop.language.rule import Rule
from earlystop.language.settings import Count, Positive, validated
from earlystop.language.state import decode_state, number_from_json
from earlystop.rules import ELAPSED, Always, Best, Never, Patience, Warmup

__all__ = ["EarlyStopping", "ModelCheckpoint"]

OnMissing = Literal["auto", "raise", "skip"]

# Accuracy has an old name; scripts ask for either.
_SAME = [
    (prefix + one, prefix + other)
    for prefix in ("", "val_")
    for one, other in (("acc", "accuracy"), ("accuracy", "acc"))
]

# What a stopper decided last, at which epoch, and which callback stepped it (by its id): callbacks
# that share one step it once an epoch.
_latest: weakref.WeakKeyDictionary[Stopper, tuple[int, int, Decision]]
_latest = weakref.WeakKeyDictionary()

# Models (their ids) in a fit that was resumed although its run had been stopped: Keras then begins
# one more epoch all the same, which is to count for nothing.
_over: set[int] = set()

_HERE = uuid.uuid4().hex  # this process
_ENDED = "ended.json"

_FLOAT32 = struct.Struct("f")  # the native one: what is too large becomes infinite


def _rounded(value: Any) -> Any:
    if isinstance(value, (float, int)):  # a third of what NumPy takes for one
        return _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    return np.float32(value)  # of an array it makes one, too


single = Operation(_rounded)
"""`single(value)`: rounded to float32."""


class KerasPatience(Patience):
    """`Patience` with Keras's comparisons, which most of its backends make in float32.

    >>> from earlystop import Patience, Stopper
    >>> for rule in Patience("loss", 2, min_delta=0.1), KerasPatience("loss", 2, min_delta=0.1):
    ...     stopper = Stopper(rule)
    ...     [stopper.step({"loss": np.float32(loss)}).stop for loss in [0.6, 0.5, 0.5]]
    [False, False, False]
    [False, False, True]
    """

    float32: bool = True

    def improves(self, value: Any, reference: Any, min_delta: Any = None) -> Any:
        min_delta = self.min_delta if min_delta is None else min_delta
        return _keras_improves(self, value, reference, min_delta)


class KerasBest(Best):
    """`Best` with Keras's comparisons; `threshold` is what the first best has to beat.

    >>> from earlystop import Never, Stopper
    >>> stopper = Stopper(Never(), save=KerasBest("loss", threshold=0.5))
    >>> [stopper.step({"loss": loss}).save for loss in [0.6, 0.4, 0.4 - 1e-9]]
    [False, True, False]
    """

    threshold: float | None = None
    float32: bool = True

    def init(self) -> Best.State:
        return self.State(best=worst(self.mode) if self.threshold is None else self.threshold)

    def step(
        self, state: Best.State, metrics: Mapping[str, Any], epoch: Any
    ) -> tuple[Best.State, Any]:
        value = metrics[self.monitor]
        improved = _keras_improves(self, value, state.best, self.min_delta)
        return self.State(best=where(improved, value, state.best)), improved


def _keras_improves(
    rule: KerasPatience | KerasBest, value: Any, reference: Any, min_delta: Any
) -> Any:
    gained = value + (min_delta if rule.mode == "min" else -min_delta)
    if rule.float32:
        gained, reference = single(gained), single(reference)
    return better(gained, reference, rule.mode)


class _Callback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """What both callbacks do: they step a stopper, and keep its state where they are told to.

    A fit that is resumed by BackupAndRestore says with which epoch it begins only when that
    begins, and the metrics are there only when it ends: all is made ready at its end.
    """

    def __init__(self, on_missing: OnMissing, backup_dir: str | os.PathLike[str] | None) -> None:
        super().__init__()
        if on_missing not in ("auto", "raise", "skip"):
            raise RuleError(
                f'`{type(self).__name__}(on_missing=...)` must be "auto", "raise" or "skip", '
                f"got {on_missing!r}"
            )
        self._on_missing = on_missing
        self._backup_dir = backup_dir
        self._backup: Checkpoints | None = None
        self._stopper: Stopper | None = None
        self._is_ready = False
        self._offset = 0  # the epoch that the stopper counts as 0
        self._clock = time.monotonic
        self._began, self._elapsed_before = self._clock(), 0.0
        self._needs: set[str] = set()
        self._seen: set[str] = set()
        self._warned = False

    # To be said by each ----------------------------------------------------------------------

    _template = ""  # where metrics are asked for by name

    def _made(self) -> Stopper:
        """The stopper for a run whose first epoch is `_offset`."""
        raise NotImplementedError

    def _resumed(self, stopper: Stopper) -> None:
        """Take up what the stopper knows of the run so far."""

    # The run ---------------------------------------------------------------------------------

    def _open(self, folder: Path, name: str) -> None:
        self._close()
        self._backup = Checkpoints(folder, name, keep_last=2, resume=True)

    def _end_backup(self) -> None:
        """The run has ended; what is kept goes when the process does, or with the next run.

        BackupAndRestore throws its own backup away after this. Killed in between, the fit is
        resumed where it had ended, and must still find what it knew.
        """
        if self._backup is not None:
            folder, name = self._backup.folder, self._backup.name
            write_whole(folder / _ENDED, json.dumps({"process": _process()}).encode())
            weakref.finalize(self, _tidy, folder, name)
        self._close()

    def _close(self) -> None:
        if self._backup is not None:
            self._backup.close()
            self._backup = None

    def _begin_run(self) -> None:
        self._is_ready, self._warned = False, False
        _over.discard(id(self.model))
        self._seen = set()
        self._began, self._elapsed_before = self._clock(), 0.0

    def _get_ready(self, epoch: int) -> Stopper:
        if self._is_ready and self._stopper is not None:
            return self._stopper
        found = None if self._backup is None else _found(self._backup, epoch)
        self._offset = epoch if found is None else _kept(found, "offset", 0)
        if self._stopper is None:
            self._stopper = self._made()
        if found is not None:
            self._stopper.load_state_dict(_kept(found, "stopper", {}))
            self._elapsed_before = number_from_json(_kept(found, "elapsed_seconds", 0.0), "elapsed")
            self._resumed(self._stopper)
        self._needs = {*self._stopper.stop.all_metrics, *self._stopper.save.all_metrics}
        if found is not None:
            self._seen = set(self._needs)  # by the part before
        self._is_ready = True
        return self._stopper

    def _state(self, stopper: Stopper) -> dict[str, Any]:
        return {
            "callback": type(self).__name__,
            "stopper": stopper.state_dict(),
            "offset": self._offset,
            "elapsed_seconds": self._elapsed_seconds(),
        }

    def _elapsed_seconds(self) -> float:
        """The time since the run began, the parts before a resumption included."""
        return self._elapsed_before + self._clock() - self._began

    # One epoch -------------------------------------------------------------------------------

    def _values(self, stopper: Stopper, logs: Mapping[str, Any] | None) -> dict[str, float]:
        """The metrics of an epoch, those that are missing taken as they are meant."""
        values: dict[str, float] = {}
        for name, value in (logs or {}).items():
            if type(value) is float:
                values[name] = value
            elif value is not None and (name in self._needs or not np.ndim(value)):
                values.update(as_floats({name: value}))
        for name, other in _SAME:
            if name in values and (other in self._needs or f"{{{other}" in self._template):
                values.setdefault(other, values[name])
        if ELAPSED not in values:
            values[ELAPSED] = self._elapsed_seconds()
        if not self._seen >= self._needs:
            self._seen.update(values)
        if self._on_missing != "skip" and not self._needs <= values.keys() and self._owns(stopper):
            self._check_missing(sorted(self._needs - values.keys()), logs or {})
        return values

    def _step(self, stopper: Stopper, epoch: int, values: dict[str, float]) -> Decision | None:
        """The decision; None after a stop: a run that was killed then, and resumed, goes on so."""
        if not self._owns(stopper):
            at, by, decision = _latest.get(stopper, (None, None, None))
            if at == epoch and by != id(self):
                return decision
        if stopper.stopped:  # and the fit goes on: nobody called `on_epoch_begin`
            self.model.stop_training = True
            return None
        decision = stopper.step(values)
        if not self._owns(stopper):
            _latest[stopper] = epoch, id(self), decision
        if decision.stop:
            self.model.stop_training = True
        return decision

    def _owns(self, stopper: Stopper) -> bool:
        """Was it made here? One that was given has an `on_missing` of its own."""
        return True

    def _check_missing(self, missing: list[str], logs: Mapping[str, Any]) -> None:
        what = f"{type(self).__name__}: no metric {missing[0]!r}: {name_advice(missing[0], logs)}"
        is_validated = any(name.startswith("val_") for name in logs)
        is_expected = all(name.startswith("val_") for name in missing) and not is_validated
        if self._on_missing == "raise" or not is_expected:
            raise MissingMetricError(what)
        if not self._warned and not set(missing) <= self._seen:
            self._warned = True
            warnings.warn(
                f"{what}. Epochs without validation (validation_freq) do not count; if there is "
                "none at all, this is an error at the end",
                stacklevel=4,
            )

    def _check_seen(self) -> None:
        """At the end: a metric that no epoch reported is not one that some epochs lacked."""
        for name in sorted(self._needs - self._seen if self._warned else ()):
            raise MissingMetricError(
                f"{type(self).__name__}: no epoch reported the metric {name!r}: "
                f"{name_advice(name, self._seen - {ELAPSED})}; pass validation_data to `fit`"
            )


class EarlyStopping(_Callback):
    """Keras's `EarlyStopping`, and one by any rule.

    The first eight arguments are Keras's, with its defaults. Instead of those that decide:

    stop: a rule that ends the run, or a `Stopper`, whose two rules are taken; a Stopper that is
        also given to a `ModelCheckpoint` decides once for both.
    save: next to a `stop` rule, the rule that says which epoch is the best.
    on_missing: an epoch without a rule's metric. "auto": an error that lists the metrics there
        are, unless the whole epoch had no validation and others have. "raise": always one. "skip":
        never one.
    backup_dir: a folder, not that of BackupAndRestore, where the state and the best weights are
        kept during `fit`. A fit that BackupAndRestore resumes then goes on counting, and knows
        the best there was. List this callback before BackupAndRestore. Once the fit has ended,
        what is kept goes with the callback, or when the process ends.

    What Keras's callback is asked for is here, too: `best`, `best_epoch`, `wait`, `stopped_epoch`,
    `best_weights`; and `stopped_reason`, in which, as in the two before, epochs count from 0.

    Decisions are Keras's, comparisons in the backend's float32 included. On purpose, they differ
    in this:

    - A NaN, or an infinity on the wrong side, is no improvement, not even in the first epoch.
      (Keras makes it the best, and nothing ever improves on it.)
    - Until a `baseline` is beaten, `patience` epochs end the run, be it the first, whether or not
      the metric creeps towards it. (Keras goes on while every epoch is better than the best.)
    - A metric that is not there is an error. (Keras warns, and never stops.)
    - An unknown mode is an error (Keras: a warning), and so is a negative patience (Keras: 0).
    - mode="auto" goes by the name of a metric of which Keras cannot tell (Keras: an error).
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
        on_missing: OnMissing = "auto",
        backup_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(on_missing, backup_dir)
        self.monitor, self.min_delta, self.patience = monitor, abs(min_delta), patience
        self.verbose, self.mode, self.baseline = verbose, mode, baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._stop, self._save = stop, save
        if stop is None:
            if save is not None:
                raise RuleError("`EarlyStopping(save=...)` goes with `stop=...`: give that, too")
            self._keras_stopper("min" if mode == "auto" else mode, 0)  # refuses what is wrong
        else:
            given = (monitor, min_delta, patience, mode, baseline, start_from_epoch)
            if given != ("val_loss", 0, 0, "auto", None, 0):
                raise RuleError(
                    "`EarlyStopping(stop=...)` takes the place of monitor, min_delta, patience, "
                    "mode, baseline and start_from_epoch: leave those out"
                )
            chosen = stop if isinstance(stop, Stopper) else Stopper(stop, save)
            if isinstance(stop, Stopper) and save is not None:
                raise RuleError("`EarlyStopping(stop=..., save=...)`: a Stopper has its own save")
            if restore_best_weights and isinstance(chosen.save, Never):
                raise RuleError(
                    "`EarlyStopping(stop=..., restore_best_weights=True)` needs to know which are "
                    "the best: pass save=Best('val_loss'), or whichever it is"
                )
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None
        self._left: list[Any] | None = None  # the weights where a run had been stopped
        self.stopped_epoch = 0

    def _owns(self, stopper: Stopper) -> bool:
        return stopper is not self._stop

    def _keras_stopper(self, mode: Any, offset: int) -> Stopper:
        start = validated(Count, self.start_from_epoch, "EarlyStopping(start_from_epoch=...)")
        start = max(start - offset, 0)
        try:
            stop = KerasPatience(
                self.monitor,
                patience=self.patience,
                min_delta=self.min_delta,
                mode=mode,
                baseline=self.baseline,
                start_from_epoch=start,
                float32=_in_float32(),
            )
            save: Rule = KerasBest(
                self.monitor, mode=mode, min_delta=self.min_delta, float32=_in_float32()
            )
        except RuleError as error:  # name what was called
            text = re.sub(r"`Keras(Patience|Best)\(", "`EarlyStopping(", str(error))
            raise type(error)(text) from None
        return Stopper(stop, Warmup(save, start) if start else save, on_missing="skip")

    def _made(self) -> Stopper:
        if isinstance(self._stop, Stopper):
            return self._stop
        if self._stop is not None:
            return Stopper(self._stop, self._save, on_missing="skip")
        mode = _mode(self.model, self.monitor, self.mode, "EarlyStopping")
        return self._keras_stopper(mode, self._offset)

    # The run ---------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        self._begin_run()
        self._forget()
        self._stopper = None
        if isinstance(self._stop, Stopper):
            self._stop.reset()
            _latest.pop(self._stop, None)
        if self._backup_dir is not None:
            self._open(Path(self._backup_dir) / "early_stopping", "best-{epoch:04d}.npz")

    def _resumed(self, stopper: Stopper) -> None:
        if stopper.best_epoch is not None:
            self.best_epoch = stopper.best_epoch + self._offset
            self.best = (stopper.best_metrics or {}).get(_monitor(stopper.save))
        if stopper.stopped:
            self.stopped_epoch = stopper.epoch - 1 + self._offset

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._backup is not None and not self._is_ready and _was_stopped(self._backup, epoch):
            self.model.stop_training = True
            self._left = self.model.get_weights()
            _over.add(id(self.model))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        stopper = self._get_ready(epoch)
        if id(self.model) in _over:
            if self._backup is not None:  # which must be as far as that of BackupAndRestore
                self._backup.save(None, epoch=epoch, state=self._state(stopper))
            return
        values = self._values(stopper, logs)
        decision = self._step(stopper, epoch, values)
        if decision is None:
            return
        if decision.save:
            self.best_epoch, self.best = epoch, values.get(_monitor(stopper.save))
        keeps = decision.save and self.restore_best_weights
        if keeps and self._backup is None:
            self.best_weights = self.model.get_weights()
        if self._backup is not None:
            self._backup.save(
                (lambda path: _write_weights(path, self.model)) if keeps else None,
                epoch=epoch,
                best=decision.save,
                state=self._state(stopper),
            )
        if decision.stop:
            self.stopped_epoch = epoch

    def on_train_end(self, logs: Any = None) -> None:
        self._read_best()
        if self._left is not None:
            self.model.set_weights(self._left)
            _over.discard(id(self.model))
        if self.stopped_reason and self.verbose > 0:
            _say(f"Epoch {self.stopped_epoch + 1}: early stopping: {self._reason_from_1()}")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                _say(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)
        self._end_backup()
        self._check_seen()

    def _read_best(self) -> None:
        """The best weights there are, from where they were kept."""
        if self._backup is None:
            return
        last = self._backup.last
        if last is not None and not self._is_ready:  # resumed when nothing was left to do
            self._get_ready(last.epoch + 1)
        path = self._backup.best_path
        self.best_weights = None if path is None else _read_weights(path, self.model)

    @property
    def wait(self) -> int:
        """How many epochs there have been without improvement; 0 with rules that do not wait."""
        if self._stopper is None or not isinstance(self._stopper.stop, Patience):
            return 0
        return int(self._stopper.state_dict()["stop_state"]["wait"])

    @property
    def stopped_reason(self) -> str:
        """Why it stopped the run; empty while it has not. Epochs count from 0."""
        return "" if self._stopper is None else self._stopper.reason

    def _reason_from_1(self) -> str:
        """The reason with epochs as Keras prints them."""
        first = self._offset + 1
        return re.sub(
            r"\(epoch (\d+)\)", lambda m: f"(epoch {int(m[1]) + first})", self.stopped_reason
        )


class ModelCheckpoint(_Callback):
    """Keras's `ModelCheckpoint`, and one by any rule; no file is ever left half-written.

    The first eight arguments are Keras's, with its defaults. Further:

    save: a rule that says which epochs to save (instead of `save_best_only`), or the `Stopper`
        that an `EarlyStopping` has, too: then what one restores is what the other has saved.
    save_top_k: keep the k best, by `monitor`, and delete the others. The file name must have
        {epoch} in it; a ledger, checkpoints.json, is kept beside the files.
    resume: with `save_top_k`: go on with the folder of an earlier fit, which is refused else.
    on_missing: as in `EarlyStopping`.
    backup_dir: as in `EarlyStopping`; without it a fit that is resumed knows nothing of the best
        so far, and warns where it may write over it. (With `save_top_k`, the ledger does.)

    A file is written under another name first, brought to the disk, and then takes the place of
    the one before. The names of folders that are written in braces, too, cannot lead out of the
    folders that are written out.

    Decisions are Keras's, comparisons in the backend's float32 included. On purpose, they differ
    in this:

    - A NaN, or an infinity on the wrong side, is never the best. (Keras saves it if it comes
      first, and then never again.)
    - With save_best_only a metric that is not there is an error, or with `on_missing` an epoch
      that is not saved. (Keras warns and saves, over the best.) So is one that is no number.
    - An unknown mode is an error (Keras: a warning), and so is a threshold that is NaN (Keras: it
      never saves).
    - mode="auto" goes by the name of a metric of which Keras cannot tell (Keras: an error).
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
        on_missing: OnMissing = "auto",
        backup_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(on_missing, backup_dir)
        self.filepath = self._template = os.fspath(filepath)
        self.monitor, self.verbose, self.mode = monitor, verbose, mode
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self.save_top_k = validated(Positive | None, save_top_k, "ModelCheckpoint(save_top_k=...)")
        self._threshold = initial_value_threshold
        self._save, self._resume = save, resume
        self._check_arguments()
        self._batches = 0
        self._last_batch: int | None = None
        self._epoch = 0

    def _check_arguments(self) -> None:
        if self.save_freq != "epoch":
            self.save_freq = validated(Positive, self.save_freq, "ModelCheckpoint(save_freq=...)")
        if not isinstance(self._save, (Rule, Stopper)) and self._save is not None:
            raise RuleTypeError(
                f"`ModelCheckpoint(save=...)` must be a rule or a Stopper, got {self._save!r}"
            )
        if self._save is not None and (self.save_best_only or self.save_top_k):
            raise RuleError(
                "`ModelCheckpoint(save=...)` takes the place of save_best_only and save_top_k: "
                "give one of them"
            )
        if self.save_top_k and (self.save_freq != "epoch" or self._threshold is not None):
            raise RuleError(
                "`ModelCheckpoint(save_top_k=...)` looks at whole epochs, and at all of them: "
                "leave out save_freq and initial_value_threshold"
            )
        threshold = self._threshold
        if threshold is not None and not math.isinf(threshold):
            validated(float, threshold, "ModelCheckpoint(initial_value_threshold=...)")
        if self._ranks and self.mode not in ("auto", "min", "max"):
            direction(self.monitor, self.mode, "ModelCheckpoint")  # says what is wrong
        endings = (".weights.h5",) if self.save_weights_only else (".keras", ".h5", ".hdf5")
        if not self.filepath.endswith(endings):
            raise RuleError(
                f"`ModelCheckpoint(filepath=...)` must end in {' or '.join(endings)} with "
                f"save_weights_only={self.save_weights_only}, got {self.filepath!r}"
            )
        if "://" in self.filepath:
            raise RuleError(
                f"`ModelCheckpoint(filepath=...)` must be of a local file, got {self.filepath!r}"
            )

    @property
    def _ranks(self) -> bool:
        return self.save_best_only or self.save_top_k is not None

    def _owns(self, stopper: Stopper) -> bool:
        return stopper is not self._save

    def _made(self) -> Stopper:
        if isinstance(self._save, Stopper):
            return self._save
        if self._save is not None:
            return Stopper(Never(), self._save, on_missing="skip")
        if not self._ranks:
            return Stopper(Never(), Always(), on_missing="skip")
        mode = _mode(self.model, self.monitor, self.mode, "ModelCheckpoint")
        threshold = self._threshold
        save: Rule = Never()  # an infinite threshold: one that all beat, or none
        if threshold is None or math.isfinite(threshold) or threshold == worst(mode):
            save = KerasBest(
                self.monitor,
                mode=mode,
                threshold=None if threshold == worst(mode) else threshold,
                float32=_in_float32(),
            )
        return Stopper(Never(), save, on_missing="skip")

    # The run ---------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        # The best is not forgotten from one fit to the next, as in Keras.
        self._begin_run()
        if isinstance(self._save, Stopper):
            _latest.pop(self._save, None)
        if self.save_top_k is None and self._backup_dir is not None:
            self._open(Path(self._backup_dir) / "model_checkpoint", "{epoch}")

    def _open_ranked(self) -> Checkpoints:
        """The files and their ledger; opened once the direction of the metric is known."""
        folder, name = os.path.split(self.filepath)
        mode = _mode(self.model, self.monitor, self.mode, "ModelCheckpoint")
        self._close()
        return Checkpoints(
            folder or ".",
            name,
            monitor=self.monitor,
            mode=mode,
            keep_best=self.save_top_k or 1,
            keep_last=2,
            count_from=1,
            resume=self._resume,
        )

    def _get_ready(self, epoch: int) -> Stopper:
        if not self._is_ready and self.save_top_k is not None:
            self._backup = self._open_ranked()
            self._resume = True  # by this very object
        if epoch and self.save_best_only and not self._is_ready:
            self._warn_of_unknown(epoch)
        return super()._get_ready(epoch)

    def _warn_of_unknown(self, epoch: int) -> None:
        """A fit that does not begin with the first epoch may have a best that it cannot know."""
        knows = self._backup is not None or self.best is not None
        if not knows and "{" not in self.filepath and os.path.exists(self.filepath):
            warnings.warn(
                f"ModelCheckpoint: this fit begins with epoch {epoch + 1}, and how good the model "
                f"in {self.filepath!r} is nobody knows: a worse one may take its place. Pass "
                "backup_dir=... to go on with the best, or initial_value_threshold=...",
                stacklevel=5,
            )

    def _resumed(self, stopper: Stopper) -> None:
        kept = (stopper.best_metrics or {}).get(_monitor(stopper.save))
        self.best = self.best if kept is None else kept

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            return
        # With steps_per_execution not every batch is told of; numbers begin anew in an epoch.
        last = -1 if self._last_batch is None or batch <= self._last_batch else self._last_batch
        self._batches += batch - last
        self._last_batch = batch
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._consider(self._epoch, logs, batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._consider(epoch, logs)
        stopper = self._get_ready(epoch)
        last = None if self._backup is None else self._backup.last
        if self._backup is not None and (last is None or last.epoch < epoch):
            self._backup.save(None, epoch=epoch, state=self._state(stopper))

    def on_train_end(self, logs: Any = None) -> None:
        if self._backup is not None and self.save_top_k is not None:
            self._backup.prune(keep_last=1)  # of which, if it is none of the best, only the state
            self._close()
        self._end_backup()
        wait_for_space()
        self._check_seen()

    # One save --------------------------------------------------------------------------------

    def _consider(self, epoch: int, logs: Any, batch: int | None = None) -> None:
        if id(self.model) in _over:
            return
        stopper = self._get_ready(epoch)
        values = self._values(stopper, logs)
        decision = self._step(stopper, epoch, values)
        if decision is None:
            return
        if self._backup is not None and self.save_top_k is not None:
            self._save_ranked(self._backup, stopper, decision, epoch, values)
            return
        monitor = _monitor(stopper.save)
        value = values.get(monitor)
        if not decision.save:
            if value is not None and self.verbose > 0:
                before = _shown(self.best, value)[0]
                _say(f"\nEpoch {epoch + 1}: {monitor} did not improve from {before}")
            return
        names = {"batch": (batch or 0) + 1, **values, "epoch": epoch + 1}
        path = _path(self.filepath, names)
        what = ""
        if value is not None:
            before, now = _shown(self.best, value)
            what = f"{monitor} improved from {before} to {now}, "
        if self.verbose > 0:
            _say(f"\nEpoch {epoch + 1}: {what}saving model to {path}")
        write_atomically(path, self._write)
        if self.verbose > 0:
            _say(f"\nEpoch {epoch + 1}: finished saving model to {path}")
        self.best = self.best if value is None else value

    def _save_ranked(
        self,
        ranked: Checkpoints,
        stopper: Stopper,
        decision: Decision,
        epoch: int,
        values: dict[str, float],
    ) -> None:
        is_top = ranked.ranks(values)
        path = ranked.save(
            self._write if is_top else None,
            epoch=epoch,
            metrics=values,
            best=decision.save,
            state=self._state(stopper),
        )
        if decision.save:
            self.best = values[self.monitor]
        if self.verbose > 0:
            what = f"saved to {path}" if path is not None else "not saved"
            among = "" if is_top else "not "
            _say(
                f"\nEpoch {epoch + 1}: {self.monitor} {values.get(self.monitor, 'missing')} is "
                f"{among}among the best {self.save_top_k}, {what}"
            )

    def _write(self, path: Path) -> None:
        if self.save_weights_only:
            self.model.save_weights(str(path), overwrite=True)
        else:
            self.model.save(str(path), overwrite=True)


# What Keras has -----------------------------------------------------------------------------------


def _mode(model: Any, monitor: str, mode: str, owner: str) -> Direction:
    """The direction of a metric: as compiled, or by its name."""
    if mode != "auto":
        return direction(monitor, mode, owner)
    name = monitor.removeprefix("val_")
    found: Direction | None = "min" if name == "loss" else None
    names = {name, {"acc": "accuracy", "accuracy": "acc"}.get(name, name)}
    for metric in _flat(getattr(model, "metrics", [])):
        told = getattr(metric, "_direction", None)
        if metric.name in names and told is not None:
            found = "max" if told == "up" else "min"
    return found or direction(monitor, "auto", owner)


def _in_float32() -> bool:
    return bool(keras.backend.backend() != "numpy")


def _monitor(rule: Rule) -> str:
    """The metric of the `Best` in a rule; empty if there is none."""
    if isinstance(rule, Best):
        return rule.monitor
    return next((name for name in map(_monitor, rule.children) if name), "")


def _path(filepath: str, values: Mapping[str, Any]) -> Path:
    """The path with its fields filled in; each part that has one remains one name."""
    return Path("".join(format_name(p, values) if "{" in p else p for p in _parts(filepath)))


@functools.lru_cache(maxsize=64)
def _parts(filepath: str) -> tuple[str, ...]:
    """The names in a path, and what separates them, which a field may have in it."""
    return tuple(re.split(rf"([/{re.escape(os.sep)}])(?![^{{}}]*\}})", filepath))


def _process() -> str:
    return f"{_HERE}-{os.getpid()}"  # a forked process is another


def _ended(folder: Path) -> str | None:
    """The process in which the run of a folder ended; None while it goes on."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return str(json.loads((folder / _ENDED).read_bytes())["process"])
    return None


def _tidy(folder: Path, name: str) -> None:
    """Delete what was kept of a run that ended in this process, unless there is another by now."""
    if _ended(folder) != _process():
        return
    with (
        contextlib.suppress(CheckpointError),  # another run has the folder: it tidies up
        Checkpoints(folder, name, keep_last=2, resume=True) as backup,
    ):
        backup.rewind(-1)
        (folder / _ENDED).unlink(missing_ok=True)


def _was_stopped(backup: Checkpoints, epoch: int) -> bool:
    """Had the run been stopped that is resumed with this epoch?"""
    last = backup.last
    if last is None or last.epoch != epoch - 1 or _ended(backup.folder) == _process():
        return False
    return bool(_kept(last, "stopper", {})["stopped"])


def _found(backup: Checkpoints, epoch: int) -> Checkpoint | None:
    """What was kept of the run that this epoch goes on with."""
    last = backup.last
    ended = _ended(backup.folder)
    if ended is not None:
        if ended == _process() or last is None or last.epoch != epoch - 1:
            backup.rewind(-1)  # this is another run
            last = None
        (backup.folder / _ENDED).unlink()
    if last is not None and last.epoch > epoch:
        raise CheckpointError(
            f"the folder {str(backup.folder)!r} holds a run of {last.epoch + 1} epochs, and this "
            f"fit begins with epoch {epoch + 1}: choose another folder, or go on with that run "
            "(BackupAndRestore does, or initial_epoch=...)"
        )
    backup.rewind(epoch - 1)  # a run may be killed when this is saved and Keras's backup is not
    last = backup.last
    if last is not None and last.epoch < epoch - 1:
        raise CheckpointError(
            f"the folder {str(backup.folder)!r} holds a run of {last.epoch + 1} epochs, and this "
            f"fit begins with epoch {epoch + 1}: list this callback before BackupAndRestore, and "
            "choose another folder"
        )
    return last


def _kept(found: Checkpoint, key: str, shape: Any) -> Any:
    if not isinstance(found.state, dict) or key not in found.state:
        raise StateError(f"the state of epoch {found.epoch} is not of a callback: no {key!r}")
    value = found.state[key]
    return value if isinstance(shape, (dict, float)) else decode_state(value, shape, key)


def _flat(metrics: Any) -> list[Any]:
    flat: list[Any] = []
    for metric in metrics:
        inside = getattr(metric, "metrics", None)  # those that were compiled come as one
        flat += [metric] if inside is None else _flat(inside)
    return flat


def _write_weights(path: Path, model: Any) -> None:
    """The weights as NumPy has them; of other types, such as bfloat16, the bytes."""
    with open(path, "wb") as file:
        arrays = [np.asarray(array) for array in model.get_weights()]
        np.savez(file, *[x if x.dtype.isbuiltin else x.view(f"u{x.itemsize}") for x in arrays])


def _read_weights(path: Path, model: Any) -> list[Any]:
    types = [np.asarray(array).dtype for array in model.get_weights()]
    with np.load(path, allow_pickle=False) as saved:
        return [saved[f"arr_{n}"].view(dtype) for n, dtype in enumerate(types)]


def _say(message: str) -> None:
    """Where Keras's own callbacks say what they do."""
    if keras.config.is_interactive_logging_enabled():
        print(message, flush=True)
    else:
        logging.getLogger("absl").info(message)


def _shown(before: float | None, now: float) -> tuple[str, str]:
    """Two values, in as many digits as tell them apart."""
    if before is None:
        return "None", f"{now:.5f}"
    texts = f"{before:.5f}", f"{now:.5f}"
    return texts if texts[0] != texts[1] or before == now else (f"{before:.9g}", f"{now:.9g}")
