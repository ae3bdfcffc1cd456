"""Rows of one table or list that belong to several metrics, splits or runs."""

from __future__ import annotations

import decimal
import fractions
import json
import math
from typing import Any

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.logs.reading import logged, read


def as_csv(records: list[dict[str, Any]]) -> str:
    return pandas.DataFrame(records).to_csv(index=False)


def as_lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def values(history: es.History, name: str) -> dict[str, list[float]]:
    """The values of a metric in each run, by the name of the run."""
    return {run: logged(history, name, row) for row, run in enumerate(history.names)}


@pytest.mark.parametrize("write", [as_csv, as_lines])
@pytest.mark.parametrize("names", [("metric", "value"), ("name", "value"), ("tag", "values")])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_long_table_has_a_metric_for_each_name(
    write: Any, names: tuple[str, str], grouped: bool
) -> None:
    column, value = names
    of_metrics = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.5, 2.5, 1.5]}
    rows = [(e, m, of_metrics[m][e]) for e in range(3) for m in of_metrics]
    if grouped:
        rows.sort(key=lambda row: row[1])
    history = read(write([{"epoch": e, column: m, value: v} for e, m, v in rows]))
    assert list(history.metrics) == list(of_metrics)
    assert {name: logged(history, name) for name in history.metrics} == of_metrics
    assert history.coordinates["epoch"].tolist() == [[0, 1, 2]]
    assert column in str(history.report)


def test_a_long_table_may_tell_splits_and_runs_apart_as_well() -> None:
    rows = [
        {"run_id": run, "step": step, "set": part, "metric": metric, "value": 1000.0 * n + step}
        for run in ("a", "b")
        for step in range(3)
        for n, (part, metric) in enumerate([("train", "loss"), ("val", "loss"), ("val", "acc")])
    ]
    history = read(as_csv(rows))
    assert history.names == ("a", "b")
    assert list(history.metrics) == ["train/loss", "val/loss", "val/acc"]
    assert logged(history, "val/loss", 1) == [1000, 1001, 1002]


@pytest.mark.parametrize("name", ["set", "dataset", "phase", "Data", "which"])
@pytest.mark.parametrize("grouped", [False, True])
def test_text_that_names_splits_is_a_part_of_the_names_of_metrics(name: str, grouped: bool) -> None:
    rows = [(e, part) for e in range(4) for part in ("train", "valid")]
    if grouped:
        rows.sort(key=lambda row: row[1])
    records = [{"epoch": e, name: p, "loss": e + (0.5 if p == "valid" else 0.0)} for e, p in rows]
    history = read(as_csv(records))
    assert history.runs == 1
    assert logged(history, "train/loss") == [0, 1, 2, 3]
    assert logged(history, "valid/loss") == [0.5, 1.5, 2.5, 3.5]


@given(
    number=st.integers(2, 4),
    epochs=st.integers(2, 6),
    name=st.sampled_from(["cv_fold", "rank", "worker_id", "seed_nr", "fold", "runId", "method"]),
    order=st.sampled_from(["in turns", "one after the other", "mixed"]),
    data=st.data(),
)
def test_no_part_is_written_over_another(
    number: int, epochs: int, name: str, order: str, data: st.DataObject
) -> None:
    rows = [(epoch, part) for epoch in range(epochs) for part in range(number)]
    if order == "one after the other":
        rows.sort(key=lambda row: row[1])
    elif order == "mixed":
        parts = data.draw(st.permutations(range(number)))
        rows = [(epoch, part) for epoch in range(epochs) for part in parts]
    label = "abcd" if name == "method" else range(4)
    records = [{"epoch": e, name: label[p], "loss": 100.0 * p + e} for e, p in rows]
    history = es.read_history(records)
    assert history.runs == number
    expected = [[100.0 * part + e for e in range(epochs)] for part in range(number)]
    assert sorted(logged(history, "loss", run) for run in range(number)) == expected
    assert list(history.metrics) == ["loss"]


def test_parts_that_only_several_columns_tell_apart_are_runs() -> None:
    rows = [
        {"epoch": e, "model": m, "cv_fold": f, "loss": 100.0 * f + e + (0.5 if m == "b" else 0.0)}
        for e in range(3)
        for m in "ab"
        for f in range(2)
    ]
    history = read(as_csv(rows))
    found = values(history, "loss")
    assert found["a/cv_fold=1"] == [100, 101, 102]
    assert found["b/cv_fold=0"] == [0.5, 1.5, 2.5]
    assert "'model', 'cv_fold'" in str(history.report)


