"""What one epoch costs: a loop written by hand, this library, and the classes of other frameworks.

    python -m benchmarks.speed.step

Everything is measured in one run, over the same curve of epochs that improve now and then and never
stop: a warm-up, then the fastest of the repeats. A peer is driven by the call that its framework
makes at the end of an epoch, with what it is given there made beforehand; the event systems of
the frameworks are left out. Ratios are what to look at; nanoseconds depend on the machine.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import platform
import random
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import torch
from ignite.engine import Engine
from ignite.handlers import EarlyStopping as IgniteEarlyStopping
from keras.callbacks import EarlyStopping as KerasEarlyStopping
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState

import earlystop as es
from earlystop.language.rule import advance
from tests.support.lightning_trainer import lightning_trainer

NEVER = 10**9  # a patience that no curve here uses up

Epochs = list[dict[str, float]]


def epochs_of(count: int, seed: int) -> Epochs:
    """Four metrics per epoch; the loss falls with noise, so it improves now and then."""
    chance = random.Random(seed)
    return [
        {
            "loss": 1 / (epoch + 1),
            "accuracy": 0.5,
            "val_loss": 1 / math.sqrt(epoch + 1) + chance.random() / 10,
            "val_accuracy": 0.5,
        }
        for epoch in range(count)
    ]


def by_hand(epochs: Epochs) -> Callable[[], None]:
    def run() -> None:
        best, wait = math.inf, 0
        kept: tuple[int, dict[str, float]] | None = None
        for epoch, metrics in enumerate(epochs):
            value = metrics["val_loss"]
            if value < best:
                best, wait = value, 0
                kept = epoch, metrics
            else:
                wait += 1
                if wait >= NEVER:
                    break
        keep(kept)

    return run


def keep(best: object) -> None:
    """Where a training loop would keep its best model."""


def stepped(epochs: Epochs) -> Callable[[], None]:
    stopper = es.EarlyStopping("val_loss", patience=NEVER)

    def run() -> None:
        stopper.reset()
        step = stopper.step
        for metrics in epochs:
            if step(metrics).stop:
                break

    return run


def plain_rules(epochs: Epochs) -> Callable[[], None]:
    """The rules' own `step`, as a replay runs it, without compiling it first."""
    rules = (es.Patience("val_loss", NEVER), es.Best("val_loss"))

    def run() -> None:
        states = [rule.init() for rule in rules]
        for epoch, metrics in enumerate(epochs):
            for place, rule in enumerate(rules):
                states[place], _ = advance(rule, states[place], metrics, epoch)

    return run


def keras(epochs: Epochs) -> Callable[[], None]:
    callback = KerasEarlyStopping("val_loss", patience=NEVER, mode="min")
    callback.set_model(SimpleNamespace(stop_training=False))

    def run() -> None:
        callback.on_train_begin()
        for epoch, metrics in enumerate(epochs):
            callback.on_epoch_end(epoch, metrics)

    return run


def lightning(epochs: Epochs) -> Callable[[], None]:
    callback: Any = LightningEarlyStopping("val_loss", patience=NEVER)
    trainer = lightning_trainer()
    callback.setup(trainer, None, "fit")
    tensors = [{name: torch.tensor(x) for name, x in metrics.items()} for metrics in epochs]

    def run() -> None:
        callback.best_score = torch.tensor(math.inf)
        for metrics in tensors:
            trainer.callback_metrics = metrics
            callback.on_train_epoch_end(trainer, None)

    return run


def ignite(epochs: Epochs) -> Callable[[], None]:
    engine = Engine(lambda engine, batch: None)
    handler = IgniteEarlyStopping(NEVER, lambda e: e.state.metrics["val_loss"], engine, mode="min")
    handler.logger.setLevel(logging.ERROR)

    def run() -> None:
        handler.reset()
        for metrics in epochs:
            engine.state.metrics = metrics
            handler(engine)

    return run


def transformers(epochs: Epochs) -> Callable[[], None]:
    callback: Any = EarlyStoppingCallback(NEVER)
    arguments: Any = SimpleNamespace(metric_for_best_model="eval_loss", greater_is_better=False)
    evaluations = [{"eval_loss": m["val_loss"], "eval_accuracy": 0.5} for m in epochs]
    control = TrainerControl()

    def run() -> None:
        state = TrainerState()
        for metrics in evaluations:
            callback.on_evaluate(arguments, state, control, metrics=metrics)
            value = metrics["eval_loss"]  # what the Trainer does after it
            if state.best_metric is None or value < state.best_metric:
                state.best_metric = value

    return run


def torch_plateau(epochs: Epochs) -> Callable[[], None]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)

    def run() -> None:
        scheduler = ReduceLROnPlateau(optimizer, patience=NEVER)
        for metrics in epochs:
            scheduler.step(metrics["val_loss"])

    return run


CONTENDERS = {
    "a loop written by hand": by_hand,
    "earlystop: Stopper.step": stepped,
    "earlystop: rules, not compiled": plain_rules,
    "Keras EarlyStopping": keras,
    "Lightning EarlyStopping": lightning,
    "ignite EarlyStopping": ignite,
    "transformers EarlyStoppingCallback": transformers,
    "torch ReduceLROnPlateau": torch_plateau,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--epochs", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    epochs = epochs_of(arguments.epochs, arguments.seed)
    runs = {name: make(epochs) for name, make in CONTENDERS.items()}
    fastest = dict.fromkeys(runs, math.inf)
    for run in runs.values():
        run()  # warm-up
    for _ in range(arguments.repeats):  # in turns, so that a slow moment hits all alike
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            fastest[name] = min(fastest[name], time.perf_counter() - began)
    table = Table(
        title=f"Cost of an epoch ({arguments.epochs} epochs of four metrics, fastest of "
        f"{arguments.repeats}, seed {arguments.seed})",
        caption=f"Python {platform.python_version()}, {platform.machine()}",
        box=SIMPLE_HEAD,
    )
    table.add_column("what")
    for heading in ("ns", "times by hand", "times Stopper.step"):
        table.add_column(heading, justify="right")
    hand, ours = fastest["a loop written by hand"], fastest["earlystop: Stopper.step"]
    for name, seconds in fastest.items():
        nanoseconds = seconds / arguments.epochs * 1e9
        table.add_row(name, f"{nanoseconds:.0f}", f"{seconds / hand:.1f}", f"{seconds / ours:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
