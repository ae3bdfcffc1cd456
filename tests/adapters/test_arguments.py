"""An argument that an adapter does not take is answered with what it is called there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from earlystop.adapters import catboost, lightgbm, lightning, optuna, ray, skorch, transformers
from earlystop.adapters import ignite as ignite_adapter
from earlystop.adapters import keras as keras_adapter
from earlystop.adapters import sklearn as sklearn_adapter
from earlystop.adapters import xgboost as xgboost_adapter

import earlystop as es


@pytest.mark.parametrize(
    ("made", "argument", "told"),
    [
        (lightning.EarlyStopping, "restore_best_weights", "write best_path=...; "),
        (transformers.EarlyStoppingCallback, "patience", "write early_stopping_patience=...; "),
        (ignite_adapter.EarlyStopping, "stopping_rounds", "write patience=...; "),
        (xgboost_adapter.EarlyStopping, "patience", "write rounds=...; "),
        (lightgbm.early_stopping, "rounds", "write stopping_rounds=...; "),
        (catboost.EarlyStopping, "patience", "write od_wait=.*; "),
        (skorch.EarlyStopping, "min_delta", "write threshold=...; "),
        (sklearn_adapter.EarlyStoppingClassifier, "patience", "write n_iter_no_change=...; "),
        (keras_adapter.EarlyStopping, "load_best", "write restore_best_weights=...; "),
        (optuna.RulePruner, "n_warmup", "did you mean 'n_warmup_steps'?"),
        (ray.RuleStopper, "monitor", "write metric=...; "),
    ],
)
def test_an_argument_of_another_framework_is_answered_with_its_name_here(
    made: Callable[..., Any], argument: str, told: str
) -> None:
    with pytest.raises(es.RuleTypeError, match=f"there is no such argument: .*{told}") as caught:
        made(**{argument: 3})
    assert isinstance(caught.value, TypeError)
    assert f"({argument}=...)" in str(caught.value)
