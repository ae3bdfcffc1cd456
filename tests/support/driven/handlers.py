"""ignite, flax, PyTorch, Optuna, Ultralytics, Ray and scikit-learn over a curve."""

from __future__ import annotations

import logging
import math
import random
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np

import earlystop as es
from tests.support.driven.case import Case, Curve, drawn
from tests.support.driven.networks import MARGINS, MODES, SIGNED


def ignite_early_stopping(chance: random.Random, curve: Curve) -> Case:
    from ignite import handlers
    from ignite.engine import Engine

    settings = drawn(
        chance,
        patience=[1, 2, 3],
        threshold=MARGINS,
        cumulative=[True, False],
        threshold_mode=["abs", "rel"],
        mode=MODES,
    )
    engine: Any = Engine(lambda engine, batch: None)
    stops: list[int] = []
    now = SimpleNamespace(check=0, score=0.0)
    engine.terminate = lambda: stops.append(now.check)
    handler = handlers.EarlyStopping(score_function=lambda _: now.score, trainer=engine, **settings)
    handler.logger.setLevel(logging.ERROR)
    saves = []
    for now.check, now.score in enumerate(curve):
        handler(engine)
        if handler.counter == 0:
            saves.append(now.check)
        if stops:
            break
    ours = es.peers.ignite.early_stopping(**settings, monitor="m")
    return Case(settings, ours, "m", stops, saves)


def ignite_checkpoint(chance: random.Random, curve: Curve) -> Case:
    from ignite import handlers
    from ignite.engine import Engine

    settings = drawn(chance, n_saved=[None, 1, 1, 2, 3, 5], greater_or_equal=[True, False])
    engine: Any = Engine(lambda engine, batch: None)
    now = SimpleNamespace(check=0, score=0.0)
    saves: list[int] = []

    class Handler(handlers.checkpoint.BaseSaveHandler):
        def __call__(self, *_: Any, **__: Any) -> None:
            saves.append(now.check)

        def remove(self, filename: str) -> None:
            pass

    held = SimpleNamespace(state_dict=dict, load_state_dict=lambda _: None)
    handler = handlers.Checkpoint(
        {"held": held},
        Handler(),
        score_function=lambda _: now.score,
        global_step_transform=lambda *_: now.check,
        **settings,
    )
    for now.check, now.score in enumerate(curve):
        handler(engine)
    several = settings["n_saved"] not in (None, 1)
    differs = "a NaN is kept" if several and any(map(math.isnan, curve)) else ""
    ours = es.peers.ignite.checkpoint(**settings, monitor="m")
    return Case(settings, ours, "m", [], saves, differs)


def flax_early_stopping(chance: random.Random, curve: Curve) -> Case:
    from flax.training.early_stopping import EarlyStopping

    settings = drawn(chance, min_delta=SIGNED, patience=[0, 1, 2, 3])
    theirs: Any = EarlyStopping(**settings)
    stops, saves = [], []
    for epoch, value in enumerate(curve):
        theirs = theirs.update(value)
        if theirs.has_improved:
            saves.append(epoch)
        if theirs.should_stop:
            stops.append(epoch)
            break
    return Case(settings, es.peers.flax.early_stopping(**settings), "loss", stops, saves)


def torch_reduce_lr_on_plateau(chance: random.Random, curve: Curve) -> Case:
    import torch

    settings = drawn(
        chance,
        mode=MODES,
        factor=[0.5],
        patience=[0, 1, 2, 3],
        threshold=SIGNED,
        threshold_mode=["rel", "abs"],
        cooldown=[0, 1, 3],
        eps=[0.0],
    )
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
    cuts, saves = [], []
    for epoch, value in enumerate(curve):
        rate, best = optimizer.param_groups[0]["lr"], scheduler.best
        scheduler.step(np.float64(value))  # so that the best is another object each time
        if optimizer.param_groups[0]["lr"] != rate:
            cuts.append(epoch)
        if scheduler.best is not best:
            saves.append(epoch)
    ours = es.peers.torch.reduce_lr_on_plateau(**settings, monitor="m")
    return Case(settings, ours, "m", cuts, saves)


def pruned(pruner: Any, curve: Curve, mode: str) -> list[int]:
    import optuna

    way = "MINIMIZE" if mode == "min" else "MAXIMIZE"
    study: Any = SimpleNamespace(direction=getattr(optuna.study.StudyDirection, way))
    told: dict[int, float] = {}
    for step, value in enumerate(curve):
        told[step] = value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but NaN
            if pruner.prune(study, SimpleNamespace(last_step=step, intermediate_values=told)):
                return [step]
    return []


