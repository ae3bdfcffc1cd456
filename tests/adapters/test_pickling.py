"""Callbacks go to other processes, as Lightning's "ddp_spawn" sends them, and are copied."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from earlystop.adapters import catboost, lightgbm, lightning, optuna, ray, skorch, transformers
from earlystop.adapters import xgboost as xgboost_adapter

import earlystop as es

RULE = es.Patience("loss", 2)


@pytest.mark.parametrize("by", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
@pytest.mark.parametrize(
    "make",
    [
        lambda: lightning.EarlyStopping("loss", patience=2),
        lambda: lightning.EarlyStopping(stop=RULE, save=es.Best("loss")),
        lambda: transformers.EarlyStoppingCallback(2),
        lambda: transformers.EarlyStoppingCallback(stop=RULE),
        lambda: xgboost_adapter.EarlyStopping(stop=RULE),
        lambda: lightgbm.early_stopping(stop=RULE),
        lambda: catboost.EarlyStopping(stop=RULE),
        lambda: skorch.EarlyStopping(stop=RULE),
        lambda: optuna.RulePruner(stop=RULE),
        lambda: optuna.stop_study(RULE),
        lambda: ray.RuleStopper(stop=RULE),
    ],
)
def test_a_callback_is_pickled_and_copied(
    make: Callable[[], Any], by: Callable[[Any], Any]
) -> None:
    made = make()
    again = by(made)
    assert type(again) is type(made)
    assert repr(getattr(again, "stopper", None)) == repr(getattr(made, "stopper", None))


def test_a_callback_of_lightning_goes_on_where_it_was_pickled() -> None:
    callback = lightning.EarlyStopping(stop=RULE)
    for loss in (0.5, 0.6):
        callback.stopper.step({"loss": loss})
    again = pickle.loads(pickle.dumps(callback))
    assert again.wait_count == 1
    assert again.stopper.step({"loss": 0.7}).stop
    assert again.stopping_reason.name == "NOT_STOPPED"  # which the Trainer's checks set


def test_a_stop_of_a_study_that_was_pickled_decides_on_all_of_its_trials() -> None:
    import optuna as theirs

    theirs.logging.set_verbosity(theirs.logging.ERROR)
    study, callback = theirs.create_study(), optuna.stop_study(es.Patience("loss", 3))
    study.optimize(lambda trial: abs(trial.number - 1), n_trials=3, callbacks=[callback])
    again = pickle.loads(pickle.dumps(callback))
    study.optimize(lambda trial: abs(trial.number - 1), n_trials=9, callbacks=[again])
    assert len(study.trials) == 5
    assert again.stopped_reason.startswith("loss has not improved on 0 (epoch 1)")
