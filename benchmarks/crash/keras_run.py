"""The Keras fit that `kills.py --what keras` kills: our callbacks and BackupAndRestore."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import h5py
import keras
import numpy as np
import torch
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

from earlystop.checkpoints import checkpoint_path, read_ledger

EPOCHS, PATIENCE = 16, 4


class WholeBackup(keras.callbacks.BackupAndRestore):  # type: ignore[misc]  # Keras has no types
    """Keras's own, but with its files there whole or not at all.

    Keras writes over the backup before, the weights first and then the epoch they are of: killed in
    between, a fit is resumed with the weights of one epoch and the number of another. That is none
    of our files, and would hide what becomes of those.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        whole = sorted(x for x in Path(self.backup_dir).glob("epoch-*") if x.suffix != ".new")
        if whole:
            self._look_at(whole[-1])
        super().on_train_begin(logs)

    def _look_at(self, folder: Path) -> None:
        self._weights_path = str(folder / "latest.weights.h5")
        self._training_metadata_path = str(folder / "training_metadata.json")

    def _save_model(self) -> None:
        place = Path(self.backup_dir) / f"epoch-{self._current_epoch:04d}"
        new = place.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        self._look_at(new)
        super()._save_model()
        new.rename(place)
        for other in Path(self.backup_dir).iterdir():
            if other != place:
                shutil.rmtree(other)

    def on_train_end(self, logs: Any = None) -> None:
        gone = Path(f"{self.backup_dir}-gone")
        shutil.rmtree(gone, ignore_errors=True)
        Path(self.backup_dir).rename(gone)
        shutil.rmtree(gone)


class Tell(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    def __init__(self, tell: Callable[[bytes], object], text: bytes) -> None:
        super().__init__()
        self._say: Callable[[], object] = lambda: tell(text)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._say()


class KerasRun:
    """A small network in a `fit`, of which each epoch is saved: by our callbacks and by Keras's."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.x = draw.normal(size=(96, 6)).astype("float32")
        noise = 0.5 * draw.normal(size=(96, 1)).astype("float32")
        self.y = self.x[:, :1] * self.x[:, 1:2] + noise
        self.seed = seed

    def train(self, folder: Path, tell: Callable[[bytes], object]) -> tuple[list[Any], Any]:
        """What came of the fit, and the weights it left."""
        keras.utils.set_random_seed(self.seed)
        model = keras.Sequential(
            [keras.Input((6,)), keras.layers.Dense(64, activation="tanh"), keras.layers.Dense(1)]
        )
        model.compile(keras.optimizers.Adam(0.02), "mse")
        early = EarlyStopping(
            patience=PATIENCE, restore_best_weights=True, backup_dir=folder / "state"
        )
        checkpoint = ModelCheckpoint(
            folder / "best.keras", save_best_only=True, backup_dir=folder / "state"
        )
        model.fit(
            self.x[:64],
            self.y[:64],
            validation_data=(self.x[64:], self.y[64:]),
            epochs=EPOCHS,
            batch_size=16,
            shuffle=False,  # Keras's backup holds no random state
            verbose=0,
            callbacks=[
                Tell(tell, b"("), early, checkpoint, Tell(tell, b")"), WholeBackup(folder / "keras")
            ],
        )  # fmt: skip
        result = [early.best, early.best_epoch, early.stopped_epoch, early.stopped_reason]
        return result, {str(n): torch.tensor(w) for n, w in enumerate(model.get_weights())}

    def loss(self, weights: list[Any]) -> float:
        """By NumPy: no backend is begun in the process that forks."""
        w, b, v, c = weights
        error = np.tanh(self.x[64:] @ w + b) @ v + c - self.y[64:]
        return float((error**2).mean())

    def check(self, folder: Path) -> None:
        """What a fit that was killed has left is whole, and is what the ledgers say."""
        for name in ("early_stopping", "model_checkpoint"):
            entries = read_ledger(folder / "state" / name)
            for entry in entries:
                path = checkpoint_path(folder / "state" / name, entry)
                if path is not None:
                    with np.load(path) as saved:
                        loss = self.loss([saved[key] for key in saved.files])
                    known = entry.state["stopper"]["best_metrics"]["val_loss"]
                    assert np.isclose(loss, known, rtol=1e-5), "not the weights of the ledger"
            if not entries:
                continue
            lowest = entries[-1].state["stopper"]["best_metrics"]["val_loss"]
            if name == "model_checkpoint":  # its file may be one epoch ahead
                loss = self.loss(_weights(folder / "best.keras"))
                assert loss <= lowest * (1 + 1e-5), "worse than the ledger says"
            else:
                best = [entry for entry in entries if entry.best]
                assert best[-1].state["stopper"]["best_metrics"]["val_loss"] == lowest

    def check_end(self, alone: Path, folder: Path) -> None:
        """Both folders hold the same, and nothing that was kept on the way."""
        one, other = (_weights(each / "best.keras") for each in (alone, folder))
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert not list(folder.rglob("*.npz")), "weights were left behind"
        for left in (".new-*", ".placing-*"):
            assert not list(folder.rglob(left)), "a file half written was left behind"


def _weights(path: Path) -> list[Any]:
    with zipfile.ZipFile(path) as archive:
        data = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(data), "r") as file:
        return [
            file["layers"][layer]["vars"][n][()] for layer in ("dense", "dense_1") for n in "01"
        ]
