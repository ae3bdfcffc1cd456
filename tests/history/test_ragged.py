"""Runs of very unequal length take memory by the values there are, and are read alike."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.history.ragged import Ragged, cells_of, new_column, slices_within
from earlystop.replaying.batches import batches_by_length, batches_of, run_numbers
from earlystop.replaying.tuning import Tuning
from tests.cli.running import good
from tests.support import strategies
from tests.support.ragged import stored_ragged

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=8).map(
    lambda lengths: np.array(lengths, dtype=np.int64)
)
SHORT, LONG = 20, 20_000
FEW_MEGABYTES = 20 * 2**20  # padded, one metric of `many_runs` takes 48 MB, and its mask 6 MB


def many_runs() -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    runs = [{"val_loss": np.round(rng.random(SHORT), 2)} for _ in range(300)]
    return [*runs, {"val_loss": np.round(rng.random(LONG), 2)}]


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# One column ---------------------------------------------------------------------------------------


@given(st.data(), LENGTHS)
def test_any_part_of_a_ragged_column_is_that_of_the_padded_one(
    data: st.DataObject, lengths: Any
) -> None:
    column = Ragged(np.arange(1.0, lengths.sum() + 1), lengths)
    padded = np.full(column.shape, np.nan)
    padded[np.arange(column.shape[1]) < lengths[:, None]] = column.values
    runs = st.integers(0, len(lengths) - 1)
    few = data.draw(st.lists(runs, min_size=1, max_size=5))
    first, end = sorted(data.draw(st.tuples(st.integers(0, 12), st.integers(0, 12))))
    epochs = np.array([data.draw(st.integers(0, column.shape[1] - 1)) for _ in few])
    for rows in (slice(None), slice(1, 3), np.array(few), few[0]):
        np.testing.assert_array_equal(column[rows, first:end], padded[rows, first:end])
    np.testing.assert_array_equal(column[np.array(few), epochs], padded[np.array(few), epochs])
    np.testing.assert_array_equal(column[:, first:], padded[:, first:])
    taken = column.take(np.array(few))
    np.testing.assert_array_equal(taken[:, :], padded[few, : taken.shape[1]])
    flags = Ragged(column.values % 2 == 0, lengths)
    np.testing.assert_array_equal(flags.rows_with_any(), (padded % 2 == 0).any(axis=1))


@given(LENGTHS)
def test_a_new_column_is_padded_only_where_that_costs_little(lengths: Any) -> None:
    column = new_column(lengths, 0.5)
    stored = column.values if isinstance(column, Ragged) else column
    assert stored.size == cells_of(lengths) <= 4 * lengths.sum()
    assert (stored == 0.5).all()


@given(LENGTHS, st.integers(1, 30))
def test_slices_cover_all_runs_in_order_and_hold_few_cells(lengths: Any, cells: int) -> None:
    parts = list(slices_within(lengths, cells))
    assert [run for part in parts for run in range(len(lengths))[part]] == [*range(len(lengths))]
    for part in parts:
        chosen = lengths[part]
        assert len(chosen) == 1 or len(chosen) * max(1, chosen.max()) <= cells


# Batches ------------------------------------------------------------------------------------------


@given(LENGTHS, st.integers(1, 5), st.integers(0, 3))
def test_batches_by_length_hold_every_run_once_and_little_padding(
    lengths: Any, runs: int, most: int
) -> None:
    tuning = Tuning(runs_per_batch=runs, most_padding=most, padding_ignored=0)
    batches = [run_numbers(batch) for batch in batches_by_length(lengths, tuning)]
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    whole = len(lengths) * lengths.max() - lengths.sum()
    if whole > most * lengths.sum():
        for batch in batches:
            assert lengths[batch].max() <= max(1, lengths[batch].min()) * (1 + most)


@pytest.mark.parametrize("lengths", [[500] * 40, [100, 500] * 20])
def test_runs_of_much_the_same_length_are_batched_as_they_come(lengths: list[int]) -> None:
    tuning = Tuning(runs_per_batch=16, padding_ignored=0)
    batches = list(batches_by_length(np.array(lengths), tuning))
    assert batches == list(batches_of(len(lengths), tuning))


# A history ----------------------------------------------------------------------------------------


@given(strategies.histories(padded=True))
def test_a_ragged_history_holds_what_the_padded_one_does(history: es.History) -> None:
    ragged = pickle.loads(pickle.dumps(stored_ragged(history)))
    assert ragged.names == history.names
    for run in range(history.runs):
        assert repr(ragged.records(run)) == repr(history.records(run))
    for name in history.metrics:
        longest = int(history.lengths.max())
        assert ragged.reports(name) == history.reports(name)
        reported = history.reported(name)[:, :longest]
        np.testing.assert_array_equal(ragged.reported(name), reported)
        np.testing.assert_array_equal(ragged.has_gaps(name), history.has_gaps(name))
        np.testing.assert_array_equal(ragged.reported_epochs(name), reported.sum(axis=1))
        padded = history.metrics[name][:, : reported.shape[1]]
        np.testing.assert_array_equal(ragged.metrics[name][reported], padded[reported])
        if history.reports(name):
            one, other = history.where_reported(name), ragged.where_reported(name)
            assert one.names == other.names
            for run in range(one.runs):
                assert repr(other.records(run)) == repr(one.records(run))


@pytest.mark.parametrize("how", ["2 * loss - acc", lambda m: 2 * m["loss"] - m["acc"]])
def test_a_derived_metric_is_the_same(how: Any) -> None:
    runs: list[dict[str, Any]] = [{"loss": [1.0], "acc": [0.5]}] * 9
    runs.append({"loss": [3.0, 2.0, None, 1.0] * 9, "acc": [None, *[0.5] * 35]})
    history = es.History.from_runs(runs)
    assert isinstance(history.values("loss"), Ragged)
    derived = history.derive("both", how)
    assert isinstance(derived.values("both"), Ragged)
    expected = es.History({"loss": history.metrics["loss"], "acc": history.metrics["acc"]})
    np.testing.assert_array_equal(
        derived.metrics["both"], expected.derive("both", how).metrics["both"]
    )
    assert derived.records(0) == [{"loss": 1.0, "acc": 0.5, "both": 1.5}]
    assert [sorted(record) for record in derived.records(9)[:3]] == [
        ["loss"],
        ["acc", "both", "loss"],
        ["acc"],
    ]
    with pytest.raises(es.HistoryError, match=r"\(runs, epochs\) = \(10, 36\), got"):
        history.derive("constant", "1" if isinstance(how, str) else lambda m: np.ones(3))


# Memory -------------------------------------------------------------------------------------------


def test_one_long_run_among_short_ones_takes_memory_by_its_values() -> None:
    runs = many_runs()
    rule = es.EarlyStopping("val_loss", patience=10)
    made: list[es.History] = []
    assert peak_of(lambda: made.append(es.History.from_runs(runs))) < FEW_MEGABYTES
    history = made[0]
    assert peak_of(lambda: es.replay(rule, history).regret) < FEW_MEGABYTES
    assert peak_of(lambda: es.replay(rule, history, on_missing="raise")) < FEW_MEGABYTES
    sweep = es.Patience("val_loss"), history
    assert peak_of(lambda: es.sweep(*sweep, patience=range(1, 30)).regret) < FEW_MEGABYTES
    alpha = es.GeneralizationLoss("val_loss"), history
    assert peak_of(lambda: es.sweep(*alpha, alpha=[1.0, 5.0]).regret) < FEW_MEGABYTES
    assert isinstance(history[100:].values("val_loss"), Ragged)
    assert isinstance(history[:100].values("val_loss"), np.ndarray)


def test_nothing_asks_for_the_padded_arrays_of_all_runs(tmp_path: Path) -> None:
    for run in range(40):
        values = [round(1 / (1 + epoch) + (epoch * 7 % 5) / 9, 3) for epoch in range(12)]
        rows = values if run else values * 40
        path = tmp_path / f"{run:02d}.csv"
        path.write_text(
            "epoch,loss,val_loss\n" + "".join(f"{n},{x},{x}\n" for n, x in enumerate(rows))
        )
    monitor = ("--monitor", "val_loss", "--quiet")
    with mock.patch.object(Ragged, "padded", side_effect=AssertionError("padded")):
        history = es.read_history(str(tmp_path))
        assert isinstance(history.values("loss"), Ragged)
        assert history.derive("sum", "loss + val_loss").only(["sum"]).epochs == 480
        for command in (
            ["metrics", tmp_path],
            ["replay", tmp_path, *monitor, "--patience", "3", "--reasons"],
            ["sweep", tmp_path, *monitor, "--patience", "1:9"],
            ["advise", tmp_path, *monitor, "--max-regret", "20%"],
            ["report", tmp_path, *monitor, "--patience", "3", "-o", tmp_path / "report.html"],
        ):
            assert good(*command)
