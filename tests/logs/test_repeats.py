"""Runs that were resumed or begun anew: what replaces what, and what stays."""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es

nan = math.nan


def runs(records: list[dict[str, Any]], **options: Any) -> list[list[tuple[float, float]]]:
    """The epochs of each run, as (epoch, loss)."""
    history = es.read_history(records, **options)
    epochs = history.coordinates["epoch"]
    loss = history.metrics["loss"]
    return [
        [(epochs[run, i], loss[run, i]) for i in range(history.lengths[run])]
        for run in range(history.runs)
    ]


def log(*epochs: int) -> list[dict[str, Any]]:
    """Rows of these epochs, each with a loss that says which row it is."""
    return [{"epoch": epoch, "loss": float(row)} for row, epoch in enumerate(epochs)]


def test_a_resumed_run_replaces_what_it_reports_again() -> None:
    records = log(0, 1, 2, 3, 2, 3, 4)
    assert runs(records) == [[(0, 0), (1, 1), (2, 4), (3, 5), (4, 6)]]
    assert len(runs(records, repeats="keep")[0]) == 7


def test_rows_after_the_epoch_of_a_resumption_are_dropped() -> None:
    assert runs(log(0, 1, 2, 3, 4, 2)) == [[(0, 0), (1, 1), (2, 5)]]


def test_a_run_that_starts_over_is_another_run() -> None:
    assert runs(log(0, 1, 2, 0, 1)) == [[(0, 0), (1, 1), (2, 2)], [(0, 3), (1, 4)]]
    assert runs(log(5, 6, 3, 4)) == [[(5, 0), (6, 1)], [(3, 2), (4, 3)]]
    assert len(runs(log(0, 1, 0, 1), repeats="keep")) == 2


def test_an_epoch_reported_twice_in_a_row_counts_once() -> None:
    assert runs(log(0, 1, 1, 2, 2)) == [[(0, 0), (1, 2), (2, 4)]]
    assert len(runs(log(0, 1, 1, 2, 2), repeats="keep")[0]) == 5


def test_a_constant_coordinate_is_ignored() -> None:
    assert runs(log(0, 0, 0)) == [[(0, 0), (0, 1), (0, 2)]]


def test_rows_of_one_step_are_one_epoch_whatever_each_reports() -> None:
    records = [
        {"step": 9, "train": 1.0},
        {"step": 9, "val": 2.0},
        {"step": 19, "val": 1.0},
        {"step": 19, "train": nan},
    ]
    history = es.read_history(records)
    assert history.epochs == 2
    np.testing.assert_array_equal(history.metrics["train"], [[1.0, nan]])
    assert history.reported("train").all()
    one = es.read_history(records[:2])
    assert one.epochs == 1


def test_a_late_row_is_not_a_resumption() -> None:
    records = [{"step": s, "train": float(s)} for s in (10, 20, 30)]
    records.insert(2, {"step": 10, "val": 0.5})
    history = es.read_history(records)
    assert history.epochs == 4
    assert history.coordinates["step"].tolist() == [[10, 20, 10, 30]]
    assert "resumed" not in str(history.report)


def test_a_resumption_may_begin_with_another_metric() -> None:
    records: list[dict[str, Any]] = [{"step": s, "loss": float(s)} for s in range(6)]
    records += [{"step": 3, "val": 9.0}, {"step": 3, "loss": 33.0}, {"step": 4, "loss": 44.0}]
    history = es.read_history(records)
    assert history.metrics["loss"].tolist() == [[0, 1, 2, 33, 44]]
    assert history.metrics["val"][0, 3] == 9


def test_rows_without_a_step_go_with_the_row_before() -> None:
    records: list[dict[str, Any]] = []
    for step in (1, 2, 3, 2, 3):
        records += [{"step": step, "loss": 1.0}, {"val": float(len(records))}]
    history = es.read_history(records)
    assert [r["val"] for r in history.records(0) if "val" in r] == [0, 6, 8]


def test_steps_that_restart_with_each_epoch_start_no_new_run() -> None:
    records = [{"epoch": e, "iter": i, "loss": 1.0} for e in range(3) for i in (10, 20)]
    assert es.read_history(records).lengths.tolist() == [6]
    again = records + [{"epoch": 1, "iter": i, "loss": 2.0} for i in (10, 20)]
    assert es.read_history(again).metrics["loss"].tolist() == [[1, 1, 2, 2]]


def test_a_coordinate_of_an_unusual_name_can_be_named() -> None:
    records = [{"tick": t, "loss": float(i)} for i, t in enumerate((1, 2, 3, 2, 3))]
    assert es.read_history(records).epochs == 5
    history = es.read_history(records, coordinate="tick")
    assert history.metrics["loss"].tolist() == [[0, 3, 4]]
    assert list(history.metrics) == ["loss"]


@given(
    st.integers(1, 30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5),
)
def test_a_resumed_run_keeps_the_last_value_of_every_epoch(
    first: int, resumed: list[tuple[int, int]]
) -> None:
    """Each row reports what the run is at that epoch: the last to report it is what counts."""
    rows, expected = [(0, 0)], {0: 0}
    at = 0
    for epoch in range(1, first + 1):
        at += 1
        rows.append((epoch, at))
        expected[epoch] = at
    for back, more in resumed:
        start = min(max(1, back), max(expected) + 1)  # at 0 another run would begin
        expected = {epoch: value for epoch, value in expected.items() if epoch < start}
        for epoch in range(start, start + more + 1):
            at += 1
            rows.append((epoch, at))
            expected[epoch] = at
    records = [{"epoch": epoch, "loss": float(value)} for epoch, value in rows]
    assert runs(records) == [sorted(expected.items())]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_every_row_is_in_some_run_where_all_are_kept(epochs: list[int]) -> None:
    kept = runs(log(*epochs), repeats="keep")
    assert [value for run in kept for _, value in run] == list(range(len(epochs)))
    replaced = runs(log(*epochs))
    if len(set(epochs)) > 1:
        for run in replaced:
            reported = [epoch for epoch, _ in run]
            assert reported == sorted(set(reported))
    values = [value for run in replaced for _, value in run]
    assert values == sorted(values)


def test_what_was_replaced_is_reported() -> None:
    text = "epoch,loss\n" + "".join(f"{e},{e}\n" for e in (0, 1, 2, 3, 2, 3, 0, 1, 1))
    report = es.read_history(io.StringIO(text)).report
    assert report is not None
    (file,) = report.files
    said = "\n".join(file.notes)
    assert "2 runs" in said
    assert "resumed 1 time, at 2: 2 rows replaced" in said
    assert "1 value reported again" in said
    assert file.runs == ("open file #1", "open file #2")
    assert report.to_dict()["files"][0]["notes"] == list(file.notes)


def test_coordinates_and_report_survive_slices_and_pickles() -> None:
    history = es.read_history([{"epoch": [0, 1], "loss": [5, 6]}, {"epoch": [3], "loss": [7]}])
    for same in (history[1:], pickle.loads(pickle.dumps(history))[[1]]):
        assert same.coordinates["epoch"][0, 0] == 3
        assert math.isnan(same.coordinates["epoch"][0, 1])
        assert same.report == history.report
        assert same.names == history.names[1:]
