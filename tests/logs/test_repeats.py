"""Runs that were resumed or begun anew: what replaces what, and what stays."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
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
    records = log(0, 1, 1, 2, 3, 4, 5, 5, 6)
    again = [(0, 0), (1, 2), (2, 3), (3, 4), (4, 5), (5, 7), (6, 8)]
    assert runs(records) == [again]
    assert len(runs(records, repeats="keep")[0]) == 9


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
            assert reported == sorted(reported)
            if "several rows share" not in str(es.read_history(log(*epochs)).report):
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


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_a_coordinate_that_never_changes_says_nothing(rows: int) -> None:
    assert runs(log(*[0] * rows)) == [[(0, row) for row in range(rows)]]


def test_of_coordinates_that_differ_in_case_the_first_counts() -> None:
    records = [{"Step": up, "step": 9 - up, "loss": float(up)} for up in (1, 2, 3, 2)]
    assert es.read_history(records).coordinates["Step"].tolist() == [[1, 2]]


def test_rows_of_one_step_are_as_few_epochs_as_keep_every_row() -> None:
    records = [{"step": 1, "a": 0.0, "b": 0.0}, {"step": 3, "a": 1.0, "b": 1.0}]
    records += [{"step": 3, "b": 2.0}, {"step": 3, "a": 3.0}]
    history = es.read_history(records, repeats="keep")
    assert [record["a"] for record in history.records(0) if "a" in record] == [0, 1, 3]
    assert history.epochs == 3


def test_what_came_late_keeps_all_its_rows_when_a_resumption_shows() -> None:
    records: list[dict[str, Any]] = [{"step": s, "loss": float(s)} for s in range(6)]
    records += [
        {"step": 3, "val": 9.0, "wall_time": 50.0},
        {"step": 3, "acc": 1.0, "wall_time": 60.0},
    ]
    history = es.read_history([*records, {"step": 3, "loss": 33.0}])
    assert history.records(0)[3] == {"loss": 33.0, "val": 9.0, "acc": 1.0}
    assert history.coordinates["wall_time"][0, 3] == 60


def test_a_report_at_the_highest_step_again_after_a_late_row_is_a_resumption() -> None:
    records: list[dict[str, Any]] = [{"step": s, "loss": float(s)} for s in range(3)]
    records += [{"step": 1, "val": 9.0}, {"step": 2, "loss": 22.0}]
    history = es.read_history(records)
    assert [record["loss"] for record in history.records(0) if "loss" in record] == [0, 1, 22]
    assert "resumed 1 time, at 2" in str(history.report)


def test_a_step_that_begins_anew_as_often_within_an_epoch_as_with_one_counts_alone() -> None:
    pairs = [(0, 10), (0, 20), (1, 10), (1, 20), (1, 10)]
    records = [{"epoch": e, "iter": i, "loss": 1.0} for e, i in pairs]
    assert es.read_history(records).lengths.tolist() == [2, 2, 1]
    most = [*records, {"epoch": 2, "iter": 5, "loss": 1.0}]
    assert es.read_history(most).lengths.tolist() == [4]


def test_each_source_is_reported_with_the_names_of_its_own_runs() -> None:
    several = {"run": ["a", "a", "b"], "epoch": [0, 1, 0], "loss": [1.0, 2.0, 3.0]}
    again = {"epoch": [0, 1, 1], "loss": [4.0, 5.0, 6.0]}
    tables = [
        [dict(zip(t, row, strict=True)) for row in zip(*t.values(), strict=True)]
        for t in (several, again)
    ]
    history = es.read_history(tables)
    assert history.report is not None
    first, second = history.report.files
    assert first.runs + second.runs == history.names
    assert (len(first.runs), len(second.runs)) == (2, 1)
    assert second.notes == ("1 value reported again at the same epoch: the last counts",)


def test_a_direction_is_reported_where_all_runs_that_state_it_agree() -> None:
    def stated(log: es.logs.Source) -> Iterator[es.logs.Run]:
        rows = log.rows()
        rows.add({"loss": 1.0, "score": 2.0, "other": 3.0})
        run = rows.run()
        run.modes = {"loss": "min", "score": log.text.strip()}
        yield run

    own = es.logs.LogFormat("stated", lambda log: log.text.strip() in ("min", "max"), stated)
    es.logs.register(own)
    report = es.read_history([io.StringIO("min"), io.StringIO("max")]).report
    assert report is not None
    assert report.modes == {"loss": "min"}


def test_steps_that_go_to_and_fro_are_no_resumptions() -> None:
    """Episodes of several environments are logged as they end, each at its own step."""
    steps = [100 * row + (0, 70, 35)[row % 3] * 10 for row in range(300)]
    records = [{"step": s, "reward": float(row)} for row, s in enumerate(steps)]
    history = es.read_history(records)
    assert [record["reward"] for record in history.records(0)] == [float(r) for r in range(300)]
    assert "'step' falls back" in str(history.report)
    assert "all rows are kept, in the order of the log" in str(history.report)
