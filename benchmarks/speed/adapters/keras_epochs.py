"""What our callbacks for Keras take at the end of an epoch, beside Keras's.

Each callback runs in real `fit` calls, alone; what is measured is the time in its `on_epoch_end`.
In the rows that say so it is the whole epoch. Our files are synced to the disk before they replace
the previous ones; Keras's are not: there are rows for Keras's with an `os.fsync` per file.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

from .measured import NEVER, Case

__all__ = ["cases"]

KerasEarlyStopping = keras.callbacks.EarlyStopping
KerasModelCheckpoint = keras.callbacks.ModelCheckpoint


def keras_cases(folder: Path) -> dict[str, tuple[Callable[[], Any], ...]]:
    """Ours, Keras's, and Keras's with a sync, as functions that make one."""

    def best(kind: Any) -> Any:
        return kind(folder / "best.keras", save_best_only=True)

    def every(kind: Any) -> Any:
        return kind(folder / "m.weights.h5", save_weights_only=True)

    return {
        "EarlyStopping": (
            lambda: EarlyStopping(patience=NEVER),
            lambda: KerasEarlyStopping(patience=NEVER),
        ),
        "EarlyStopping, restoring": (
            lambda: EarlyStopping(patience=NEVER, restore_best_weights=True),
            lambda: KerasEarlyStopping(patience=NEVER, restore_best_weights=True),
        ),
        "ModelCheckpoint, best only": (
            lambda: best(ModelCheckpoint),
            lambda: best(KerasModelCheckpoint),
            lambda: best(Syncing),
        ),
        "ModelCheckpoint, weights of every epoch": (
            lambda: every(ModelCheckpoint),
            lambda: every(KerasModelCheckpoint),
            lambda: every(Syncing),
        ),
    }


class Syncing(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]  # Keras has no types
    """Keras's, which syncs each file to the disk."""

    def _save_model(self, epoch: int, batch: Any, logs: Any) -> None:
        before = self.best
        super()._save_model(epoch=epoch, batch=batch, logs=logs)
        if not self.save_best_only or self.best != before:
            with open(self.filepath, "r+b") as file:
                os.fsync(file.fileno())


def fit(make: Callable[[], Any], epochs: int, whole: bool) -> list[float]:
    """The seconds that a callback took at the end of each epoch of a real fit, or all of it."""
    callback = make()
    seconds: list[float] = []
    end = callback.on_epoch_end
    ended = time.perf_counter()

    def timed(epoch: int, logs: Any = None) -> None:
        nonlocal ended
        began = ended if whole else time.perf_counter()
        end(epoch, logs)
        ended = time.perf_counter()
        seconds.append(ended - began)

    callback.on_epoch_end = timed
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(1).normal(size=(64, 8)).astype("float32")
    y = x[:, :1]
    model = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(
        x, y, batch_size=64, validation_data=(x, y), epochs=epochs, verbose=0, callbacks=[callback]
    )
    return seconds[5:]


def cases(folder: Path, epochs: int, repeats: int) -> list[Case]:
    """All rows."""
    rows = []
    for what, makes in keras_cases(folder).items():
        for whole in (False, True)[: 1 + (len(makes) == 3)]:
            whose = ("ours", "Keras's", "Keras's that syncs")
            runs = {
                name: functools.partial(fit, make, epochs, whole)
                for name, make in zip(whose, makes, strict=False)
            }
            title = f"Keras: {what}{', whole epochs' if whole else ''}"
            rows.append(Case(title, runs, repeats))
    return rows
