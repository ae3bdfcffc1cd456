"""What one check costs in PyTorch's trainers and scikit-learn: ours beside the framework's own.

    python -m benchmarks.speed.training_checks

Lightning, the Trainer, ignite, skorch: the framework's own call of the handler, with the same
arguments, in turns; the fastest of all repeats counts. Scikit-learn: a fit of an estimator around
SGD and MLP beside their own `early_stopping=True`, which trains on as many iterations; all of a
fit, divided by these.
"""

from __future__ import annotations

import argparse
import functools
import logging
import math
import time
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from earlystop.adapters.ignite import EarlyStopping as IgniteOurs
from earlystop.adapters.lightning import EarlyStopping as LightningOurs
from earlystop.adapters.sklearn import EarlyStoppingClassifier
from earlystop.adapters.skorch import EarlyStopping as SkorchOurs
from earlystop.adapters.transformers import EarlyStoppingCallback as TrainerOurs
from ignite.engine import Engine
from ignite.handlers import EarlyStopping as IgniteTheirs
from lightning.pytorch.callbacks import EarlyStopping as LightningTheirs
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
from skorch.callbacks import EarlyStopping as SkorchTheirs
from skorch.history import History
from transformers import EarlyStoppingCallback as TrainerTheirs
from transformers import TrainerControl, TrainerState

NEVER = 10**6


def lightning(kind: Any, checks: int) -> float:
    """The seconds of a check."""
    trainer: Any = SimpleNamespace(
        **{"sanity_checking": False, "fast_dev_run": False, "should_stop": False},
        **{"val_check_interval": 1.0, "check_val_every_n_epoch": 1, "num_training_batches": 1},
        **{"current_epoch": 0, "global_step": 0, "global_rank": 0, "world_size": 1},
        state=SimpleNamespace(fn="fit"),
        fit_loop=SimpleNamespace(total_batch_idx=-1, batch_idx=0),
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision),
    )
    callback = kind("val_loss", patience=NEVER)
    callback.setup(trainer, None, "fit")
    callback.on_fit_start(trainer, None)
    spent = 0.0
    for epoch in range(checks):
        trainer.current_epoch = trainer.fit_loop.total_batch_idx = epoch
        trainer.global_step = epoch + 1
        loss = torch.tensor(1.0 / (1 + epoch % 97))
        trainer.callback_metrics = {"train_loss": loss, "val_loss": loss}
        began = time.perf_counter()
        callback.on_train_epoch_end(trainer, None)
        spent += time.perf_counter() - began
    return spent / checks


def hf_trainer(kind: Any, checks: int) -> float:
    """The seconds of a check; what the Trainer does itself to find the best is left out."""
    arguments: Any = SimpleNamespace(
        **{"metric_for_best_model": "loss", "greater_is_better": False, "eval_strategy": "epoch"},
        load_best_model_at_end=True,
    )
    state, control = TrainerState(), TrainerControl()
    callback = kind(NEVER)
    callback.on_train_begin(arguments, state, control)
    callback.on_epoch_begin(arguments, state, control)
    spent, best = 0.0, math.inf
    for epoch in range(1, checks + 1):
        state.epoch = state.global_step = epoch
        loss = 1.0 / (1 + epoch % 97)
        metrics = {"eval_loss": loss, "eval_runtime": 0.1, "epoch": epoch}
        began = time.perf_counter()
        callback.on_evaluate(arguments, state, control, metrics)
        spent += time.perf_counter() - began
        best = state.best_metric = min(loss, best)
    return spent / checks


def ignite(kind: Any, checks: int) -> float:
    """The seconds of a check."""
    trainer = Engine(lambda engine, batch: None)
    state: Any = trainer.state
    state.epoch_length = 1
    handler = kind(NEVER, lambda engine: -1.0 / (1 + engine.state.iteration % 97), trainer)
    handler.logger.setLevel(logging.ERROR)
    spent = 0.0
    for epoch in range(1, checks + 1):
        state.epoch = state.iteration = epoch
        began = time.perf_counter()
        handler(trainer)
        spent += time.perf_counter() - began
    return spent / checks


def skorch(kind: Any, checks: int) -> float:
    """The seconds of a check."""
    net: Any = SimpleNamespace(history=History(), verbose=0)
    callback = kind(patience=NEVER)
    callback.initialize()
    callback.on_train_begin(net)
    spent = 0.0
    for epoch in range(1, checks + 1):
        net.history.new_epoch()
        net.history.record("epoch", epoch)
        net.history.record("valid_loss", 1.0 / (1 + epoch % 97))
        net.history.record("dur", 0.1)
        began = time.perf_counter()
        callback.on_epoch_begin(net)
        callback.on_epoch_end(net)
        spent += time.perf_counter() - began
    return spent / checks


def sklearn(inside: Any, ours: bool, iterations: int) -> float:
    """The seconds of an iteration, all of it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 20))
    y = (x[:, 0] + rng.normal(size=2000) > 0).astype(int)
    numbers: dict[str, Any] = {"max_iter": iterations, "n_iter_no_change": NEVER, "tol": 0.0}
    if ours:
        del numbers["max_iter"]
        model: Any = EarlyStoppingClassifier(inside(max_iter=iterations), random_state=0, **numbers)
    else:
        model = inside(early_stopping=True, random_state=0, **numbers)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
    return (time.perf_counter() - began) / int(model.n_iter_)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--checks", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    checks = arguments.checks
    rows: dict[str, tuple[Callable[[], float], Callable[[], float]]] = {
        "Lightning, a check": (
            lambda: lightning(LightningOurs, checks),
            lambda: lightning(LightningTheirs, checks),
        ),
        "Trainer, a check": (
            lambda: hf_trainer(TrainerOurs, checks),
            lambda: hf_trainer(TrainerTheirs, checks),
        ),
        "ignite, a check": (
            lambda: ignite(IgniteOurs, checks),
            lambda: ignite(IgniteTheirs, checks),
        ),
        "skorch, a check": (
            lambda: skorch(SkorchOurs, checks),
            lambda: skorch(SkorchTheirs, checks),
        ),
    }
    for inside in (SGDClassifier, MLPClassifier):
        rows[f"{inside.__name__}, an iteration"] = (
            functools.partial(sklearn, inside, True, 50),
            functools.partial(sklearn, inside, False, 50),
        )
    seconds: dict[str, list[tuple[float, float]]] = {what: [] for what in rows}
    for _ in range(arguments.repeats):
        for what, (ours, theirs) in rows.items():
            seconds[what].append((ours(), theirs()))
    table = Table(title="Cost beside the framework's own", box=SIMPLE_HEAD)
    for heading in ("what", "ours, us", "its own, us", "ratio"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what, pairs in seconds.items():
        ours_us, theirs_us = np.min(pairs, axis=0) * 1e6
        table.add_row(what, f"{ours_us:.1f}", f"{theirs_us:.1f}", f"{ours_us / theirs_us:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
