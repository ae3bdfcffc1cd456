"""Whatever a training calls a metric is read as the number it is, or refused with a clear error.

Each adapter trains on values of that kind. Where the framework itself takes or refuses the value,
its own error is clear enough, and ours is not asked.
"""

from __future__ import annotations

import contextlib
import decimal
import fractions
import json
import logging
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import keras
import lightgbm as lgb
import numpy as np
import optuna as theirs
import pytest
import torch
from earlystop.adapters import ignite, lightgbm, lightning, optuna, ray, sklearn, skorch
from earlystop.adapters import keras as keras_adapter
from earlystop.adapters import transformers as transformers_adapter
from earlystop.adapters import ultralytics as ultralytics_adapter
from earlystop.adapters import xgboost as xgboost_adapter
from earlystop.adapters.loop import EpochLoop
from earlystop.adapters.torch import Training
from ignite.engine import Events
from sklearn.linear_model import SGDRegressor
from transformers.trainer_utils import denumpify_detensorize

import earlystop as es

from .boosting import lightgbm_trainings, test_xgboost
from .ignite.runs import engines
from .lightning import fits
from .skorch import nets
from .transformers.trainings import STEPS, CurveTrainer, trainer_for

LOSSES = [0.75, 0.5, 0.625, 0.6875, 0.25]  # stops at the fourth with a patience of 2
Convert = Callable[[float], Any]
theirs.logging.set_verbosity(theirs.logging.CRITICAL)


def _eval_result(value: float) -> Any:
    make: Any = getattr(lgb.basic, "EvalResult", None)  # a plain tuple before LightGBM 4.7
    parts = ("valid", "l2", value, False)
    return parts if make is None else make(*parts)


NUMBERS: dict[str, Convert] = {
    "a tensor": torch.tensor,
    "a tensor with a gradient": lambda x: torch.tensor(x, requires_grad=True) * 1,
    "a tensor of one element": lambda x: torch.tensor([x]),
    "an array of JAX": jnp.float32,
    "a tensor of Keras": keras.ops.convert_to_tensor,
    "an array without a dimension": np.array,
    "a number of NumPy": np.float32,
    "a Decimal": lambda x: decimal.Decimal(str(x)),
    "a Fraction": fractions.Fraction,
    "a Decimal in an array": lambda x: np.array(decimal.Decimal(str(x)), dtype=object),
}
OTHERS: dict[str, Convert] = {
    "a tuple": lambda x: (x, 0.1),
    "a tuple of one": lambda x: (x,),
    "a list": lambda x: [x],
    "a mapping": lambda x: {"mean": x},
    "an EvalResult": _eval_result,
    "text": str,
    "text in an array": lambda x: np.array(str(x)),
    "a tensor without a value": lambda x: torch.tensor(x, device="meta"),
    "a signaling NaN": lambda x: decimal.Decimal("sNaN"),
}


def rules(name: str = "loss") -> dict[str, es.Rule]:
    return {"stop": es.Patience(name, 2, mode="min"), "save": es.Best(name, "min")}


def by_stopper(convert: Convert, folder: Path) -> int:
    stopper = es.Stopper(**rules())
    return 1 + [stopper.step({"loss": convert(x)}).stop for x in LOSSES[:4]].index(True)


def by_pytorch(convert: Convert, folder: Path) -> int:
    training = Training(es.Stopper(**rules()), torch.nn.Linear(1, 1))
    return len([training.step(loss=convert(LOSSES[epoch])) for epoch in training.epochs(5)])


def by_loop(convert: Convert, folder: Path) -> int:
    loop = EpochLoop(es.Stopper(**rules()), max_epochs=5)
    return len([loop.report(loss=convert(LOSSES[epoch])) for epoch in loop])


