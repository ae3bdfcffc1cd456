"""Histories: what they accept, what they refuse, and what they keep apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.random_rules import METRICS, random_history
from tests.support.strategies import histories

nan = math.nan


def test_a_gap_is_not_a_logged_nan() -> None:
    history = es.History({"loss": [[1.0, None, nan]], "acc": np.ma.masked_equal([[0, 9, 2]], 9)})
    assert history.reported("loss").tolist() == [[True, False, True]]
    assert history.reported("acc").tolist() == [[True, False, True]]
    first, second, third = history.records(0)
    assert (first, second) == ({"loss": 1.0, "acc": 0.0}, {})
    assert math.isnan(third["loss"])


def test_values_beyond_the_end_of_a_run_are_ignored() -> None:
    history = es.History({"loss": [[3, 2, 1], [3, 2, 1]]}, lengths=[3, 1])
    assert history.reported("loss").tolist() == [[True, True, True], [True, False, False]]
    assert [len(history.records(run)) for run in range(2)] == [3, 1]
    result = es.replay(es.Never(), history, save=es.Best("loss"))
    assert (result.epochs.tolist(), result.saved_epoch.tolist()) == ([3, 1], [2, 0])


def test_one_dimension_is_one_run() -> None:
    history = es.History({"loss": [3.0, 2.0], "acc": np.array([1, 2])})
    assert (history.runs, len(history), history.epochs) == (1, 1, 2)
    assert history.metrics["loss"].shape == (1, 2)
    assert repr(history) == "History(1 run, up to 2 epochs: loss, acc)"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint64", "bool"])
def test_arrays_of_any_real_type_are_kept_as_they_are(dtype: str) -> None:
    array = np.array([[3, 1, 2]] * 30).astype(dtype)
    history = es.History({"loss": array})
    assert history.metrics["loss"] is array
    together = es.replay(es.Never(), history, save=es.Best("loss"))
    alone = es.replay(es.Never(), es.History({"loss": array[:1]}), save=es.Best("loss"))
    assert together.saved_epoch[0] == alone.saved_epoch[0]


def test_memory_mapped_arrays_stay_on_disk(tmp_path: Any) -> None:
    np.save(tmp_path / "loss.npy", np.arange(12.0).reshape(3, 4))
    mapped = np.load(tmp_path / "loss.npy", mmap_mode="r")
    assert isinstance(es.History({"loss": mapped}).metrics["loss"], np.memmap)


def test_from_runs_takes_runs_of_unequal_length_and_different_metrics() -> None:
    history = es.History.from_runs(
        [{"loss": [3, 2, 1]}, {"loss": [5, None], "acc": [0.1, nan]}], names=["a", "b"]
    )
    assert history.lengths.tolist() == [3, 2]
    assert history.names == ("a", "b")
    assert history.reported("loss").tolist() == [[True, True, True], [True, False, False]]
    assert history.reported("acc").tolist() == [[False, False, False], [True, True, False]]
    assert history.records("b")[0] == {"loss": 5.0, "acc": 0.1}


@pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame])
def test_a_data_frame_is_one_run(frame: Any) -> None:
    history = es.History(frame({"loss": [3.0, 2.0, nan], "epoch": [0, 1, 2]}))
    assert history.reported("loss").tolist() == [[True, True, True]]
    assert history.metrics["epoch"].tolist() == [[0, 1, 2]]
    assert es.History.from_runs([frame({"loss": [1.0]}), frame({"loss": [2.0]})]).runs == 2
    with pytest.raises(es.HistoryError, match="the values of note must be real numbers"):
        es.History(frame({"note": ["a", "b"]}))


def test_what_is_masked_within_a_list_is_a_gap() -> None:
    masked = np.ma.masked
    for values in (
        [np.ma.array([1.0, 2.0], mask=[0, 1]), np.ma.array([3.0, 4.0])],
        [[1.0, masked], [3.0, 4.0]],
        [np.ma.array([1.0, 2.0], mask=[0, 1]), [3.0, 4.0]],
    ):
        history = es.History({"loss": values})
        assert history.reported("loss").tolist() == [[True, False], [True, True]]
    history = es.History.from_runs([{"loss": [1.0, masked]}])
    assert history.reported("loss").tolist() == [[True, False]]


def test_of_objects_both_what_is_masked_and_none_are_gaps() -> None:
    objects = np.array([[1.0, 2.0, None]], dtype=object)
    history = es.History({"loss": np.ma.MaskedArray(objects, mask=[[True, False, False]])})
    assert history.reported("loss").tolist() == [[False, True, False]]


def test_a_history_shares_neither_gaps_nor_lengths_with_what_it_is_made_of() -> None:
    values = np.ma.MaskedArray([[3.0, 2.0, 1.0]], mask=[[False, True, True]])
    lengths = np.array([2])
    history = es.History({"loss": values}, lengths)
    assert values.mask.tolist() == [[False, True, True]]
    values.mask[0, 1], lengths[0] = False, 3
    assert history.reported("loss").tolist() == [[True, False, False]]
    assert history.lengths.tolist() == [2]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", METRICS)
def test_where_reported_are_the_records_that_have_the_metric_in_their_order(
    name: str, seed: int
) -> None:
    history = random_history(np.random.default_rng(seed), runs=20, epochs=100)
    having = [[r for r in history.records(run) if name in r] for run in range(len(history))]
    series = history.where_reported(name)
    assert repr([series.records(run) for run in range(len(series))]) == repr(
        [records for records in having if records]
    )


def test_a_derived_metric_reads_a_metric_before_a_coordinate_of_its_name() -> None:
    history = es.History({"time": [3.0, 2.0]}, coordinates={"time": [7.0, 8.0]})
    assert history.derive("twice", "2 * time").metrics["twice"].tolist() == [[6.0, 4.0]]


def test_gaps_of_pandas_nullable_columns_are_gaps() -> None:
    for dtype in ("Int64", "Float64", "boolean"):
        column = pandas.array([True, None, False], dtype="boolean").astype(dtype)
        history = es.History(pandas.DataFrame({"loss": column}))
        assert history.reported("loss").tolist() == [[True, False, True]]


def test_a_frame_with_repeated_names_or_not_yet_computed_is_refused() -> None:
    with pytest.raises(es.HistoryError, match="the names of metrics must differ"):
        es.History(pandas.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]))
    with pytest.raises(es.HistoryError, match=r"expected a mapping .*, got LazyFrame"):
        es.History(polars.LazyFrame({"a": [1.0]}))


def test_a_null_of_polars_is_a_gap_and_not_a_nan() -> None:
    history = es.History(polars.DataFrame({"loss": [3.0, None, nan]}))
    assert history.reported("loss").tolist() == [[True, False, True]]


@pytest.mark.parametrize("names", ["keys", "columns", "column_names"])
def test_anything_that_looks_like_a_frame_is_one_run(names: str) -> None:
    def column(self: Any, name: str) -> Any:
        return {"loss": np.array([2.0, 1.0])}[name]

    found = (lambda self: ["loss"]) if names == "keys" else ["loss"]
    frame = type("Frame", (), {names: found, "__getitem__": column})()
    for history in (es.History(frame), es.History.from_runs([frame])):
        assert history.records(0) == [{"loss": 2.0}, {"loss": 1.0}]


@given(history=histories())
def test_records_say_what_reported_says(history: es.History) -> None:
    for run in range(len(history)):
        records = history.records(run)
        assert len(records) == history.lengths[run]
        for name, array in history.metrics.items():
            for epoch in range(history.epochs):
                there = epoch < len(records) and name in records[epoch]
                assert there == history.reported(name)[run, epoch]
                if there:
                    assert records[epoch][name].hex() == float(array[run, epoch]).hex()


@given(data=st.data(), history=histories())
def test_from_runs_of_the_records_is_the_history(data: Any, history: es.History) -> None:
    columns = []
    for run in range(len(history)):
        records = history.records(run)
        columns.append({n: [r.get(n) for r in records] for n in history.metrics})
    again = es.History.from_runs(columns)
    assert again.lengths.tolist() == history.lengths.tolist()
    for run in range(len(history)):
        assert repr(again.records(run)) == repr(history.records(run))


BAD: dict[str, tuple[Any, str]] = {
    "no metrics": (lambda: es.History({}), "a history needs at least one metric, got none"),
    "no epochs": (
        lambda: es.History({"loss": []}),
        "a history needs runs and epochs, got shape (runs, epochs) = (1, 0)",
    ),
    "no runs": (
        lambda: es.History({"loss": np.empty((0, 3))}),
        "a history needs runs and epochs, got shape (runs, epochs) = (0, 3)",
    ),
    "no mapping": (
        lambda: es.History([1.0, 2.0]),
        "expected a mapping from metric name to values, such as {'val_loss': [[0.9, 0.8]]}, "
        "got list",
    ),
    "ragged": (
        lambda: es.History({"loss": [[3, 2, 1], [3, 2]]}),
        "the runs of loss differ in length: use History.from_runs([{'loss': values of run 0}, ...])"
        ", or one padded array with `lengths`",
    ),
    "metrics of unequal length": (
        lambda: es.History({"loss": [3, 2, 1], "val_loss": [3, 2]}),
        "metrics must have one shape (runs, epochs): 'loss' has (1, 3), 'val_loss' has (1, 2); use "
        "None where a metric was not reported, pass `lengths` for runs of unequal length, or use "
        "History.from_runs",
    ),
    "three dimensions": (
        lambda: es.History({"loss": np.zeros((1, 2, 3))}),
        "loss must have shape (runs, epochs) or (epochs,), got (1, 2, 3)",
    ),
    "a number": (
        lambda: es.History({"loss": 3.0}),
        "the values of loss must be a sequence, got 3.0",
    ),
    "text": (
        lambda: es.History({"loss": ["a", "b"]}),
        "the values of loss must be real numbers, got <U1",
    ),
    "text among numbers": (
        lambda: es.History({"loss": [None, "b"]}),
        "the values of loss must be real numbers, got text among them",
    ),
    "complex": (
        lambda: es.History({"loss": [1j]}),
        "the values of loss must be real numbers, got complex128",
    ),
    "a name that is none": (
        lambda: es.History({3: [1.0]}),
        "the names of metrics must be strings, got 3",
    ),
    "lengths of another number": (
        lambda: es.History({"loss": [[1, 2]]}, lengths=[1, 2]),
        "`lengths` must be 1 whole numbers, one per run, got int64 of shape (2,)",
    ),
    "lengths that are no whole numbers": (
        lambda: es.History({"loss": [[1, 2]]}, lengths=[1.5]),
        "`lengths` must be 1 whole numbers, one per run, got float64 of shape (1,)",
    ),
    "lengths beyond the array": (
        lambda: es.History({"loss": [[1, 2]]}, lengths=[3]),
        "`lengths` must lie between 0 and 2, the number of epochs, got 3 to 3",
    ),
    "names that repeat": (
        lambda: es.History({"loss": [[1], [2]]}, names=["a", "a"]),
        "`names` must be 2 different names, one per run, got 2 (1 different)",
    ),
    "no runs to join": (
        lambda: es.History.from_runs([]),
        "a history needs at least one run, got none",
    ),
    "a run that is none": (
        lambda: es.History.from_runs([[1, 2]]),
        "run 0 should be a mapping from metric name to values, got list",
    ),
    "metrics of a run that differ in length": (
        lambda: es.History.from_runs([{"loss": [1, 2], "val_loss": [1]}]),
        "the metrics of run 0 differ in length: loss 2, val_loss 1; use None where a metric was not"
        " reported (for a Keras fit with validation_freq, earlystop.adapters.keras.fit_history "
        "does)",
    ),
    "runs without metrics": (
        lambda: es.History.from_runs([{}]),
        "a history needs at least one metric, got none",
    ),
    "an unknown run": (
        lambda: es.History({"loss": [1]}, names=["first"]).records("fist"),
        "no run 'fist': available runs: first; did you mean 'first'?",
    ),
    "a run beyond the last": (
        lambda: es.History({"loss": [1]}).records(1),
        "no run 1: the history has runs 0 to 0",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_anything_but_a_history_is_refused(what: str) -> None:
    make, text = BAD[what]
    with pytest.raises(es.HistoryError) as caught:
        make()
    assert str(caught.value) == text
    assert isinstance(caught.value, ValueError)
