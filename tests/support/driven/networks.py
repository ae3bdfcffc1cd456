"""The callbacks of Keras, Lightning, Transformers and skorch over a curve."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace
from typing import Any

import numpy as np

import earlystop as es
from tests.support.driven.case import Case, Curve, drawn

MODES = ["min", "max"]
MARGINS = [0.0, 1e-4, 0.1, 0.125, 0.5]
SIGNED = [*MARGINS, -0.1, -0.125]


class KerasModel:
    """What a Keras callback asks of a model."""

    stop_training = False
    metrics: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self.epoch = -1
        self.kept: list[int] = []
        self.optimizer = SimpleNamespace(learning_rate=1.0)

    def get_weights(self) -> list[Any]:
        self.kept.append(self.epoch)
        return []

    def set_weights(self, weights: list[Any]) -> None:
        pass

    def save(self, *_: Any, **__: Any) -> None:
        self.kept.append(self.epoch)


def keras_run(callback: Any, curve: Curve) -> tuple[list[int], list[int], list[int]]:
    """The checks at which it stopped, kept the weights, and cut the rate."""
    model, cuts = KerasModel(), []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(curve):
        model.epoch, rate = epoch, model.optimizer.learning_rate
        callback.on_epoch_end(epoch, {"m": value})
        if model.optimizer.learning_rate != rate:
            cuts.append(epoch)
        if model.stop_training:
            return [epoch], sorted(set(model.kept)), cuts
    return [], sorted(set(model.kept)), cuts


def keras_dtype() -> Any:
    import keras

    return "float64" if keras.backend.backend() == "numpy" else "float32"


def keras_early_stopping(chance: random.Random, curve: Curve) -> Case:
    import keras

    settings = drawn(
        chance,
        min_delta=SIGNED,
        patience=[0, 1, 2, 3],
        mode=MODES,
        baseline=[None, None, 0.5, 1.0],
        start_from_epoch=[0, 0, 2],
    )
    callback = keras.callbacks.EarlyStopping("m", restore_best_weights=True, **settings)
    stops, saves, _ = keras_run(callback, curve)
    ours = es.peers.keras.early_stopping("m", **settings, dtype=keras_dtype())
    return Case(settings, ours, "m", stops, saves)


def keras_model_checkpoint(chance: random.Random, curve: Curve) -> Case:
    import keras

    settings = drawn(
        chance,
        save_best_only=[True, True, False],
        mode=MODES,
        initial_value_threshold=[None, None, 0.5, math.inf, -math.inf, math.nan],
    )
    callback = keras.callbacks.ModelCheckpoint("never.keras", "m", **settings)
    _, saves, _ = keras_run(callback, curve)
    ours = es.peers.keras.model_checkpoint("never.keras", "m", **settings, dtype=keras_dtype())
    return Case(settings, ours, "m", [], saves)


def keras_reduce_lr_on_plateau(chance: random.Random, curve: Curve) -> Case:
    import keras

    settings = drawn(
        chance, factor=[0.5], patience=[0, 1, 2], mode=MODES, min_delta=MARGINS, cooldown=[0, 1, 3]
    )
    _, _, cuts = keras_run(keras.callbacks.ReduceLROnPlateau("m", **settings), curve)
    ours = es.peers.keras.reduce_lr_on_plateau("m", **settings, dtype=keras_dtype())
    return Case(settings, ours, "m", cuts)


def lightning_early_stopping(chance: random.Random, curve: Curve) -> Case:
    import torch
    from lightning.pytorch.callbacks import EarlyStopping

    from tests.support.lightning_trainer import lightning_trainer

    dtype = chance.choice(["float32", "float32", "float64"])
    settings = drawn(
        chance,
        min_delta=SIGNED,
        patience=[0, 1, 2, 3],
        mode=MODES,
        check_finite=[True, False],
        stopping_threshold=[None, None, 0.25],
        divergence_threshold=[None, None, 1.0],
    )
    callback: Any = EarlyStopping("m", **settings)
    trainer = lightning_trainer()
    callback.setup(trainer, None, "fit")
    stops, saves = [], []
    for epoch, value in enumerate(curve):
        trainer.current_epoch, best = epoch, callback.best_score
        trainer.callback_metrics = {"m": torch.tensor(value, dtype=getattr(torch, dtype))}
        callback.on_train_epoch_end(trainer, None)
        if callback.best_score is not best:
            saves.append(epoch)
        if trainer.should_stop:
            stops.append(epoch)
            break
    ours = es.peers.lightning.early_stopping("m", **settings, dtype=dtype)
    return Case({**settings, "dtype": dtype}, ours, "m", stops, saves)


def lightning_model_checkpoint(chance: random.Random, curve: Curve) -> Case:
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint

    from tests.support.lightning_trainer import lightning_trainer

    dtype = chance.choice(["float32", "float32", "float64"])
    settings = drawn(
        chance, save_top_k=[-1, 0, 1, 1, 2, 3, 5], mode=MODES, every_n_epochs=[None, None, 1, 2, 0]
    )
    callback: Any = ModelCheckpoint(monitor="m", filename="{epoch}", **settings)
    callback.dirpath, trainer = "/never", lightning_trainer()
    saves: list[int] = []
    trainer.strategy.reduce_boolean_decision = lambda decision, all=True: decision
    trainer.save_checkpoint = lambda *_: saves.append(trainer.current_epoch)
    trainer.strategy.broadcast = lambda found: found
    trainer.is_global_zero, trainer.loggers, trainer.num_val_batches = True, [], 0
    trainer.ckpt_path, callback._remove_checkpoint = None, lambda *_: None
    for epoch, value in enumerate(curve):
        trainer.current_epoch, trainer.global_step = epoch, epoch + 1
        trainer.callback_metrics = {"m": torch.tensor(value, dtype=getattr(torch, dtype))}
        callback.on_train_epoch_end(trainer, None)
    ours = es.peers.lightning.model_checkpoint(monitor="m", **settings, dtype=dtype)
    return Case({**settings, "dtype": dtype}, ours, "m", [], saves)


def transformers_early_stopping_callback(chance: random.Random, curve: Curve) -> Case:
    from transformers import EarlyStoppingCallback, Trainer, TrainerControl, TrainerState
    from transformers.trainer_utils import SaveStrategy

    settings = drawn(chance, early_stopping_patience=[0, 1, 2, 3], early_stopping_threshold=SIGNED)
    mode = chance.choice(MODES)
    callback: Any = EarlyStoppingCallback(**settings)
    control = TrainerControl()
    arguments: Any = SimpleNamespace(
        metric_for_best_model="m",
        greater_is_better=mode == "max",
        load_best_model_at_end=True,
        save_strategy=SaveStrategy.BEST,
    )
    trainer: Any = SimpleNamespace(args=arguments, state=TrainerState())
    stops, saves = [], []
    for epoch, value in enumerate(curve):
        told = {"eval_m": value}
        callback.on_evaluate(arguments, trainer.state, control, metrics=told)
        if Trainer._determine_best_metric(trainer, told, None):
            saves.append(epoch)
        if control.should_training_stop:
            stops.append(epoch)
            break
    ours = es.peers.transformers.early_stopping_callback(**settings, monitor="m", mode=mode)
    return Case({**settings, "mode": mode}, ours, "m", stops, saves)


def skorch_early_stopping(chance: random.Random, curve: Curve) -> Case:
    from skorch.callbacks import EarlyStopping
    from skorch.history import History

    settings = drawn(
        chance,
        patience=[0, 1, 2, 3],
        threshold=SIGNED,
        threshold_mode=["rel", "abs"],
        lower_is_better=[True, False],
    )
    callback, net = EarlyStopping("m", **settings), SimpleNamespace(history=History(), verbose=0)
    callback.on_train_begin(net)
    stops, saves = [], []
    for epoch, value in enumerate(curve):
        net.history.new_epoch()
        net.history.record("epoch", epoch + 1)
        net.history.record("m", value)
        try:
            with np.errstate(all="ignore"):
                callback.on_epoch_end(net)
        except KeyboardInterrupt:
            stops.append(epoch)
        if callback.best_epoch_ == epoch + 1:
            saves.append(epoch)
        if stops:
            break
    return Case(settings, es.peers.skorch.early_stopping("m", **settings), "m", stops, saves)


def skorch_checkpoint(chance: random.Random, curve: Curve) -> Case:
    from skorch.callbacks import Checkpoint, PassthroughScoring
    from skorch.history import History

    mode: Any = chance.choice(MODES)
    net = SimpleNamespace(history=History(), verbose=0)
    scoring = PassthroughScoring("m", lower_is_better=mode == "min").initialize()
    callback, saves = Checkpoint("m_best"), []
    for epoch, value in enumerate(curve):
        net.history.new_epoch()
        net.history.new_batch()
        net.history.record_batch("m", value)
        net.history.record_batch("valid_batch_size", 1)
        scoring.on_epoch_end(net)
        callback.save_model = lambda _, epoch=epoch: saves.append(epoch)
        callback.on_epoch_end(net)
    return Case({"mode": mode}, es.peers.skorch.checkpoint("m_best", mode=mode), "m", [], saves)