def by_lightning(convert: Convert, folder: Path) -> int:
    class Model(fits.Curve):
        def on_validation_epoch_end(self) -> None:
            self.log("val_loss", convert(LOSSES[self.current_epoch]))

    callback = lightning.EarlyStopping("val_loss", patience=2)
    trainer = fits.trainer_for(folder, callback, max_epochs=5, num_sanity_val_steps=0)
    fits.fit(trainer, Model([]))
    return int(trainer.current_epoch)


def by_transformers(convert: Convert, folder: Path) -> int:
    class Evaluating(CurveTrainer):
        def evaluation_loop(self, *args: Any, **options: Any) -> Any:
            self.more = {"m": convert(LOSSES[self.state.global_step // STEPS - 1])}
            with contextlib.suppress(TypeError, RuntimeError):  # as its own loop does, if it can
                self.more = denumpify_detensorize(self.more)
            return super().evaluation_loop(*args, **options)

        def _save_checkpoint(self, *args: Any, **options: Any) -> None:
            """Whether what was evaluated can be written as JSON is not ours to say."""

    callback = transformers_adapter.EarlyStoppingCallback(**rules("eval_m"))
    settings = {"save_strategy": "no", "load_best_model_at_end": False, "num_train_epochs": 5}
    trainer = trainer_for(folder, [0] * 99, callback, **settings, made=Evaluating)
    trainer.train()
    return trainer.state.global_step // STEPS


def by_ignite(convert: Convert, folder: Path) -> int:
    trainer, evaluator = engines([convert(x) for x in LOSSES], "loss")
    handler = ignite.EarlyStopping(trainer=trainer, **rules())
    for each in (handler, trainer, evaluator):
        each.logger.setLevel(logging.CRITICAL)
    evaluator.add_event_handler(Events.COMPLETED, handler)
    return trainer.run([0], max_epochs=5).epoch


def by_score(convert: Convert, folder: Path) -> int:
    trainer, evaluator = engines([convert(x) for x in LOSSES], "loss")
    handler = ignite.EarlyStopping(2, lambda e: e.state.metrics["loss"], trainer, mode="min")
    for each in (handler, trainer, evaluator):
        each.logger.setLevel(logging.CRITICAL)
    evaluator.add_event_handler(Events.COMPLETED, handler)
    return trainer.run([0], max_epochs=5).epoch


def by_skorch(convert: Convert, folder: Path) -> int:
    callback = skorch.EarlyStopping(**rules("score"), sink=lambda text: None)
    curve = [convert(x) for x in LOSSES]
    return len(nets.net(curve, callback, max_epochs=5).fit(nets.X, nets.X).history)


def by_keras(convert: Convert, folder: Path) -> int:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    curve = iter(LOSSES)
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(m=convert(next(curve)))
    )
    path = folder / "best.keras"
    callbacks = [
        report,
        keras_adapter.EarlyStopping("m", patience=2, mode="min"),
        keras_adapter.ModelCheckpoint(path, "m", save_best_only=True, mode="min"),
    ]
    one = np.ones((2, 1))
    history = model.fit(one, one, epochs=5, verbose=0, callbacks=callbacks)
    assert callbacks[1].best == callbacks[2].best == 0.5
    return len(history.epoch)


def by_xgboost(convert: Convert, folder: Path) -> int:
    callback = xgboost_adapter.EarlyStopping(rounds=2)
    return test_xgboost.scripted([convert(x) for x in LOSSES], callback).num_boosted_rounds()


def by_lightgbm(convert: Convert, folder: Path) -> int:
    callback = lightgbm.early_stopping(2)
    last: list[int] = []
    count = lambda env: last.append(env.iteration + 1)  # noqa: E731
    count.order = 20  # type: ignore[attr-defined]  # before ours
    curves: Any = [[("m", convert(x), False)] for x in LOSSES]
    booster = lightgbm_trainings.scripted(curves, count, callback)
    state = json.loads(json.dumps(callback.state_dict(), allow_nan=False))
    lightgbm.early_stopping(2).load_state_dict(state)
    assert state["waits"][0]["best"] == [1, [["a", "m", 0.5, False]]]
    assert booster.best_iteration == 2
    return last[-1]


def by_sklearn(convert: Convert, folder: Path) -> int:
    scores = iter(LOSSES)
    estimator = sklearn.EarlyStoppingRegressor(
        SGDRegressor(),
        scoring=lambda *_: {"m": convert(next(scores))},
        stop=es.Patience("valid_m", 2, mode="min"),
        save=es.Best("valid_m", "min"),
        max_iter=5,
        random_state=0,
    )
    x = np.arange(20.0).reshape(20, 1)
    return int(estimator.fit(x, x[:, 0]).n_iter_)


def by_ray(convert: Convert, folder: Path) -> int:
    stopper = ray.RuleStopper(**rules())
    results = [{"training_iteration": n, "loss": convert(x)} for n, x in enumerate(LOSSES, 1)]
    ended = [stopper("trial", result) for result in results[:4]].index(True) + 1
    json.dumps(stopper.get_state(), allow_nan=False)
    return ended


def by_optuna(convert: Convert, folder: Path) -> int:
    study = theirs.create_study()
    callback = optuna.stop_study(rules()["stop"])
    study.optimize(lambda trial: convert(LOSSES[trial.number]), n_trials=5, callbacks=[callback])
    return len(study.trials)


def by_ultralytics(convert: Convert, folder: Path) -> int:
    at = {"epoch": 0}
    trainer = types.SimpleNamespace(
        **{"callbacks": {}, "args": None, "tloss": None, "resume": False, "start_epoch": 0},
        **{"best_fitness": 0.0, "fitness": 0.0, "metrics": {}},
        label_loss_items=lambda losses: {"m": convert(LOSSES[at["epoch"]])},
    )
    trainer.add_callback = lambda event, call: trainer.callbacks.setdefault(event, []).append(call)
    ultralytics_adapter.early_stopping(trainer, **rules("m"))
    trainer.callbacks["on_pretrain_routine_end"][0](trainer)
    for at["epoch"] in range(5):
        if trainer.stopper(at["epoch"] + 1, 0.0):
            break
    return at["epoch"] + 1


OURS = [
    *(by_stopper, by_pytorch, by_loop, by_transformers, by_ignite, by_score, by_skorch, by_keras),
    *(by_lightgbm, by_sklearn, by_ray, by_ultralytics),
]
THEIRS = [by_lightning, by_xgboost, by_optuna]  # which make numbers of all metrics themselves
REFUSED = {
    by_lightning: {"an array of JAX", "an array without a dimension", "a Decimal in an array"}
}


SLOW = {by_transformers: {"a tensor", "a Decimal", "a tuple", "an EvalResult"}}  # only with these


def trainings(adapters: Sequence[Any], values: dict[str, Convert]) -> Iterator[Any]:
    for train in adapters:
        for what, convert in values.items():
            if what not in REFUSED.get(train, ()) and what in SLOW.get(train, {what}):
                yield pytest.param(train, convert, id=f"{train.__name__}: {what}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("train", "convert"), trainings([*OURS, *THEIRS], NUMBERS))
def test_a_number_of_any_kind_is_read(train: Any, convert: Convert, tmp_path: Path) -> None:
    assert train(convert, tmp_path) == 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("train", "convert"), trainings(OURS, OTHERS))
def test_what_is_no_number_is_refused_by_name(train: Any, convert: Convert, tmp_path: Path) -> None:
    with pytest.raises(es.MetricError, match=r"the metric '[a-z_-]*' must be one real number, got"):
        train(convert, tmp_path)


def test_a_metric_of_lightgbm_that_no_rule_asks_for_may_be_anything() -> None:
    curves: Any = [[("m", x, False), ("pair", (x, x), False)] for x in LOSSES]
    callback = lightgbm.early_stopping(**rules("a-m"))
    assert lightgbm_trainings.scripted(curves, callback).best_iteration == 2
    best = json.loads(json.dumps(callback.state_dict()))["waits"][0]["best"]
    assert best == [1, [["a", "m", 0.5, False]]]
