"""The runs that `preemptions.py` sends signals: a plain loop, and `Training` in one or two ranks.

Each is a program that can be run again and again in its folder: it returns what came of the run, or
leaves it with Preempted. `ready` is called once signals are handled.
"""

from __future__ import annotations

import datetime
import functools
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # which optimizers import: once here, not in every process
import torch.distributed as dist
from earlystop.adapters.loop import EpochLoop
from earlystop.adapters.preemption import Preemption
from earlystop.adapters.torch import Training

import earlystop as es
from earlystop.checkpoints import write_atomically

__all__ = ["RUNS", "WORLD"]

EPOCHS, BATCHES, BATCH_SECONDS = 30, 4, 1e-3
WORLD = {"loop": 1, "training": 1, "training, within": 1, "ranks": 2, "ranks, within": 2}

Ready = Callable[[], object]


def plain_loop(folder: Path, rank: int, ready: Ready) -> Any:
    """Noisy descent in plain Python; all that it goes on from is in one file of JSON."""
    draws, weight, path = random.Random(1), [3.0], folder / "run.json"
    taken: list[float] = []

    def save() -> None:
        found = {"loop": loop.state_dict(), "kept": loop.kept, "weight": weight, "taken": taken}
        text = json.dumps({**found, "draws": draws.getstate()})
        write_atomically(path, lambda file: file.write_text(text))

    saved = json.loads(path.read_text()) if path.exists() else None
    kept = {"kept": saved["kept"]} if saved else {}
    with (
        Preemption(save=save, until=None) as preemption,
        EpochLoop(
            es.EarlyStopping("loss", patience=12),
            max_epochs=EPOCHS,
            save=lambda epoch, metrics: list(weight),
            restore=lambda best: weight.__setitem__(slice(None), best),
            preemption=preemption,
            **kept,
        ) as loop,
    ):
        if saved:
            loop.load_state_dict(saved["loop"])
            weight[:], taken[:] = saved["weight"], saved["taken"]
            version, numbers, rest = saved["draws"]
            draws.setstate((version, tuple(numbers), rest))
        ready()
        for _ in loop:
            for _ in range(BATCHES):
                weight[0] -= 0.05 * (2 * weight[0] + draws.gauss(0, 3))
                time.sleep(BATCH_SECONDS)
            taken.append(weight[0])
            loop.report(loss=weight[0] ** 2)
    stopper = loop.stopper
    return [taken, weight, stopper.checks, loop.reason, stopper.best, stopper.best_epoch]


def training(folder: Path, rank: int, ready: Ready, *, within: bool, world: int = 1) -> Any:
    """A small network with dropout and shuffling, in a folder; in `world` ranks, on their mean."""
    if world > 1:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{folder}.meeting",
            rank=rank,
            world_size=world,
            timeout=datetime.timedelta(seconds=60),
        )
    torch.manual_seed(rank)
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(96, 4, generator=draws)
    y = x[:, :1] * x[:, 1:2] + torch.randn(96, 1, generator=draws)
    inner = torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Dropout(0.2), torch.nn.Linear(16, 1)
    )
    model: Any = torch.nn.parallel.DistributedDataParallel(inner) if world > 1 else inner
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    with (
        Preemption(until=None) as preemption,
        Training(
            es.EarlyStopping("loss", patience=12),
            model,
            optimizer=optimizer,
            folder=folder,
            resume=True,
            rng=True,
            ranks="mean",
            preemption=preemption,
        ) as run,
    ):
        if run.epoch == 0:
            torch.manual_seed(rank)  # making the model has drawn numbers
        ready()
        for _ in run.epochs(EPOCHS):
            model.train()
            for batch in torch.randperm(64).reshape(BATCHES, 16):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(model(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                time.sleep(BATCH_SECONDS)
                if within and preemption.leave:
                    preemption.exit()
            inner.eval()
            with torch.no_grad():
                loss = torch.nn.functional.mse_loss(inner(x[64:]), y[64:])
            run.step(loss=loss)
    losses = run.history["loss"]
    weights = {name: value.tolist() for name, value in inner.state_dict().items()}
    stopper = run.stopper
    return [losses, weights, stopper.checks, stopper.reason, stopper.best, stopper.best_epoch]


RUNS: dict[str, Callable[[Path, int, Ready], Any]] = {
    "loop": plain_loop,
    "training": functools.partial(training, within=False),
    "training, within": functools.partial(training, within=True),
    "ranks": functools.partial(training, within=False, world=WORLD["ranks"]),
    "ranks, within": functools.partial(training, within=True, world=WORLD["ranks, within"]),
}
