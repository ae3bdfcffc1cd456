"""What is saved last among the best k need not be the best: what brings the best back says so."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from earlystop.adapters.catboost import EarlyStopping as CatBoostStopping
from earlystop.adapters.keras import EarlyStopping as KerasStopping
from earlystop.adapters.lightgbm import early_stopping
from earlystop.adapters.lightning import EarlyStopping as LightningStopping
from earlystop.adapters.loop import EpochLoop
from earlystop.adapters.sklearn import EarlyStoppingRegressor
from earlystop.adapters.skorch import EarlyStopping as SkorchStopping
from earlystop.adapters.torch import Training
from earlystop.adapters.transformers import EarlyStoppingCallback
from earlystop.adapters.ultralytics import early_stopping as ultralytics_stopping
from earlystop.adapters.xgboost import EarlyStopping as XGBoostStopping
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import SGDRegressor
from skorch import NeuralNetRegressor

import earlystop as es

STOP = es.Patience("loss", 3)
X = np.linspace(-1, 1, 40, dtype="float32").reshape(-1, 1)


def fit_skorch(save: es.Rule) -> None:
    stopping = SkorchStopping(stop=STOP, save=save, load_best=True, sink=str)
    net = NeuralNetRegressor(
        torch.nn.Linear, module__in_features=1, module__out_features=1, callbacks=[stopping]
    )
    net.initialize().notify("on_train_begin", X=X, y=X)


def begin_transformers(save: es.Rule) -> None:
    arguments = types.SimpleNamespace(eval_strategy="epoch", load_best_model_at_end=True)
    state = types.SimpleNamespace(global_step=0, stateful_callbacks={}, epoch=0)
    control = types.SimpleNamespace(should_training_stop=False)
    EarlyStoppingCallback(stop=STOP, save=save).on_train_begin(arguments, state, control)


def fit_sklearn(save: es.Rule) -> None:
    EarlyStoppingRegressor(SGDRegressor(), max_iter=2, stop=STOP, save=save).fit(X, X[:, 0])


THAT_BRING_BACK: dict[str, Callable[[es.Rule], Any]] = {
    "loop": lambda save: EpochLoop(es.Stopper(STOP, save), save=print, restore=print),
    "torch": lambda save: Training(es.Stopper(STOP, save), torch.nn.Linear(1, 1)),
    "keras": lambda save: KerasStopping(stop=STOP, save=save, restore_best_weights=True),
    "lightning": lambda save: LightningStopping(stop=STOP, save=save, best_path="best.ckpt"),
    "xgboost": lambda save: XGBoostStopping(stop=STOP, save=save),
    "lightgbm": lambda save: early_stopping(stop=STOP, save=save),
    "catboost": lambda save: CatBoostStopping(stop=STOP, save=save),
    "ultralytics": lambda save: ultralytics_stopping(
        types.SimpleNamespace(add_callback=lambda *_: None), stop=STOP, save=save
    ),
    "skorch": fit_skorch,
    "transformers": begin_transformers,
    "sklearn": fit_sklearn,
}


@pytest.mark.parametrize("name", THAT_BRING_BACK)
@pytest.mark.parametrize(
    "save",
    [es.TopK("loss", 3), es.Warmup(es.TopK("loss", 3), 2), es.TopK("loss", 2) | es.Never()],
)
def test_what_brings_the_best_back_refuses_a_top_k(name: str, save: es.Rule) -> None:
    with pytest.raises(es.RuleError, match=r"takes what is saved last for the best.*save=Best\("):
        THAT_BRING_BACK[name](save)


@pytest.mark.parametrize("name", [name for name in THAT_BRING_BACK if name != "sklearn"])
def test_the_best_one_is_no_other_than_the_best(name: str) -> None:
    THAT_BRING_BACK[name](es.TopK("loss", 1))


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=12))
def test_a_loop_that_restores_nothing_saves_the_best_few(values: list[float]) -> None:
    saved: list[int] = []
    stopper = es.Stopper(es.Never(), es.TopK("loss", 3))
    with EpochLoop(
        stopper, max_epochs=len(values), save=lambda epoch, metrics: saved.append(epoch)
    ) as loop:
        for epoch in loop:
            loop.report(loss=values[epoch])
    best = sorted(range(len(values)), key=lambda epoch: (values[epoch], epoch))[:3]
    assert set(best) <= set(saved)


def test_a_keras_checkpoint_of_the_best_few_is_as_before(tmp_path: Path) -> None:
    from earlystop.adapters.keras import ModelCheckpoint

    ModelCheckpoint(tmp_path / "{epoch}.keras", save=es.TopK("val_loss", 3))
