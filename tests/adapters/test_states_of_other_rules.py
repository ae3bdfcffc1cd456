"""The state of other rules is refused by every adapter that loads one, and nothing of it is taken.

Each saves with one pair of rules, loads with another, which is refused, then with the first.
"""

from __future__ import annotations

import contextlib
import json
import re
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import lightgbm as lgb
import numpy as np
import pytest
import torch
import xgboost as xgb
from earlystop.adapters import ignite, lightgbm, lightning, ray, transformers, xgboost
from earlystop.adapters import keras as keras_adapter
from earlystop.adapters import ultralytics as ultralytics_adapter
from earlystop.adapters.loop import EpochLoop
from earlystop.adapters.torch import Training
from ignite.engine import Engine

import earlystop as es

from .test_ultralytics import Trainer

LOSSES = [0.5, 0.75, 0.625, 0.6875]  # stops at the last with a patience of 3


class Rules(NamedTuple):
    stop: es.Rule
    save: es.Rule


def rules(name: str = "loss", patience: int = 3, mode: Any = "min") -> Rules:
    return Rules(es.Patience(name, patience, mode=mode), es.Best(name, mode))


OTHERS: dict[str, Callable[[str], Rules]] = {
    "other numbers": lambda name: rules(name, patience=4),
    "the other direction": lambda name: rules(name, mode="max"),
    "another kind": lambda name: Rules(es.MaxEpochs(9), rules(name).save),
    "one rule more": lambda name: Rules(rules(name).stop | es.MaxEpochs(9), rules(name).save),
    "another idea of the best": lambda name: Rules(rules(name).stop, es.Best(name, "min", 0.125)),
}


class Adapter:
    """Trains for two checks; then goes on, until it is stopped."""

    name = "loss"  # of the metric

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, rules: Rules) -> None:
        """Take two losses, and save."""
        raise NotImplementedError

    def go_on(self, rules: Rules) -> int:
        """Load, and take the other losses: after how many of all it was stopped."""
        raise NotImplementedError


class Direct(Adapter):
    """One with a state that is passed by hand."""

    def make(self, rules: Rules) -> Any:
        raise NotImplementedError

    def begin(self, rules: Rules) -> None:
        one = self.make(rules)
        for loss in LOSSES[:2]:
            one.stopper.step({"loss": loss})
        self.state = json.loads(json.dumps(one.state_dict()))

    def go_on(self, rules: Rules) -> int:
        one = self.make(rules)
        before = one.stopper.state_dict()
        try:
            one.load_state_dict(self.state)
        except es.StateError:
            assert one.stopper.state_dict() == before
            raise
        stops = [one.stopper.step({"loss": loss}).stop for loss in LOSSES[2:]]
        return 2 + len(stops) if stops == [False, True] else 0


class Lightning(Direct):
    def make(self, rules: Rules) -> Any:
        return lightning.EarlyStopping(stop=rules.stop, save=rules.save)


class Ignite(Direct):
    def make(self, rules: Rules) -> Any:
        trainer = Engine(lambda engine, batch: None)
        return ignite.EarlyStopping(trainer=trainer, stop=rules.stop, save=rules.save)


class Loop(Direct):
    def make(self, rules: Rules) -> Any:
        return EpochLoop(es.Stopper(*rules))


class Transformers(Adapter):
    arguments = types.SimpleNamespace(eval_strategy="epoch", load_best_model_at_end=False)

    def train(self, rules: Rules, begin: int, states: Any = None) -> tuple[Any, int]:
        callback = transformers.EarlyStoppingCallback(stop=rules.stop, save=rules.save)
        name = type(callback).__name__
        state = types.SimpleNamespace(
            **{"global_step": 4 * begin, "epoch": float(begin), "is_world_process_zero": True},
            **{"stateful_callbacks": {} if states is None else {name: states}},
        )
        control = types.SimpleNamespace()
        try:
            callback.on_train_begin(self.arguments, state, control)
        except es.StateError:
            assert callback.stopper.checks == 0
            raise
        for epoch, loss in enumerate(LOSSES[begin:] if begin else (), begin + 1):
            if callback.stopper.step({"loss": loss}, epoch=epoch, step=4 * epoch).stop:
                return callback, epoch
        return callback, 0

    def begin(self, rules: Rules) -> None:
        callback, _ = self.train(rules, 0)
        for epoch, loss in enumerate(LOSSES[:2], 1):
            callback.stopper.step({"loss": loss}, epoch=epoch, step=4 * epoch)
        self.state = json.loads(json.dumps(callback.state()))

    def go_on(self, rules: Rules) -> int:
        return self.train(rules, 2, self.state)[1]


