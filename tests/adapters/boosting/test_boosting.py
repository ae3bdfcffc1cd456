"""What the three adapters share: names of metrics, copies of callbacks, absent libraries."""

from __future__ import annotations

import copy
import importlib
import pickle
import sys
from typing import Any

import pytest
from earlystop.adapters.boosting import Reported, reported_metrics
from earlystop.adapters.catboost import EarlyStopping as CatBoostEarlyStopping
from earlystop.adapters.lightgbm import early_stopping
from earlystop.adapters.xgboost import EarlyStopping as XGBoostEarlyStopping

import earlystop as es


def test_a_name_that_may_be_either_of_two_metrics_is_refused() -> None:
    pairs = [("a", "b_auc"), ("a_b", "auc")]
    with pytest.raises(es.RuleError, match="'b_auc' of 'a' or 'auc' of 'a_b'"):
        reported_metrics("EarlyStopping", ["a_b_auc"], pairs)
    found = reported_metrics("EarlyStopping", ["a_b-auc"], pairs)
    assert found["a_b-auc"] == Reported("a_b", "auc")


def test_a_metric_called_as_a_deviation_is_itself() -> None:
    pairs = [("valid", "auc"), ("valid", "auc-std")]
    found = reported_metrics("cv", ["valid-auc-std"], pairs, folds=True)
    assert found["valid-auc-std"] == Reported("valid", "auc-std", 0)


def test_positions_are_no_metrics_of_a_data_set() -> None:
    assert reported_metrics("EarlyStopping", ["epoch", "step", "elapsed_seconds"], []) == {}


@pytest.mark.parametrize(
    "callback",
    [
        XGBoostEarlyStopping(rounds=3),
        XGBoostEarlyStopping(stop=es.Patience("valid-rmse", 3), save=es.Best("valid-rmse")),
        early_stopping(3),
        early_stopping(stop=es.EarlyStopping("valid-rmse")),
        CatBoostEarlyStopping(od_wait=3),
    ],
)
def test_callbacks_are_copied_and_pickled_as_frameworks_do(callback: Any) -> None:
    for copied in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        assert type(copied) is type(callback)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_without_the_library_the_import_says_what_to_install(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"earlystop.adapters.{library}"
    for loaded in [one for one in sys.modules if f"{one}.".startswith(f"{name}.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=f"needs {library}: pip install {library}$"):
        importlib.import_module(name)
