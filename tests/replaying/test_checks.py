"""Rows of a log of steps that report no metric of the rules are no checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.replaying.checks import checks_of
from tests.support.ragged import stored_ragged
from tests.support.strategies import values


@st.composite
def sparse_and_dense(draw: st.DrawFn) -> tuple[es.History, es.History]:
    """The same validations twice: with rows of training losses between them, and without."""
    sparse: list[dict[str, list[float | None]]] = []
    dense: list[dict[str, list[float | None]]] = []
    for _ in range(draw(st.integers(1, 4))):
        val_loss: list[float | None] = [*draw(st.lists(values(), min_size=1, max_size=10))]
        val_acc = draw(
            st.lists(st.none() | values(), min_size=len(val_loss), max_size=len(val_loss))
        )
        val_acc[0] = 0.5  # some epoch reports it
        rows: list[tuple[float | None, float | None, float | None]] = []
        for check in zip(val_loss, val_acc, strict=True):
            rows += [(None, None, 1.0)] * draw(st.integers(0, 3)) + [(*check, None)]
        rows += [(None, None, 2.0)] * draw(st.integers(0, 2))
        between = [list(column) for column in zip(*rows, strict=True)]
        sparse.append(dict(zip(("val_loss", "val_acc", "loss"), between, strict=True)))
        dense.append({"val_loss": val_loss, "val_acc": val_acc})
    return with_steps(es.History.from_runs(sparse)), es.History.from_runs(dense)


def with_steps(history: es.History) -> es.History:
    """The same history, of a log that numbers its rows by steps."""
    metrics = {
        name: np.ma.MaskedArray(array, ~history.reported(name))
        for name, array in history.metrics.items()
    }
    steps = np.tile(10.0 * np.arange(history.epochs), (history.runs, 1))
    return es.History(metrics, history.lengths, coordinates={"step": steps})


RULES = st.sampled_from(
    [
        es.EarlyStopping("val_loss", patience=2),
        es.Stopper(es.MaxEpochs(3), save=es.Best("val_loss")),
        es.Stopper(es.Patience("val_loss", 3, start_from_epoch=2), save=es.Every(2)),
        es.Stopper(es.Patience("val_loss", 2) | es.Patience("val_acc", 2), save=es.Always()),
        es.Stopper(es.Warmup(es.Plateau("val_loss", 2, 0.1), 2), save=es.Best("val_loss")),
    ]
)


@given(sparse_and_dense(), RULES)
def test_a_log_with_rows_in_between_is_replayed_as_the_log_without(
    logs: tuple[es.History, es.History], stopper: es.Stopper
) -> None:
    sparse, dense = (es.replay(stopper, log) for log in logs)
    assert repr(sparse.to_dict()) == repr(dense.to_dict())
    assert repr(sparse.summary()) == repr(dense.summary())
    for run in range(len(dense)):
        assert repr(sparse.decisions(run)) == repr(dense.decisions(run))


@given(sparse_and_dense())
def test_a_log_with_rows_in_between_is_swept_as_the_log_without(
    logs: tuple[es.History, es.History],
) -> None:
    rule = es.Patience("val_loss") | es.MaxEpochs(6)
    sparse, dense = (es.sweep(rule, log, patience=[1, 2, 3], min_delta=[0.0, 0.5]) for log in logs)
    assert repr(sparse.to_dict()) == repr(dense.to_dict())
    assert np.array_equal(sparse.best_epoch, dense.best_epoch)


@given(sparse_and_dense(), RULES)
def test_rows_of_the_log_are_told_for_the_end_and_the_save(
    logs: tuple[es.History, es.History], stopper: es.Stopper
) -> None:
    sparse = logs[0]
    result = es.replay(stopper, sparse)
    for run in range(len(result)):
        reported = np.flatnonzero(
            sparse.reported("val_loss")[run] | sparse.reported("val_acc")[run]
            if "val_acc" in sparse.metrics and "val_acc" in stopper.stop.all_metrics
            else sparse.reported("val_loss")[run]
        )
        assert result.end_index[run] == reported[result.epochs[run] - 1]
        saved = int(result.saved_epoch[run])
        assert result.saved_index[run] == (-1 if saved < 0 else reported[saved])


def test_a_run_without_a_check_has_length_0() -> None:
    runs = [{"loss": [1.0, 2.0], "val": [None, 3.0]}, {"loss": [1.0]}]
    history = with_steps(es.History.from_runs(runs))
    result = es.replay(es.Patience("val", 1, mode="min"), history, save=es.Best("val", mode="min"))
    assert (result.epochs.tolist(), result.logged.tolist()) == ([1, 0], [1, 0])
    assert (result.end_index.tolist(), result.saved_index.tolist()) == ([1, -1], [1, -1])
    assert result.decisions(1) == []


def test_every_row_is_a_check_of_rules_that_look_at_no_metric_or_at_one_without_gaps() -> None:
    history = with_steps(es.History({"loss": [1.0, 2.0, 3.0], "val": [None, 3.0, None]}))
    cases: list[tuple[Any, int]] = [
        (es.MaxEpochs(9), 3),
        (es.NonFinite("loss") | es.Patience("val", 9, mode="min"), 3),
        (es.Patience("val", 9, mode="min"), 1),
    ]
    for rule, checks in cases:
        assert es.replay(rule, history).epochs.tolist() == [checks]
        assert (checks_of(history, rule.all_metrics).rows is None) == (checks == 3)


def test_the_elapsed_time_makes_no_row_a_check() -> None:
    history = with_steps(
        es.History({"elapsed_seconds": [1.0, 2.0, 3.0, 4.0], "val_loss": [None, 3.0, None, 2.0]})
    )
    result = es.replay(es.Patience("val_loss", 9) | es.TimeLimit(4), history)
    assert (result.epochs.tolist(), result.stopped.tolist()) == ([2], [True])


def test_with_raise_a_row_without_the_metric_is_an_error() -> None:
    history = with_steps(es.History({"loss": [1.0, 2.0], "val_loss": [3.0, None]}))
    with pytest.raises(es.MissingMetricError, match="no metric 'val_loss' at epoch 1"):
        es.replay(es.Patience("val_loss", 1), history, on_missing="raise")


@pytest.mark.parametrize(
    ("coordinates", "epochs"),
    [
        ({}, 4),
        ({"epoch": [0, 1, 2, 3]}, 4),
        ({"epoch": [1, 2, 3, 4], "step": [10, 20, 30, 40]}, 4),
        ({"epoch": [0, 0, 1, 1]}, 2),
        ({"Epoch": [0.5, 1.0, 1.5, 2.0]}, 2),
        ({"step": [10, 20, 30, 40]}, 2),
        ({"_timestamp": [10, 20, 30, 40]}, 4),
    ],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_rows_are_epochs_unless_the_log_numbers_say_otherwise(
    coordinates: dict[str, list[float]], epochs: int, ragged: bool
) -> None:
    losses = {"val_loss": [None, 3.0, None, 2.0]}
    history = es.History(losses, coordinates=coordinates)
    if ragged:
        history = stored_ragged(history)
    result = es.replay(es.Stopper(es.Never(), save=es.Best("val_loss")), history)
    assert result.epochs.tolist() == result.logged.tolist() == [epochs]
    assert result.saved_index.tolist() == [3]