class Ray(Adapter):
    def begin(self, rules: Rules) -> None:
        stopper = ray.RuleStopper(stop=rules.stop, save=rules.save)
        self.report(stopper, 0, 2)
        self.state = json.loads(json.dumps(stopper.get_state()))

    def report(self, stopper: Any, begin: int, end: int) -> int:
        for number, loss in enumerate(LOSSES[begin:end], begin + 1):
            if stopper("trial", {"training_iteration": number, "loss": loss}):
                return number
        return 0

    def go_on(self, rules: Rules) -> int:
        stopper = ray.RuleStopper(stop=rules.stop, save=rules.save)
        try:
            stopper.set_state(self.state)
        except es.StateError:
            assert stopper.get_state()["trials"] == {}
            raise
        return self.report(stopper, 2, 4)


class XGBoost(Adapter):
    name = "valid-m"

    def train(self, rules: Rules, losses: list[float], model: Any) -> Any:
        data = xgb.DMatrix(np.arange(8.0).reshape(8, 1), np.arange(8.0))
        callback = xgboost.EarlyStopping(stop=rules.stop, save=rules.save)
        calls = iter(losses)
        return xgb.train(
            {"nthread": 1, "max_depth": 1, "disable_default_eval_metric": 1},
            data,
            len(losses),
            evals=[(data, "valid")],
            custom_metric=lambda *_: ("m", next(calls)),
            callbacks=[callback],
            verbose_eval=False,
            xgb_model=model,
        )

    def begin(self, rules: Rules) -> None:
        self.model = self.train(rules, LOSSES[:2], None)

    def go_on(self, rules: Rules) -> int:
        before = self.model.attributes()
        booster = self.train(rules, LOSSES[2:], self.model)
        assert self.model.attributes() == before
        return int(booster.num_boosted_rounds()) if booster.attr("stopped_reason") else 0


class LightGBM(Adapter):
    name = "valid-m"

    def train(self, callback: Any, losses: list[float], model: Any) -> lgb.Booster:
        x = np.arange(40.0).reshape(40, 1)
        train = lgb.Dataset(x, x[:, 0], free_raw_data=False)
        calls = iter(losses)
        return lgb.train(
            {"verbosity": -1, "num_threads": 1, "metric": "none", "min_data_in_leaf": 2},
            train,
            len(losses),
            valid_sets=[lgb.Dataset(x, x[:, 0], reference=train, free_raw_data=False)],
            valid_names=["valid"],
            feval=lambda *_: ("m", next(calls), False),
            callbacks=[callback],
            init_model=model,
            keep_training_booster=True,
        )

    def make(self, rules: Rules) -> Any:
        return lightgbm.early_stopping(stop=rules.stop, save=rules.save, verbose=False)

    def begin(self, rules: Rules) -> None:
        callback = self.make(rules)
        self.model = self.train(callback, LOSSES[:2], None)
        self.state = json.loads(json.dumps(callback.state_dict()))

    def go_on(self, rules: Rules) -> int:
        callback = self.make(rules)
        try:
            callback.load_state_dict(self.state)
        except es.StateError:
            model = self.train(callback, LOSSES[:1], None)
            assert model.best_iteration == 1  # as one without a state
            raise
        model = self.train(
            callback,
            LOSSES[2:],
            lgb.Booster(model_str=self.model.model_to_string(num_iteration=-1)),
        )
        return model.num_trees() if callback.stopped_reason else 0


