"""Numbers by which nothing could be decided are refused, where frameworks take them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import ignite.handlers
import keras
import lightgbm
import lightning.pytorch
import optuna
import pytest
import ray.tune.stopper
import skorch.callbacks
import transformers
import xgboost
from earlystop.adapters import ignite as ignite_adapter
from earlystop.adapters import keras as keras_adapter
from earlystop.adapters import lightgbm as lightgbm_adapter
from earlystop.adapters import lightning as lightning_adapter
from earlystop.adapters import optuna as optuna_adapter
from earlystop.adapters import ray as ray_adapter
from earlystop.adapters import skorch as skorch_adapter
from earlystop.adapters import transformers as transformers_adapter
from earlystop.adapters import xgboost as xgboost_adapter
from ignite.engine import Engine

import earlystop as es

Make = Callable[..., Any]

_ENGINE = Engine(lambda engine, batch: None)
NOT_FINITE = (math.nan, math.inf, -math.inf)
NOT_WHOLE = (1.5, True)


def initialized(make: Make) -> Make:
    return lambda **settings: make(**settings).initialize()


# Ours, theirs, what both need, then which arguments refuse which numbers.
KINDS: dict[str, tuple[Make, Make, dict[str, Any], dict[str, tuple[Any, ...]]]] = {
    "lightning": (
        lightning_adapter.EarlyStopping,
        lightning.pytorch.callbacks.EarlyStopping,
        {"monitor": "loss"},
        {
            **dict.fromkeys(
                ("min_delta", "stopping_threshold", "divergence_threshold"), NOT_FINITE
            ),
            "patience": (*NOT_WHOLE, -1),
        },
    ),
    "transformers": (
        transformers_adapter.EarlyStoppingCallback,
        transformers.EarlyStoppingCallback,
        {},
        {
            "early_stopping_threshold": (*NOT_FINITE, None),
            "early_stopping_patience": (*NOT_WHOLE, "2"),
        },
    ),
    "ignite": (
        ignite_adapter.EarlyStopping,
        ignite.handlers.EarlyStopping,
        {"patience": 2, "score_function": float, "trainer": _ENGINE},
        {"threshold": (math.nan, math.inf), "patience": NOT_WHOLE},
    ),
    "skorch": (
        initialized(skorch_adapter.EarlyStopping),
        initialized(skorch.callbacks.EarlyStopping),
        {},
        {"threshold": NOT_FINITE, "patience": (*NOT_WHOLE, -1)},
    ),
    "xgboost": (
        xgboost_adapter.EarlyStopping,
        xgboost.callback.EarlyStopping,
        {"rounds": 2},
        {"min_delta": (math.nan, math.inf), "rounds": (*NOT_WHOLE, -1)},
    ),
    "lightgbm": (
        lightgbm_adapter.early_stopping,
        lightgbm.early_stopping,
        {"stopping_rounds": 2},
        {"min_delta": NOT_FINITE, "first_metric_only": (1,), "verbose": (0,)},
    ),
    "keras": (
        keras_adapter.EarlyStopping,
        keras.callbacks.EarlyStopping,
        {},
        {
            **dict.fromkeys(("min_delta", "baseline"), NOT_FINITE),
            **dict.fromkeys(("patience", "start_from_epoch"), (*NOT_WHOLE, -1)),
        },
    ),
    "optuna, patient": (
        optuna_adapter.RulePruner,
        optuna.pruners.PatientPruner,
        {"wrapped_pruner": None, "patience": 2},
        {"min_delta": (math.nan, math.inf), "patience": NOT_WHOLE},
    ),
    "optuna, threshold": (
        optuna_adapter.RulePruner,
        optuna.pruners.ThresholdPruner,
        {},
        {"upper": NOT_FINITE, "lower": NOT_FINITE},
    ),
    "ray": (
        ray_adapter.RuleStopper,
        ray.tune.stopper.TrialPlateauStopper,
        {"metric": "loss", "mode": "min"},
        {
            **dict.fromkeys(("std", "metric_threshold"), NOT_FINITE),
            **{"num_results": (1, 2.5), "grace_period": (1.5, -1)},
        },
    ),
}
CASES = [
    (kind, name, value)
    for kind, (_, _, _, refused) in KINDS.items()
    for name, values in refused.items()
    for value in values
]


@pytest.mark.parametrize(("kind", "name", "value"), CASES)
def test_differs_a_number_by_which_nothing_could_be_decided_is_refused(
    kind: str, name: str, value: Any
) -> None:
    ours, theirs, needed, _ = KINDS[kind]
    given = {**needed, name: value}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of theirs are experimental
        theirs(**given)
    with pytest.raises(es.RuleError, match=rf"`\w+\({name}=...\)`"):
        ours(**given)
