"""What one check costs in PyTorch's trainers and scikit-learn: ours beside the framework's own.

Lightning, the Trainer, ignite, skorch: the framework's own call of the handler, with the same
arguments, in turns; the fastest of all repeats counts. Scikit-learn: a fit of an estimator around
SGD and MLP beside their own `early_stopping=True`, which trains on as many iterations; all of a
fit, divided by these.
"""

from __future__ import annotations

import functools
import logging
import math
import time
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import torch
from earlystop.adapters.ignite import EarlyStopping as IgniteOurs
from earlystop.adapters.lightning import EarlyStopping as LightningOurs
from earlystop.adapters.optuna import RulePruner
from earlystop.adapters.ray import RuleStopper
from earlystop.adapters.sklearn import EarlyStoppingClassifier
from earlystop.adapters.skorch import EarlyStopping as SkorchOurs
from earlystop.adapters.transformers import EarlyStoppingCallback as TrainerOurs
from ignite.engine import Engine
from ignite.handlers import EarlyStopping as IgniteTheirs
from lightning.pytorch.callbacks import EarlyStopping as LightningTheirs
from optuna.pruners import PatientPruner
from ray.tune.stopper import TrialPlateauStopper
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
from skorch.callbacks import EarlyStopping as SkorchTheirs
from skorch.history import History
from transformers import EarlyStoppingCallback as TrainerTheirs
from transformers import TrainerControl, TrainerState

from .measured import NEVER, Case

__all__ = ["cases"]

optuna.logging.set_verbosity(optuna.logging.ERROR)


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


def optuna_pruner(kind: Any, reports: int) -> float:
    """The seconds of a report, that of the last of this many."""
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    trial, pruner = study.ask(), kind(None, NEVER)
    spent = 0.0
    for step in range(reports):
        trial.report(1.0 / (1 + step % 97), step)
        frozen = study.get_trials(deepcopy=False)[0]
        began = time.perf_counter()
        pruner.prune(study, frozen)
        spent += time.perf_counter() - began
    return spent / reports


def ray_stopper(kind: Any, checks: int) -> float:
    """The seconds of a result."""
    stopper = kind("loss", std=0.0)
    results = [
        {"training_iteration": number, "loss": 1.0 / (1 + number % 97), "time_total_s": number / 10}
        for number in range(1, checks + 1)
    ]
    began = time.perf_counter()
    for result in results:
        stopper("trial", result)
    return (time.perf_counter() - began) / checks


def cases(checks: int, repeats: int) -> list[Case]:
    """All rows."""
    rows: dict[str, tuple[Callable[..., float], Any, Any, int]] = {
        "Lightning: a check": (lightning, LightningOurs, LightningTheirs, checks),
        "Trainer: a check": (hf_trainer, TrainerOurs, TrainerTheirs, checks),
        "ignite: a check": (ignite, IgniteOurs, IgniteTheirs, checks),
        "skorch: a check": (skorch, SkorchOurs, SkorchTheirs, checks),
        "Optuna: a report, of 200": (optuna_pruner, RulePruner, PatientPruner, 200),
        "Ray Tune: a result": (ray_stopper, RuleStopper, TrialPlateauStopper, checks),
    }
    for inside in (SGDClassifier, MLPClassifier):
        what = f"scikit-learn: an iteration of {inside.__name__}"
        rows[what] = functools.partial(sklearn, inside), True, False, 50
    return [
        Case(
            what,
            {
                "ours": functools.partial(_as_list, run, ours, number),
                "its own": functools.partial(_as_list, run, theirs, number),
            },
            repeats,
        )
        for what, (run, ours, theirs, number) in rows.items()
    ]


def _as_list(run: Callable[..., float], kind: Any, number: int) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental classes
        return [run(kind, number)]