class OwnLightGBM(LightGBM):
    """With LightGBM's own arguments, whose metrics are known only in a training."""

    def make(self, rules: Rules) -> Any:
        patience = rules.stop.patience if isinstance(rules.stop, es.Patience) else 9
        return lightgbm.early_stopping(patience, verbose=False)


class Ultralytics(Adapter):
    name = "val/box_loss"

    def train(self, rules: Rules, until: int | None, resume: bool) -> tuple[Any, int]:
        trainer = Trainer([1 - loss for loss in LOSSES], self.folder, resume)
        stopper = ultralytics_adapter.early_stopping(trainer, stop=rules.stop, save=rules.save)
        try:
            return stopper, trainer.train(until)
        except es.StateError:
            assert stopper.stopper.checks == 0
            raise

    def begin(self, rules: Rules) -> None:
        self.train(rules, 2, False)

    def go_on(self, rules: Rules) -> int:
        stopper, last = self.train(rules, None, True)
        return last + 1 if stopper.stopped_reason else 0


class PyTorch(Adapter):
    def train(self, rules: Rules, resume: bool, most: int) -> int:
        model = torch.nn.Linear(1, 1)
        before = model.weight.clone()
        try:
            training = Training(es.Stopper(*rules), model, folder=self.folder, resume=resume)
        except es.StateError:
            assert torch.equal(model.weight, before)
            raise
        with contextlib.closing(training):
            for epoch in training.epochs(most):
                if training.step(loss=LOSSES[epoch]).stop:
                    return epoch + 1
        return 0

    def begin(self, rules: Rules) -> None:
        self.train(rules, False, 2)

    def go_on(self, rules: Rules) -> int:
        return self.train(rules, True, 4)


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


class Keras(Adapter):
    def fit(self, rules: Rules, begin: int, *more: Any) -> Any:
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        curve = iter(LOSSES[begin:])
        report = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: logs.update(loss=next(curve))
        )
        callback = keras_adapter.EarlyStopping(
            stop=rules.stop, save=rules.save, backup_dir=self.folder
        )
        before = [weight.copy() for weight in model.get_weights()]
        try:
            model.fit(
                *(np.ones((2, 1)), np.ones((2, 1))),
                **{"epochs": 4, "initial_epoch": begin, "verbose": 0},
                callbacks=[report, callback, *more],
            )
        except es.StateError:
            assert all(map(np.array_equal, before, model.get_weights()))
            assert callback.stopped_reason == ""
            raise
        finally:
            callback.close()
        return callback

    def begin(self, rules: Rules) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            self.fit(rules, 0, Interrupt())

    def go_on(self, rules: Rules) -> int:
        callback = self.fit(rules, 2)
        return int(callback.stopped_epoch) + 1 if callback.stopped_reason else 0


ADAPTERS = [
    *(Lightning, Ignite, Loop, Transformers, Ray, XGBoost, LightGBM, OwnLightGBM),
    *(Ultralytics, PyTorch, Keras),
]


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("other", OTHERS)
def test_a_state_of_other_rules_is_refused_and_nothing_is_taken_of_it(
    kind: type[Adapter], other: str, tmp_path: Path
) -> None:
    mine, others = rules(kind.name), OTHERS[other](kind.name)
    if kind is OwnLightGBM and isinstance(others.stop, es.Patience) and others.stop.patience == 3:
        return  # it has no other rules
    adapter = kind(tmp_path)
    adapter.begin(mine)
    differing = "save" if mine.stop == others.stop else "stop"
    pair = [repr(getattr(each, differing)) for each in (mine, others)]
    if kind is OwnLightGBM:  # whose rules have more settings
        pair = ["Patience('valid-m', patience=3, ", "Patience('valid-m', patience="]
    told = f"its {differing} rule is {pair[0]}.*, this stopper's is {pair[1]}"
    with pytest.raises(es.StateError, match=re.escape(told).replace(r"\.\*", ".*")):
        adapter.go_on(others)
    assert adapter.go_on(mine) == len(LOSSES)