def test_a_long_table_may_have_several_values_of_each_metric() -> None:
    rows = [
        {"epoch": e, "metric": m, "mean": float(e), "std": 0.5}
        for e in range(3)
        for m in ("loss", "acc")
    ]
    history = read(as_csv(rows))
    assert list(history.metrics) == ["loss/mean", "loss/std", "acc/mean", "acc/std"]
    assert history.lengths.tolist() == [3]


def test_text_that_tells_nothing_apart_is_left_out_and_named() -> None:
    rows = [
        {"epoch": e, "at": f"12:0{e}", "comment": "abc"[e % 3], "loss": float(e)} for e in range(9)
    ]
    history = read(as_csv(rows))
    assert logged(history, "loss") == list(range(9))
    assert "left out: at, comment" in str(history.report)


def test_a_run_resumed_on_another_machine_is_one_run() -> None:
    rows = [{"epoch": e, "host": "a", "loss": float(e)} for e in range(6)]
    rows += [{"epoch": e, "host": "b", "loss": 10.0 + e} for e in range(4, 8)]
    history = read(as_csv(rows))
    assert history.runs == 1
    assert logged(history, "loss") == [0, 1, 2, 3, 14, 15, 16, 17]


def test_a_metric_whose_name_is_that_of_a_label_stays_one_where_it_tells_nothing_apart() -> None:
    rows = [{"epoch": e, "rank": float(e % 2), "loss": float(e)} for e in range(6)]
    assert set(read(as_csv(rows)).metrics) == {"rank", "loss"}


def test_a_note_that_all_runs_share_is_told_once() -> None:
    rows = [{"run": r, "epoch": e, "loss": 1.0, "say": "x"} for r in "abc" for e in range(2)]
    assert str(read(as_csv(rows)).report).count("left out: say") == 1


def test_a_parquet_file_of_a_long_table_is_read(tmp_path: Any) -> None:
    rows = [
        {"epoch": e, "metric": m, "value": e + (m == "val_loss") / 2}
        for e in range(3)
        for m in ("loss", "val_loss")
    ]
    table = pyarrow.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, tmp_path / "long.parquet")
    history = es.read_history(tmp_path / "long.parquet")
    assert logged(history, "val_loss") == [0.5, 1.5, 2.5]


@pytest.mark.parametrize(
    "number",
    [
        "0.25",
        " 0.25 ",
        decimal.Decimal("0.25"),
        fractions.Fraction(1, 4),
        np.float16(0.25),
        np.array(0.25),
        np.array([[0.25]]),
        [0.25],
        torch.tensor(0.25),
        torch.tensor([0.25], requires_grad=True),
    ],
    ids=repr,
)
def test_whatever_is_one_number_is_read_as_one(number: Any) -> None:
    records = [{"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": number}, {"epoch": 2, "loss": 0.125}]
    assert logged(es.read_history(records), "loss") == [0.5, 0.25, 0.125]


@pytest.mark.parametrize("gap", [None, "", "None", "n/a", np.ma.masked])
def test_what_stands_for_no_value_is_a_gap(gap: Any) -> None:
    records = [{"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": gap}, {"epoch": 2, "loss": 0.125}]
    assert logged(es.read_history(records), "loss") == [0.5, 0.125]


@pytest.mark.parametrize(
    "value",
    [
        True,
        1j,
        {"_type": "image", "size": 3},
        [[1.0], [2.0]],
        ["a"],
        [0.0] * 1000,
        "bad",
        b"1",
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_left_out_and_named(value: Any) -> None:
    records = [{"epoch": e, "loss": 1.0, "extra": value} for e in range(3)]
    history = es.read_history(records)
    assert list(history.metrics) == ["loss"]
    assert "left out: extra" in str(history.report)


def test_the_numbers_of_a_list_are_metrics_by_their_place() -> None:
    rows = [{"epoch": e, "iou": [0.5 + e, None, math.inf], "loss": 1.0} for e in range(3)]
    history = read(as_lines(rows).replace("Infinity", '"inf"'))
    assert list(history.metrics) == ["iou/0", "iou/2", "loss"]
    assert logged(history, "iou/0") == [0.5, 1.5, 2.5]
    tensors = [{"epoch": 0, "iou": torch.tensor([0.5, 0.25])}]
    assert logged(es.read_history(tensors), "iou/1") == [0.25]


def test_lists_of_varying_length_are_left_out_and_named() -> None:
    rows = [{"epoch": e, "batches": [0.5] * (1 + e % 3), "loss": 1.0} for e in range(4)]
    history = read(as_lines(rows))
    assert list(history.metrics) == ["loss"]
    assert "left out: batches" in str(history.report)
