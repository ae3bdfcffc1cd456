"""What the adapters cost in an epoch: callbacks beside Keras's, `Training` beside a bare loop.

    python -m benchmarks.speed.adapters

Keras: each callback runs in real `fit` calls, alone; what is measured is the time in its
`on_epoch_end`. PyTorch: a small model is trained, and what stands at the end of an epoch is
measured. In the rows that say so it is the whole epoch, which has in it what is done beside the
training. All fits and loops take turns, forwards and backwards; of each epoch, which is the same
every time, the fastest counts, so that what else the machine does is left out; then the mean and
the median of the epochs. A loop's epochs in which there is a new best cost more than others: the
mean is what a run pays, the median what an epoch without a new best costs.

The rivals of `Training`: a naive loop reads the loss, compares it, and copies or writes the model.
A loop that does the same job also keeps what the best epoch was and its metrics, the time, and a
copy on the CPU; on the disk, it writes the state of its decisions, too, and what it writes survives
a loss of power: each file is brought to the disk, takes the place of the one before, and then the
folder is brought to the disk. (What it does not do: keep the files and that state in step.)

Files are saved in --folder, which should be on a disk: `os.fsync` costs nothing elsewhere. Ours are
brought to the disk before they take the place of the ones before; Keras's are not, so there are
rows for Keras's with one `os.fsync` a file.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
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


def torch_model(width: int = 256) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(64, width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, width // 4),
        torch.nn.Linear(width // 4, 1),
    )


def losses(epochs: int) -> list[torch.Tensor]:
    noise = np.random.default_rng(1).normal(size=epochs) / 30
    return [torch.tensor(1 / (1 + epoch / 10) + noise[epoch]) for epoch in range(epochs)]


def epoch_of(model: torch.nn.Module) -> Callable[[], None]:
    """What trains a small model for an epoch: 20 batches of 32."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    x = torch.linspace(-1, 1, 32 * 64).reshape(32, 64)

    def train() -> None:
        for _ in range(20):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()

    return train


def timed(step: Callable[[torch.Tensor], Any], epochs: int, whole: bool) -> list[float]:
    """The seconds that a step took at the end of each epoch, or that the whole epoch took."""
    train = epoch_of(torch_model())
    seconds = []
    for loss in losses(epochs):
        began = time.perf_counter()
        train()
        trained = time.perf_counter()
        step(loss)
        seconds.append(time.perf_counter() - (began if whole else trained))
    return seconds[5:]


def naive(keep: Callable[[bool], Any]) -> Callable[[torch.Tensor], None]:
    """What stands in many a loop: `keep` is told whether the epoch is the best."""
    best, wait = float("inf"), 0

    def step(loss: torch.Tensor) -> None:
        nonlocal best, wait
        value = loss.item()
        is_best = value < best
        best, wait = (value, 0) if is_best else (best, wait + 1)
        keep(is_best)

    return step


class Decisions:
    """The same job: what was decided and why, the time, and the best with its metrics."""

    def __init__(self) -> None:
        self.best, self.wait, self.epoch, self.began = float("inf"), 0, 0, time.monotonic()
        self.best_epoch: int | None = None
        self.best_metrics: dict[str, float] = {}

    def step(self, loss: torch.Tensor) -> bool:
        metrics = {"loss": loss.item(), "elapsed_seconds": time.monotonic() - self.began}
        self.wait += 1
        is_best = metrics["loss"] < self.best
        if is_best:
            self.best, self.wait = metrics["loss"], 0
            self.best_epoch, self.best_metrics = self.epoch, metrics
        self.epoch += 1
        return is_best


def in_memory_naive(epochs: int, folder: Path, whole: bool, width: int = 256) -> list[float]:
    model = torch_model(width)
    kept: Any = None

    def keep(is_best: bool) -> None:
        nonlocal kept
        if is_best:
            kept = copy.deepcopy(model.state_dict())

    return timed(naive(keep), epochs, whole)


def in_memory_same(epochs: int, folder: Path, whole: bool, width: int = 256) -> list[float]:
    model, decisions = torch_model(width), Decisions()
    kept: Any = None

    def step(loss: torch.Tensor) -> None:
        nonlocal kept
        if decisions.step(loss):
            state = model.state_dict()
            kept = {name: value.detach().to("cpu", copy=True) for name, value in state.items()}

    return timed(step, epochs, whole)


