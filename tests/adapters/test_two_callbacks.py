"""Two callbacks on one metric in one training: each decides by itself, or it is told clearly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost as cat
import keras
import numpy as np
import optuna as theirs
import pytest
import torch
from earlystop.adapters import catboost, ignite, lightgbm, lightning, optuna, skorch
from earlystop.adapters import keras as keras_adapter
from earlystop.adapters import ray as ray_adapter
from earlystop.adapters import transformers as transformers_adapter
from earlystop.adapters import ultralytics as ultralytics_adapter
from earlystop.adapters import xgboost as xgboost_adapter
from ignite.engine import Events
from ray.tune.stopper import CombinedStopper
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback

import earlystop as es

from .boosting import lightgbm_trainings, test_xgboost
from .ignite.runs import engines
from .lightning import fits
from .test_ultralytics import Trainer
from .transformers.trainings import STEPS, trainer_for

LOSSES = [0.9, 0.5, 0.75, 0.7, 0.4, 0.45, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
SOONER, LATER = 3, 5  # patience; the sooner ends the training after ALL checks
ALL = 8
theirs.logging.set_verbosity(theirs.logging.ERROR)

Ended = tuple[int, list[tuple[int, str]]]  # how many checks, and what each callback has seen


def rule(patience: int, name: str = "loss") -> dict[str, es.Rule]:
    return {"stop": es.Patience(name, patience, mode="min"), "save": es.Best(name, "min")}


def seen(stopper: es.Stopper) -> tuple[int, str]:
    return stopper.checks, stopper.reason


def of_lightning(patiences: list[int], folder: Path) -> Ended:
    made = [
        lightning.EarlyStopping("val_loss", patience=n, best_path=folder / f"{n}.ckpt")
        for n in patiences
    ]
    trainer = fits.trainer_for(folder, *made, max_epochs=len(LOSSES))
    fits.fit(trainer, fits.Curve(np.repeat(LOSSES, fits.BATCHES)))
    best = {torch.load(one.best_path, weights_only=True)["epoch"] for one in made}
    assert best == {4}
    return trainer.current_epoch, [seen(one.stopper) for one in made]


def of_transformers(patiences: list[int], folder: Path) -> Ended:
    rules = [rule(n, "eval_loss") for n in patiences]
    made = [transformers_adapter.EarlyStoppingCallback(**one) for one in rules]
    trainer = trainer_for(folder, [0, *np.repeat(LOSSES, STEPS)], *made)
    trainer.train()
    assert trainer.state.best_global_step == 5 * STEPS
    return trainer.state.global_step // STEPS, [seen(one.stopper) for one in made]


def of_ignite(patiences: list[int], folder: Path) -> Ended:
    trainer, evaluator = engines(LOSSES, "loss")
    made = [ignite.EarlyStopping(trainer=trainer, **rule(n)) for n in patiences]
    for one in made:
        one.logger.setLevel(logging.ERROR)
        evaluator.add_event_handler(Events.COMPLETED, one)
    ended = trainer.run([0], max_epochs=len(LOSSES)).epoch
    return ended, [seen(one.stopper) for one in made]


def of_keras(patiences: list[int], folder: Path) -> Ended:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    curve = iter(LOSSES)
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(val_loss=next(curve))
    )
    made = [
        keras_adapter.EarlyStopping(patience=n, backup_dir=folder / str(n), mode="min")
        for n in patiences
    ]
    one = np.ones((2, 1))
    history = model.fit(one, one, epochs=len(LOSSES), verbose=0, callbacks=[report, *made])
    assert [each.best_epoch for each in made] == [4, 4]
    return len(history.epoch), [seen(each._stopper) for each in made]


def of_xgboost(patiences: list[int], folder: Path) -> Ended:
    made = [xgboost_adapter.EarlyStopping(rounds=n) for n in patiences]
    booster = test_xgboost.scripted(LOSSES, *made, name="loss")
    assert booster.best_iteration == 4
    stoppers = [one._rounds.session.stopper for one in made if one._rounds is not None]
    return booster.num_boosted_rounds(), [seen(one) for one in stoppers]


def of_lightgbm(patiences: list[int], folder: Path) -> Ended:
    made = [lightgbm.early_stopping(n, verbose=False) for n in patiences]
    ended = []
    last = lambda env: ended.append(env.iteration + 1)  # noqa: E731
    last.order = 20  # type: ignore[attr-defined]  # before ours
    curves = [[("loss", value, False)] for value in LOSSES]
    booster = lightgbm_trainings.scripted(curves, last, *made)
    assert booster.best_iteration == 5
    return ended[-1], [seen(one._waits[0].rounds.session.stopper) for one in made]


class Report(Callback):
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.history.record("loss", LOSSES[len(net.history) - 1])


def of_skorch(patiences: list[int], folder: Path) -> Ended:
    made = [skorch.EarlyStopping("loss", n, sink=lambda text: None) for n in patiences]
    settings = {"module__in_features": 1, "module__out_features": 1, "train_split": None}
    net = NeuralNetRegressor(
        torch.nn.Linear,
        **settings,
        max_epochs=len(LOSSES),
        verbose=0,
        callbacks=[("report", Report()), *made],
    )
    net.fit(np.ones((4, 1), "float32"), np.ones((4, 1), "float32"))
    ours = [one for _, one in net.callbacks_ if isinstance(one, skorch.EarlyStopping)]
    return len(net.history), [seen(one.stopper_) for one in ours if one.stopper_ is not None]


def of_optuna(patiences: list[int], folder: Path) -> Ended:
    study = theirs.create_study()
    made = [optuna.stop_study(rule(n)["stop"]) for n in patiences]
    study.optimize(lambda trial: LOSSES[trial.number], n_trials=len(LOSSES), callbacks=[*made])
    return len(study.trials), [seen(one.stopper) for one in made]


TRAININGS = [
    *(of_lightning, of_transformers, of_ignite, of_keras, of_xgboost, of_lightgbm),
    *(of_skorch, of_optuna),
]


@pytest.mark.parametrize("patiences", [[SOONER, LATER], [LATER, SOONER]])
@pytest.mark.parametrize("train", TRAININGS)
def test_each_of_two_decides_by_itself(
    train: Callable[[list[int], Path], Ended], patiences: list[int], tmp_path: Path
) -> None:
    ended, told = train(patiences, tmp_path)
    by_patience = dict(zip(patiences, told, strict=True))
    assert ended == ALL
    assert by_patience[SOONER][0] == ALL
    assert " has not improved on 0.4" in by_patience[SOONER][1]
    # LightGBM asks the others first or not at all, by the order of a set.
    assert by_patience[LATER] in [(ALL, "")] + [(ALL - 1, "")] * (train is of_lightgbm)


@pytest.mark.parametrize("patiences", [[3, 6], [6, 3]])
def test_each_of_two_of_catboost_decides_by_itself(patiences: list[int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = (x[:, 0] + rng.normal(size=200) > 0).astype(int)

    def train(*callbacks: Any) -> int:
        settings = {"verbose": False, "allow_writing_files": False, "thread_count": 1}
        model = cat.CatBoostClassifier(iterations=60, learning_rate=0.3, **settings)
        model.fit(x[:100], y[:100], eval_set=(x[100:], y[100:]), callbacks=[*callbacks])
        return int(model.tree_count_)

    alone = catboost.EarlyStopping(od_wait=3)
    made = [catboost.EarlyStopping(od_wait=n) for n in patiences]
    assert train(*made) == train(alone)
    assert {one.best_iteration for one in made} == {alone.best_iteration}
    assert sorted(one.stopped_reason for one in made) == ["", alone.stopped_reason]


def test_rules_of_ray_combined_stop_each_trial_at_the_first_of_them() -> None:
    sooner, later = (ray_adapter.RuleStopper(rule(n)["stop"]) for n in (SOONER, LATER))
    for both in (CombinedStopper(sooner, later), CombinedStopper(later, sooner)):
        for number, loss in enumerate(LOSSES, 1):
            result = {"training_iteration": number, "loss": loss}
            if both("trial", result):
                break
        assert number == ALL
        assert " has not improved on 0.4" in result["stopped_reason"]


def test_a_pruner_that_wraps_another_of_ours_prunes_where_both_would() -> None:
    pruner = optuna.RulePruner(
        optuna.RulePruner(stop=rule(LATER)["stop"]), stop=rule(SOONER)["stop"]
    )
    study = theirs.create_study(pruner=pruner)

    def objective(trial: theirs.Trial) -> float:
        for step, loss in enumerate(LOSSES):
            trial.report(loss, step)
            if trial.should_prune():
                raise theirs.TrialPruned
        return 0.0

    study.optimize(objective, n_trials=1)
    assert study.trials[0].last_step == ALL + 1  # two later than the sooner alone
    assert " for 5 checks" not in study.trials[0].user_attrs["stopped_reason"]


# What cannot stand side by side -------------------------------------------------------------------


def test_one_that_is_in_the_place_of_another_is_refused(tmp_path: Path) -> None:
    same = [lightning.EarlyStopping("val_loss", patience=3) for _ in range(2)]
    with pytest.raises(RuntimeError, match=r"`callback.state_key` must be unique"):  # Lightning's
        fits.trainer_for(tmp_path, *same)

    trainer = Trainer([1 - loss for loss in LOSSES])
    ultralytics_adapter.early_stopping(trainer, SOONER)
    with pytest.raises(es.RuleError, match=r"has been given one before.*join the rules by \|"):
        ultralytics_adapter.early_stopping(trainer, LATER)
    assert trainer.train() == ALL - 1

    one = np.ones((2, 1))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    both = [keras_adapter.EarlyStopping("loss", patience=n, backup_dir=tmp_path) for n in (3, 5)]
    with pytest.raises(es.CheckpointError, match="is in use by this process"):
        model.fit(one, one, epochs=2, verbose=0, callbacks=both)
    for each in both:
        each.close()
