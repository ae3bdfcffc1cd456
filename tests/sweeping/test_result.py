"""What a sweep gives: arrays, summaries, frames."""

import copy
import pickle
import sys
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import earlystop as es
from tests.support.agreement import exact_mean
from tests.support.random_rules import random_history
from tests.sweeping.swept import sweep


def test_histories_and_sweeps_can_be_pickled() -> None:
    history = random_history(np.random.default_rng(3), runs=20, epochs=10)
    table = sweep(es.Patience("loss"), history, patience=[1, 2])
    for again in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        assert again.names == history.names
        for run in range(20):
            assert repr(again.records(run)) == repr(history.records(run))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(table)).regret, table.regret)


@pytest.mark.parametrize("make", [pandas.DataFrame.from_arrow, polars.DataFrame, pyarrow.table])
def test_frames_take_a_sweep_as_it_is(make: Any) -> None:
    history = es.History({"loss": [[3.0, 4.0, 1.0]]})
    table = sweep(es.Patience("loss"), history, patience=[1, 2], min_delta=[0.0, 0.5])
    frame = make(table)
    columns = table.to_dict()
    assert {name: list(map(float, frame[name].to_numpy())) for name in columns} == columns
    rules = [es.Patience("loss", 1), es.Patience("loss", 2)]
    frame = make(sweep(es.Warmup(rules[0], 1), history, rule=rules))
    assert [str(value) for value in frame["rule"].to_numpy()] == [repr(rule) for rule in rules]
    both = [tuple(rules), (*rules, es.MaxEpochs(3))]
    frame = make(sweep(es.AnyOf(*rules), history, rules=both))
    assert [str(value) for value in frame["rules"].to_numpy()] == [repr(each) for each in both]


def test_without_pyarrow_a_frame_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    table = sweep(es.Patience("loss"), es.History({"loss": [[3.0, 4.0]]}), patience=[1])
    with pytest.raises(ImportError, match=r"needs pyarrow: pip install pyarrow$"):
        table.__arrow_c_stream__()


def test_settings_come_in_the_order_of_the_product() -> None:
    history = es.History({"loss": [[3.0, 2.0, 1.0]]})
    table = sweep(es.Patience("loss"), history, patience=[2, 1], min_delta=[0.5, 0.0])
    assert table.settings == [
        {"patience": 2, "min_delta": 0.5},
        {"patience": 2, "min_delta": 0.0},
        {"patience": 1, "min_delta": 0.5},
        {"patience": 1, "min_delta": 0.0},
    ]
    assert repr(table) == (
        "Sweep(Patience('loss', mode='min'): 4 settings of patience, min_delta, 1 run)"
    )


def test_summaries_agree_with_the_arrays() -> None:
    history = random_history(np.random.default_rng(3), runs=50, epochs=40)
    table = sweep(es.Patience("loss"), history, patience=range(1, 12))
    used = np.nansum(table.amounts(table.unit), axis=1)
    saved = 1 - used / table.logged
    np.testing.assert_allclose(table.share_saved, saved, rtol=1e-12)
    there = ~np.isnan(table.regret[0])
    assert table.mean_regret.tolist() == [exact_mean(row[there]) for row in table.regret]
    np.testing.assert_array_equal(
        table.quantile_epochs(0.9), np.quantile(table.epochs, 0.9, axis=1)
    )
    np.testing.assert_array_equal(
        table.quantile_regret(0.5), [np.quantile(r[there], 0.5) for r in table.regret]
    )
    columns = table.to_dict()
    own = [] if table.unit in ("checks", "epoch") else [f"mean_{table.unit}"]
    assert list(columns) == ["patience", "mean_epochs", *own, "share_saved", "mean_regret"]
    assert columns["patience"] == list(range(1, 12))
    assert columns["mean_epochs"] == table.mean_epochs.tolist()


def test_arrays_have_the_documented_shapes_and_types() -> None:
    history = es.History({"loss": [[3.0, 2.0], [1.0, 2.0], [2.0, 2.0]]})
    table = sweep(es.Patience("loss"), history, patience=[1, 2])
    for name, dtype in (
        ("epochs", "int64"),
        ("stopped", "bool"),
        ("best_epoch", "int64"),
        ("best", "float64"),
        ("regret", "float64"),
    ):
        assert getattr(table, name).shape == (2, 3)
        assert getattr(table, name).dtype == dtype