def in_memory_ours(epochs: int, folder: Path, whole: bool, width: int = 256) -> list[float]:
    model = torch_model(width)
    training = Training(es.EarlyStopping("loss", patience=NEVER), model)
    return timed(lambda loss: training.step(loss=loss), epochs, whole)


def with_optimizer() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model = torch_model()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 64)).sum().backward()
    optimizer.step()  # has a state from now on
    return model, optimizer


def put(path: Path, write: Callable[[Any], Any], careful: bool) -> None:
    with open(f"{path}.new", "wb") as file:
        write(file)
        if careful:
            file.flush()
            os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def on_disk_naive(epochs: int, folder: Path, whole: bool) -> list[float]:
    """All that a run needs to go on, after each epoch; the best once more."""
    model, optimizer = with_optimizer()

    def write(file: Any) -> None:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)

    def keep(is_best: bool) -> None:
        put(folder / "last.pt", write, careful=False)
        if is_best:
            put(folder / "best.pt", write, careful=False)

    return timed(naive(keep), epochs, whole)


def on_disk_same(epochs: int, folder: Path, whole: bool) -> list[float]:
    """The same job: the state of the decisions, too, and all of it survives a loss of power."""
    model, optimizer = with_optimizer()
    decisions = Decisions()

    def write(file: Any) -> None:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)

    def step(loss: torch.Tensor) -> None:
        is_best = decisions.step(loss)
        put(folder / "last.pt", write, careful=True)
        if is_best:
            put(folder / "best.pt", write, careful=True)
        state = json.dumps(vars(decisions)).encode()
        put(folder / "state.json", lambda file: file.write(state), careful=True)
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)

    return timed(step, epochs, whole)


def on_disk_ours(epochs: int, folder: Path, whole: bool) -> list[float]:
    model, optimizer = with_optimizer()
    with (
        tempfile.TemporaryDirectory(dir=folder) as run,
        Training(
            es.EarlyStopping("loss", patience=NEVER), model, optimizer=optimizer, folder=run
        ) as training,
    ):
        return timed(lambda loss: training.step(loss=loss), epochs, whole)


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
        for case, makes in keras_cases(folder).items():
            for whole in (False, True)[: 1 + (len(makes) == 3)]:
                for whose, make in zip(
                    ("ours", "Keras's", "Keras's that syncs"), makes, strict=False
                ):
                    title = f"{case}{', whole epochs' if whole else ''}: {whose}"
                    rows[title] = functools.partial(fit, make, arguments.epochs, whole)
        rivals = ("ours", "a loop that does the same job", "a naive loop")
        small = (in_memory_ours, in_memory_same, in_memory_naive)
        large = [functools.partial(run, width=8000) for run in small]
        on_disk = (on_disk_ours, on_disk_same, on_disk_naive)
        cases: list[tuple[str, Sequence[Callable[..., list[float]]], bool]] = [
            ("Training, best in memory", small, False),
            ("Training, best in memory, whole epochs", small, True),
            ("Training, best of 64 MB in memory", large, False),
            ("Training, all on disk", on_disk, False),
            ("Training, all on disk, whole epochs", on_disk, True),
        ]
        for case, runs, whole in cases:
            for whose, run in zip(rivals, runs, strict=True):
                rows[f"{case}: {whose}"] = functools.partial(run, arguments.epochs, folder, whole)
        seconds: dict[str, list[list[float]]] = {what: [] for what in rows}
        for repeat in range(arguments.repeats):
            for what in list(rows)[:: -1 if repeat % 2 else 1]:
                seconds[what].append(rows[what]())
    table = Table(
        title=f"Cost at the end of an epoch ({arguments.epochs} epochs, {arguments.repeats} times)",
        caption=f"Python {platform.python_version()}, Keras {keras.__version__} "
        f"({keras.backend.backend()}), PyTorch {torch.__version__}",
        box=SIMPLE_HEAD,
    )
    table.add_column("what")
    for heading in ("mean, us", "ours is", "median, us", "ours is"):
        table.add_column(heading, justify="right")
    ours = np.ones(2)
    for what, repeats in seconds.items():
        fastest = np.min(repeats, axis=0) * 1e6
        costs = np.array([fastest.mean(), np.median(fastest)])
        is_ours = what.endswith(": ours")
        ours = costs if is_ours else ours
        mean, median = ("" if is_ours else f"x {ratio:.2f}" for ratio in ours / costs)
        table.add_row(what, f"{costs[0]:.0f}", mean, f"{costs[1]:.0f}", median)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