def optuna_patient_pruner(chance: random.Random, curve: Curve) -> Case:
    import optuna

    settings = drawn(chance, patience=[0, 1, 2, 3], min_delta=MARGINS)
    mode: Any = chance.choice(MODES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental
        stops = pruned(optuna.pruners.PatientPruner(None, **settings), curve, mode)
    ours = es.peers.optuna.patient_pruner(None, **settings, monitor="m", mode=mode)
    return Case({**settings, "mode": mode}, ours, "m", stops)


def optuna_threshold_pruner(chance: random.Random, curve: Curve) -> Case:
    import optuna

    settings = drawn(
        chance,
        lower=[None, 0.0, 0.1],
        upper=[0.5, 1.0],
        n_warmup_steps=[0, 2],
        interval_steps=[1, 2, 3],
    )
    stops = pruned(optuna.pruners.ThresholdPruner(**settings), curve, "min")
    return Case(settings, es.peers.optuna.threshold_pruner(**settings, monitor="m"), "m", stops)


def ultralytics_early_stopping(chance: random.Random, curve: Curve) -> Case:
    from ultralytics.utils import torch_utils

    known: Any = torch_utils
    known.LOGGER.setLevel(logging.ERROR)
    settings = drawn(chance, patience=[None, 0, 1, 2, 3])
    theirs = known.EarlyStopping(**settings)
    stops, saves = [], []
    for epoch, value in enumerate(curve):
        stop = theirs(epoch, value)
        if theirs.best_epoch == epoch:
            saves.append(epoch)
        if stop:
            stops.append(epoch)
            break
    ours = es.peers.ultralytics.early_stopping(**settings)
    return Case(settings, ours, "fitness", stops, saves)


def ray_trial_plateau_stopper(chance: random.Random, curve: Curve) -> Case:
    from ray.tune.stopper import TrialPlateauStopper

    settings = drawn(
        chance,
        std=[0.01, 0.05, 0.5],
        num_results=[2, 3, 4],
        grace_period=[0, 1, 4],
        metric_threshold=[None, 0.0, 0.5],
        mode=MODES,
    )
    theirs = TrialPlateauStopper("m", **settings)
    stops: list[int] = []
    rounds = ""
    for epoch, value in enumerate(curve):
        with np.errstate(all="ignore"):
            if theirs("trial", {"m": value}):
                stops.append(epoch)
                break
            last = np.array(curve[max(0, epoch + 1 - settings["num_results"]) : epoch + 1])
            deviation = float(np.std(last))
            near = abs(deviation - settings["std"]) <= np.abs(last).max() * 1e-12
            if near or (np.isfinite(last).all() and not math.isfinite(deviation)):
                rounds = "the deviation rounds or overflows otherwise"
    ours = es.peers.ray.trial_plateau_stopper("m", **settings)
    return Case(settings, ours, "m", stops, None, rounds)


def sklearn_mlp(chance: random.Random, curve: Curve) -> Case:
    from sklearn.neural_network import MLPClassifier

    settings = drawn(
        chance, tol=[0.0, 1e-4, 0.1, 0.5], early_stopping=[True, False], n_iter_no_change=[1, 2, 3]
    )
    theirs: Any = MLPClassifier(**settings)
    theirs._no_improvement_count, theirs.coefs_, theirs.intercepts_ = 0, [], []
    theirs.loss_curve_, theirs.validation_scores_ = [], []
    theirs.best_loss_, theirs.best_validation_score_ = math.inf, -math.inf
    now = SimpleNamespace(value=0.0)
    theirs._score = lambda *_, **__: now.value
    stops, saves = [], []
    for check, now.value in enumerate(curve):
        before = theirs.best_loss_, theirs.best_validation_score_
        theirs.loss_curve_.append(now.value)
        theirs._update_no_improvement_count(settings["early_stopping"], None, None, None)
        if (theirs.best_loss_, theirs.best_validation_score_) != before:
            saves.append(check)
        if theirs._no_improvement_count > theirs.n_iter_no_change:
            stops.append(check)
            break
    way: Any = "max" if settings["early_stopping"] else "min"
    ours = es.peers.sklearn.mlp(**settings, monitor="m", mode=way)
    return Case(settings, ours, "m", stops, saves)
