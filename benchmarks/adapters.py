"""What the adapters cost in an epoch: callbacks beside Keras's, `Training` beside a bare loop.

    python benchmarks/adapters.py

Keras: each callback runs in real `fit` calls, alone; what is measured is the time in its
`on_epoch_end`. PyTorch: what stands at the end of an epoch in a loop is measured, without the
training. The medians over the epochs of all fits and loops, which take turns.

Files are saved in --folder, which should be on a disk: `os.fsync` costs nothing elsewhere. Ours are
brought to the disk before they take the place of the ones before; Keras's are not, and neither are
those of most loops, so there are rows for the same with one `os.fsync` a file.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint
from earlystop.adapters.torch import Training
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import earlystop as es

KerasEarlyStopping = keras.callbacks.EarlyStopping
KerasModelCheckpoint = keras.callbacks.ModelCheckpoint
NEVER = 10**6


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
    """Keras's, which brings each file to the disk."""

    def _save_model(self, epoch: int, batch: Any, logs: Any) -> None:
        before = self.best
        super()._save_model(epoch=epoch, batch=batch, logs=logs)
        if not self.save_best_only or self.best != before:
            with open(self.filepath, "r+b") as file:
                os.fsync(file.fileno())


def fit(make: Callable[[], Any], epochs: int) -> list[float]:
    """The seconds that a callback took at the end of each epoch of a real fit."""
    callback = make()
    seconds: list[float] = []
    end = callback.on_epoch_end

    def timed(epoch: int, logs: Any = None) -> None:
        began = time.perf_counter()
        end(epoch, logs)
        seconds.append(time.perf_counter() - began)

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


def torch_model() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 64), torch.nn.Linear(64, 1)
    )


def losses(epochs: int) -> list[torch.Tensor]:
    noise = np.random.default_rng(1).normal(size=epochs) / 30
    return [torch.tensor(1 / (1 + epoch / 10) + noise[epoch]) for epoch in range(epochs)]


def timed(step: Callable[[torch.Tensor], Any], epochs: int) -> list[float]:
    seconds = []
    for loss in losses(epochs):
        began = time.perf_counter()
        step(loss)
        seconds.append(time.perf_counter() - began)
    return seconds[5:]


def bare(model: torch.nn.Module, keep: Callable[[bool], Any]) -> Callable[[torch.Tensor], None]:
    """What stands in a loop written by hand: `keep` is told whether the epoch is the best."""
    best, wait = float("inf"), 0

    def step(loss: torch.Tensor) -> None:
        nonlocal best, wait
        value = loss.item()
        is_best = value < best
        best, wait = (value, 0) if is_best else (best, wait + 1)
        keep(is_best)

    return step


def in_memory_bare(epochs: int, folder: Path) -> list[float]:
    model = torch_model()
    kept: Any = None

    def keep(is_best: bool) -> None:
        nonlocal kept
        if is_best:
            kept = copy.deepcopy(model.state_dict())

    return timed(bare(model, keep), epochs)


def in_memory_ours(epochs: int, folder: Path) -> list[float]:
    training = Training(es.EarlyStopping("loss", patience=NEVER), torch_model())
    return timed(lambda loss: training.step(loss=loss), epochs)


def on_disk_bare(epochs: int, folder: Path, careful: bool = False) -> list[float]:
    """All that a run needs to go on, after each epoch; the best once more."""
    model = torch_model()
    optimizer = torch.optim.Adam(model.parameters())

    def put(name: str) -> None:
        with open(folder / f"{name}.new", "wb") as file:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
            if careful:
                file.flush()
                os.fsync(file.fileno())
        os.replace(folder / f"{name}.new", folder / name)

    def keep(is_best: bool) -> None:
        put("last.pt")
        if is_best:
            put("best.pt")

    return timed(bare(model, keep), epochs)


def on_disk_ours(epochs: int, folder: Path) -> list[float]:
    model = torch_model()
    optimizer = torch.optim.Adam(model.parameters())
    with (
        tempfile.TemporaryDirectory(dir=folder) as run,
        Training(
            es.EarlyStopping("loss", patience=NEVER), model, optimizer=optimizer, folder=run
        ) as training,
    ):
        return timed(lambda loss: training.step(loss=loss), epochs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        rows: dict[str, Callable[[], list[float]]] = {}
        for case, pair in keras_cases(folder).items():
            for whose, make in zip(("ours", "Keras's", "Keras's that syncs"), pair, strict=False):
                rows[f"{case}: {whose}"] = lambda make=make: fit(make, arguments.epochs)  # type: ignore[misc]
        for case, run in {
            "Training, best in memory: ours": in_memory_ours,
            "Training, best in memory: a bare loop": in_memory_bare,
            "Training, all on disk: ours": on_disk_ours,
            "Training, all on disk: a bare loop": on_disk_bare,
            "Training, all on disk: a bare loop that syncs": lambda epochs, folder: on_disk_bare(
                epochs, folder, careful=True
            ),
        }.items():
            rows[case] = lambda run=run: run(arguments.epochs, folder)  # type: ignore[misc]
        seconds: dict[str, list[float]] = {what: [] for what in rows}
        for _ in range(arguments.repeats):
            for what, measure in rows.items():
                seconds[what] += measure()
    table = Table(
        title=f"Cost at the end of an epoch ({arguments.epochs} epochs, {arguments.repeats} times)",
        caption=f"Python {platform.python_version()}, Keras {keras.__version__} "
        f"({keras.backend.backend()}), PyTorch {torch.__version__}",
        box=SIMPLE_HEAD,
    )
    table.add_column("what")
    for heading in ("median, us", "mean, us"):
        table.add_column(heading, justify="right")
    for what, times in seconds.items():
        median, mean = statistics.median(times) * 1e6, statistics.mean(times) * 1e6
        table.add_row(what, f"{median:.0f}", f"{mean:.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
