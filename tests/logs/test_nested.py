"""JSON whose log is a part of it, lists of unequal length, settings, and arrays with masks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.logs.reading import logged, read

LOSSES = [0.9, 0.5, 0.4, 0.45]
VALUES = {"loss": LOSSES, "val_loss": [1.0, 0.8, 0.9, 0.85]}
RECORDS = [dict(zip(VALUES, values, strict=True)) for values in zip(*VALUES.values(), strict=True)]
NUMBERED = [{"epoch": e, **record} for e, record in enumerate(RECORDS)]
SETTINGS = {"lr": 0.1, "betas": [0.9, 0.999], "loss": "mse", "layers": [{"units": 4}] * 9}


@pytest.mark.parametrize("name", ["history", "metrics", "results", "train_log", "whatever"])
@pytest.mark.parametrize("log", [VALUES, RECORDS, NUMBERED], ids=["lists", "records", "numbered"])
@pytest.mark.parametrize("deeper", [False, True])
def test_a_log_beside_settings_is_read(name: str, log: Any, deeper: bool) -> None:
    document = {"config": SETTINGS, "best_epoch": 1, name: {"values": log} if deeper else log}
    history = read(json.dumps(document))
    assert {metric: logged(history, metric) for metric in history.metrics} == VALUES
    for beside in ("config", "best_epoch"):
        assert beside in str(history.report)


@pytest.mark.parametrize("key", ["{}", "epoch_{}", "Epoch {}", "epoch{}"])
def test_records_by_the_number_of_their_epoch_are_read_in_order(key: str) -> None:
    numbers = [10, 2, 1, 9]
    document = {key.format(n): {"train": {"loss": float(n)}, "val_acc": n / 10} for n in numbers}
    history = read(json.dumps(document))
    assert logged(history, "train/loss") == [1, 2, 9, 10]
    assert history.coordinates["epoch"].tolist() == [[1, 2, 9, 10]]
    assert logged(read(json.dumps({"log": document, "seed": 3})), "val_acc") == [0.1, 0.2, 0.9, 1.0]


def test_splits_beside_each_other_are_parts_of_the_names() -> None:
    for log in (VALUES, NUMBERED):
        document = {"train": log, "val": log, "finished": True, "args": SETTINGS}
        history = read(json.dumps(document))
        assert history.runs == 1
        assert logged(history, "train/loss") == logged(history, "val/loss") == LOSSES


def test_the_runs_in_a_list_are_named_by_what_tells_them_apart() -> None:
    folds = [{"fold": f, "history": {"loss": [f + 0.5, 0.25], "n": [1, 2]}} for f in range(3)]
    history = read(json.dumps(folds))
    assert history.names == ("fold=0", "fold=1", "fold=2")
    assert logged(history, "loss", 2) == [2.5, 0.25]
    assert logged(read(json.dumps([VALUES, VALUES])), "val_loss", 1) == VALUES["val_loss"]


@pytest.mark.parametrize(
    "document",
    [
        SETTINGS,
        {"hidden_size": 64, "begin_suppress_tokens": [220, 50257]},
        {"model": {"adam_betas": [0.9, 0.999], "layers": 3}, "name": "x"},
        {"images": [{"id": 1, "width": 2}], "categories": [{"id": 1, "name": "cat"}]},
        {"0": {"precision": 0.5, "support": 3}, "1": {"precision": 0.25, "support": 4}},
        {"lr": 0.1, "batch_size": 32, "hidden": 64},
        {"0": {"width": 3}, "1": {"width": 4}},
    ],
    ids=str,
)
def test_settings_and_other_data_are_no_log(document: Any) -> None:
    with pytest.raises(es.LogError):
        read(json.dumps(document))


def test_a_single_record_is_a_run_of_one_epoch_and_said_to_be() -> None:
    history = read('{"epoch": 3, "eval_loss": 0.5}')
    assert history.lengths.tolist() == [1]
    assert "a single record" in str(history.report)


@given(epochs=st.integers(2, 60), every=st.integers(1, 12), first=st.booleans())
def test_lists_of_validation_every_few_epochs_are_read(
    epochs: int, every: int, first: bool
) -> None:
    losses = [1.0 / (e + 1) for e in range(epochs)]
    validated = losses[every - 1 :: every]
    lists = {"loss": losses, "val_loss": validated}
    if first:
        lists = dict(reversed(lists.items()))
    if len(validated) < 2:
        return
    history = read(json.dumps(lists))
    assert logged(history, "loss") == losses
    assert logged(history, "val_loss") == validated
    if every > 1:
        assert "val_loss" in str(history.report)
    if epochs % every == 0:
        rows = np.flatnonzero(history.reported("val_loss")[0])
        assert rows.tolist() == list(range(every - 1, epochs, every))


def test_lists_that_were_not_asked_for_are_no_obstacle() -> None:
    text = json.dumps({"loss": [1.0] * 9, "val_loss": [0.5] * 9, "norms": [0.1] * 7})
    assert logged(read(text, metrics="val_loss"), "val_loss") == [0.5] * 9
    with pytest.raises(es.LogError, match="name the metrics to keep"):
        read(text)
    with pytest.raises(es.LogError, match="norms 7"):
        read(text, metrics=["loss", "norms"])


def test_numbers_in_lists_may_be_text() -> None:
    history = read('{"loss": ["0.5", "0.25", null, 0.125], "ids": ["1", "2", "3", "4"]}')
    assert logged(history, "loss") == [0.5, 0.25, 0.125]
    assert list(history.metrics) == ["loss"]
    assert "left out: ids" in str(history.report)


@pytest.mark.parametrize("inner", ["", "history"])
def test_lists_of_numbers_with_one_unit_are_read_and_what_else_there_is_is_told(inner: str) -> None:
    lists = {"loss": [0.5, 0.25], "acc": ["91%", None], "time": ["2 s", "3 min"], "note": "x"}
    document = {inner: lists, "seed": 3} if inner else lists
    history = read(json.dumps(document))
    assert logged(history, "acc") == [91.0]
    assert [*history.metrics] == ["loss", "acc"]
    told = str(history.report)
    assert "acc: in per cent, as written" in told
    assert "no lists of numbers, left out: time, note" in told


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=4))
def test_what_is_masked_in_an_array_is_a_gap(mask: list[list[bool]]) -> None:
    values = np.arange(3.0 * len(mask)).reshape(-1, 3)
    if all(all(row) for row in mask):
        return
    history = es.read_history(np.ma.masked_array(values, mask))
    kept = [run for run, row in enumerate(mask) if not all(row)]
    assert [logged(history, "value", i) for i in range(history.runs)] == [
        [v for v, hidden in zip(values[run], mask[run], strict=True) if not hidden] for run in kept
    ]


@given(st.sets(st.integers(0, 10**6), min_size=2, max_size=9).map(sorted))
def test_values_by_step_of_each_metric_keep_their_steps(steps: list[int]) -> None:
    values = {name: {str(s): s / k for s in steps} for k, name in enumerate(VALUES, 1)}
    history = read(json.dumps(values))
    assert {name: logged(history, name) for name in history.metrics} == {
        name: list(column.values()) for name, column in values.items()
    }
    if steps != list(range(len(steps))):
        assert history.coordinates["step"].tolist() == [steps]


BY_NAME = {
    "lists": ({"history": VALUES, "params": 3}, {"history": {"loss": [1.0, 0.5]}, "params": 4}),
    "records": ({"log": NUMBERED}, {"log": NUMBERED[:2]}),
    "side by side": (NUMBERED, NUMBERED[:2]),
    "numbered": ({"1": RECORDS[0], "2": RECORDS[1]}, {"1": RECORDS[0], "2": RECORDS[2]}),
}


@pytest.mark.parametrize("parts", BY_NAME.values(), ids=BY_NAME)
@pytest.mark.parametrize("deeper", [False, True])
def test_runs_by_name_are_runs_in_the_order_of_the_file(parts: Any, deeper: bool) -> None:
    named = dict(zip(("lstm", "gru"), parts, strict=True))
    history = read(json.dumps({"models": named, "seed": 1} if deeper else named))
    assert history.names == ("lstm", "gru")
    first = "loss" if "loss" in history.metrics else "value"
    assert logged(history, first)[0] == LOSSES[0]
    assert history.lengths[1] == 2
    if "history" in parts[0]:
        assert "only models/*/history" in str(history.report) or not deeper
        assert "*/params" in str(history.report)


def test_parts_of_other_metrics_are_no_runs_and_are_named_as_left_out() -> None:
    evaluations = [{"step": s, "return": 1.0} for s in (1, 2)]
    history = read(json.dumps({"loss_history": NUMBERED, "eval_history": evaluations}))
    assert history.runs == 1
    assert "only loss_history is read; left out: eval_history" in str(history.report)


def test_records_of_each_part_of_the_data_are_one_run_wherever_they_stand() -> None:
    for parts in (
        {"train": NUMBERED, "val": NUMBERED},
        {"train": {"history": NUMBERED}, "val": {"history": NUMBERED}},
    ):
        history = read(json.dumps(parts))
        assert history.runs == 1
        assert logged(history, "train/loss") == logged(history, "val/loss") == LOSSES


def test_a_list_of_runs_may_stand_beside_settings() -> None:
    runs = [{"fold": fold, "history": VALUES} for fold in range(2)]
    history = read(json.dumps({"config": SETTINGS, "folds": runs}))
    assert history.names == ("fold=0", "fold=1")
    assert "only folds is read; left out: config" in str(history.report)
