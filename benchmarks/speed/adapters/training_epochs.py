"""What `Training` takes at the end of an epoch, beside loops that are written by hand.

A small model is trained, and what stands at the end of an epoch is measured. In the rows that say
so it is the whole epoch, which has in it what is done beside the training. A loop's epochs in which
there is a new best cost more than others: the mean is what a run pays, the median what an epoch
without a new best costs.

A naive loop reads the loss, compares it, and copies or writes the model. A loop that does the same
job also keeps what the best epoch was and its metrics, the time, and a copy on the CPU; on the
disk, it writes the state of its decisions, too, and what it writes survives a loss of power: each
file is synced to the disk, replaces the previous one, and then the folder is synced. (What it does
not do: keep the files and that state in step.)
"""

from __future__ import annotations

import copy
import functools
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from earlystop.adapters.torch import Training

import earlystop as es

from .measured import NEVER, Case

__all__ = ["cases"]


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


def cases(folder: Path, epochs: int, repeats: int) -> list[Case]:
    """All rows."""
    rivals = ("ours", "a loop that does the same job", "a naive loop")
    small = (in_memory_ours, in_memory_same, in_memory_naive)
    large = [functools.partial(run, width=8000) for run in small]
    on_disk = (on_disk_ours, on_disk_same, on_disk_naive)
    rows: list[tuple[str, Sequence[Callable[..., list[float]]], bool]] = [
        ("best in memory", small, False),
        ("best in memory, whole epochs", small, True),
        ("best of 64 MB in memory", large, False),
        ("all on disk", on_disk, False),
        ("all on disk, whole epochs", on_disk, True),
    ]
    return [
        Case(
            f"Training: {what}",
            {
                whose: functools.partial(run, epochs, folder, whole)
                for whose, run in zip(rivals, runs, strict=True)
            },
            repeats,
        )
        for what, runs, whole in rows
    ]
