"""Keras callbacks driven by hand, and the runs whose backups are in `tests/data/*/keras/`.

    KERAS_BACKEND=torch python tests/support/keras_runs.py tests/data/0.1.0

writes the backups that this version of the library leaves when a fit is killed half-way. Run it
once per version, before the release, and commit what it wrote; files of a released version never
change. It uses public names only, so that it runs with any version. Tests go on with the runs
below: add runs, but do not change the ones that are here.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

import earlystop as es


class Model:
    """What a callback asks of a model; its only weight is the number of the epoch."""

    stop_training = False
    metrics: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self.epoch = -1
        self.saved: list[int] = []

    def get_weights(self) -> list[Any]:
        return [np.array(float(self.epoch))]

    def set_weights(self, weights: list[Any]) -> None:
        self.epoch = int(weights[0])

    def save(self, path: str, **_: Any) -> None:
        self.saved.append(self.epoch)
        Path(path).write_text(str(self.epoch))

    save_weights = save


def train(callback: Any, logs: list[dict[str, Any]], first: int = 0) -> tuple[int, Model]:
    """Begin a fit and go through its epochs.

    Returns the epoch at which training stopped (-1 if it did not), and the model.
    """
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, metrics in enumerate(logs, first):
        model.epoch = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, dict(metrics))
        if model.stop_training:
            return epoch, model
    return -1, model


# Runs that were killed ----------------------------------------------------------------------------

# Gains of 1e-9 are there in float64 and not in float32.
_LOSS = [4.0, 3.0, 2.0, math.nan, 2.0 - 1e-9, 1.5, 1.75, 1.5 - 1e-9, 1.5, 1.625, 1.625, 1.625]
LOGS = [
    {"loss": 1 / (epoch + 1), "val_loss": loss, "val_accuracy": (epoch * 7 % 12) / 16}
    for epoch, loss in enumerate(_LOSS)
]
KILLED_AFTER = 6  # epochs


class KilledRun(NamedTuple):
    """A callback by the folder that it keeps everything in, and when the fit was killed."""

    callback: Callable[[Path], Any]
    epochs: int = KILLED_AFTER
    has_ended: bool = False  # the callback had seen the end of the fit


def _early_stopping(folder: Path) -> Any:
    return EarlyStopping(
        patience=4,
        min_delta=0.125,
        baseline=3.5,
        start_from_epoch=1,
        restore_best_weights=True,
        backup_dir=folder / "state",
    )


def _early_stopping_by_rules(folder: Path) -> Any:
    return EarlyStopping(
        stop=es.Patience("val_loss", 5) | es.MaxEpochs(11) | es.TimeLimit(1e9),
        save=es.Best("val_accuracy"),
        restore_best_weights=True,
        backup_dir=folder / "state",
    )


def _model_checkpoint(folder: Path) -> Any:
    return ModelCheckpoint(
        folder / "best.keras",
        save_best_only=True,
        initial_value_threshold=3.5,
        backup_dir=folder / "state",
    )


def _model_checkpoint_plain(folder: Path) -> Any:
    return ModelCheckpoint(folder / "best.keras", save_best_only=True, backup_dir=folder / "state")


def _model_checkpoint_ranked(folder: Path) -> Any:
    return ModelCheckpoint(folder / "{epoch:02d}.keras", save_top_k=2, resume=True)


KILLED = {
    "early_stopping": KilledRun(_early_stopping),
    "early_stopping_by_rules": KilledRun(_early_stopping_by_rules),
    "early_stopping_ended": KilledRun(_early_stopping, len(LOGS), has_ended=True),
    "early_stopping_ended_with_its_epochs": KilledRun(_early_stopping, 7, has_ended=True),
    "model_checkpoint": KilledRun(_model_checkpoint),
    "model_checkpoint_plain": KilledRun(_model_checkpoint_plain),
    "model_checkpoint_ranked": KilledRun(_model_checkpoint_ranked),
}


def write(data: Path) -> None:
    """Write what each of the runs above leaves behind."""
    for name, run in KILLED.items():
        with tempfile.TemporaryDirectory() as folder:
            callback = run.callback(Path(folder))
            train(callback, LOGS[: run.epochs])
            if run.has_ended:
                callback.on_train_end()
            # As a kill leaves them: the callback still has the files open.
            ignored = shutil.ignore_patterns(".*")  # the lock
            shutil.copytree(folder, data / "keras" / name, ignore=ignored, dirs_exist_ok=True)
            if not run.has_ended:
                callback.on_train_end()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
