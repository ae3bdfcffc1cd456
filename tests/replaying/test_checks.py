"""Rows of a log that report no metric of the rules are no checks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.replaying.checks import checks_of
from tests.support.positions import random_positions
from tests.support.ragged import stored_ragged
from tests.support.strategies import values

PLACES = ("epoch", "step", "elapsed_seconds")


@st.composite
def sparse_and_dense(draw: st.DrawFn) -> tuple[es.History, es.History]:
    """The same validations twice: with rows of training losses between them, and without.

    They are numbered by epochs or steps, in any way, or by nothing; some have the time.
    """
    runs, rng = draw(st.integers(1, 4)), np.random.default_rng(draw(st.integers(0, 2**32)))
    told = [name for name in PLACES if draw(st.booleans())]
    logs: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for _ in range(runs):
        val_loss = draw(st.lists(values(), min_size=1, max_size=10))
        checks = [{"val_loss": value} for value in val_loss]
        for check in checks[1:]:
            if draw(st.booleans()):
                check["val_acc"] = draw(values())
        checks[0]["val_acc"] = 0.5  # some check reports it
        places = random_positions(rng, 1, len(checks))
        places.setdefault("epoch", np.arange(len(checks), dtype=float)[None])
        for number, check in enumerate(checks):
            check["epoch"] = float(np.ma.getdata(places["epoch"])[0, number])
            check["step"] = 10 * float(np.ma.getdata(places["step"])[0, number])
            check["elapsed_seconds"] = 2.5 * (number + 1)
        rows = []
        for check in checks:
            for before in range(draw(st.integers(0, 3)), 0, -1):
                rows.append({"loss": 1.0, "epoch": check["epoch"], "step": check["step"] - before})
                rows[-1]["elapsed_seconds"] = check["elapsed_seconds"] - 0.25 * before
            rows.append(check)
        rows += [{**rows[-1], "loss": 2.0}] * draw(st.integers(0, 1))
        for name in ("val_loss", "val_acc"):
            if rows[-1] is not checks[-1]:
                rows[-1].pop(name, None)
        for log, records in zip(logs, (rows, checks), strict=True):
            log.append(records)
    sparse, dense = (history_of(log, told) for log in logs)
    return sparse, dense


def history_of(log: list[list[dict[str, float]]], told: list[str]) -> es.History:
    """The history of runs of records, with some of the positions as coordinates."""
    longest = max(map(len, log))

    def column(name: str) -> Any:
        rows = [[row.get(name) for row in run] + [None] * (longest - len(run)) for run in log]
        mask = [[value is None for value in run] for run in rows]
        filled = [[math.nan if value is None else value for value in run] for run in rows]
        return np.ma.MaskedArray(filled, mask)

    names = dict.fromkeys(name for run in log for row in run for name in row)
    metrics = {name: column(name) for name in names if name not in PLACES}
    coordinates = {name: column(name).filled(math.nan) for name in PLACES if name in told}
    return es.History(metrics, [*map(len, log)], coordinates=coordinates)


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
        es.Stopper(es.Patience("val_loss", 2, unit="epoch"), save=es.Every(3, unit="epoch")),
    ]
)
UNITS = st.sampled_from([None, "checks", "epoch"])


@given(sparse_and_dense(), RULES, UNITS)
def test_a_log_with_rows_in_between_is_replayed_as_the_log_without(
    logs: tuple[es.History, es.History], stopper: es.Stopper, unit: str | None
) -> None:
    sparse, dense = (es.replay(stopper, log, unit=unit) for log in logs)
    assert repr(sparse.to_dict()) == repr(dense.to_dict())
    assert repr(sparse.summary()) == repr(dense.summary())
    for run in range(len(dense)):
        assert repr(sparse.decisions(run)) == repr(dense.decisions(run))


@given(sparse_and_dense(), RULES)
def test_a_replay_tells_what_a_live_run_with_the_positions_does(
    logs: tuple[es.History, es.History], stopper: es.Stopper
) -> None:
    dense = logs[1]
    result = es.replay(stopper, logs[0])
    for run in range(len(result)):
        live = es.Stopper(stopper.stop, stopper.save, on_missing="skip")
        for check, metrics in enumerate(dense.records(run)):
            places: Any = {
                name: dense.coordinates[name][run, check]
                for name in ("epoch", "step")
                if name in dense.coordinates
            }
            if live.step(metrics, **places).stop:
                break
        assert (live.checks, live.stopped) == (result.checks[run], result.stopped[run])
        assert live.epoch == result.epochs[run]
        saved = -1 if live.best_epoch is None else live.best_epoch
        assert (saved, live.reason) == (result.saved_epoch[run], result.decisions(run)[-1].reason)


@given(sparse_and_dense())
def test_a_log_with_rows_in_between_is_swept_as_the_log_without(
    logs: tuple[es.History, es.History],
) -> None:
    rule = es.Patience("val_loss") | es.MaxEpochs(6)
    sparse, dense = (es.sweep(rule, log, patience=[1, 2, 3], min_delta=[0.0, 0.5]) for log in logs)
    assert repr(sparse.to_dict()) == repr(dense.to_dict())
    assert np.array_equal(sparse.best_epoch, dense.best_epoch)
    assert np.array_equal(sparse.epochs, dense.epochs)


@given(sparse_and_dense())
def test_a_sweep_tells_for_each_setting_what_its_replay_does(
    logs: tuple[es.History, es.History],
) -> None:
    grid: Any = {"patience": [1, 2], "start_from_epoch": [0, 2], "unit": ["checks", "epoch"]}
    table, best = es.sweep(es.Patience("val_loss"), logs[0], **grid), es.Best("val_loss")
    for number, setting in enumerate(table.settings):
        result = es.replay(es.Patience("val_loss", **setting), logs[0], save=best)
        assert np.array_equal(table.checks[number], result.checks)
        assert np.array_equal(table.epochs[number], result.epochs)
        assert np.array_equal(table.best_epoch[number], result.saved_epoch)
        assert math.isclose(table.share_saved[number], result.share_saved, abs_tol=1e-12)
        assert math.isclose(table.mean_used[number], np.mean(result.used))


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
        assert result.end_index[run] == reported[result.checks[run] - 1]
        saved = int(result.saved_check[run])
        assert result.saved_index[run] == (-1 if saved < 0 else reported[saved])


def test_a_run_without_a_check_has_length_0() -> None:
    runs = [{"loss": [1.0, 2.0], "val": [None, 3.0]}, {"loss": [1.0]}]
    history = with_steps(es.History.from_runs(runs))
    result = es.replay(es.Patience("val", 1, mode="min"), history, save=es.Best("val", mode="min"))
    assert (result.checks.tolist(), result.logged.tolist()) == ([1, 0], [10, 0])
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
        assert es.replay(rule, history).checks.tolist() == [checks]
        assert (checks_of(history, rule.all_metrics).rows is None) == (checks == 3)


def test_the_elapsed_time_makes_no_row_a_check() -> None:
    history = with_steps(
        es.History({"elapsed_seconds": [1.0, 2.0, 3.0, 4.0], "val_loss": [None, 3.0, None, 2.0]})
    )
    result = es.replay(es.Patience("val_loss", 9) | es.TimeLimit(4), history)
    assert (result.checks.tolist(), result.stopped.tolist()) == ([2], [True])


def test_with_raise_a_row_without_the_metric_is_an_error() -> None:
    history = with_steps(es.History({"loss": [1.0, 2.0], "val_loss": [3.0, None]}))
    with pytest.raises(es.MissingMetricError, match="no metric 'val_loss' at epoch 1"):
        es.replay(es.Patience("val_loss", 1), history, on_missing="raise")


@pytest.mark.parametrize(
    ("coordinates", "epochs", "saved", "unit"),
    [
        ({}, 2, 1, "checks"),
        ({"epoch": [0, 1, 2, 3]}, 4, 3, "epoch"),
        ({"epoch": [1, 2, 3, 4], "step": [10, 20, 30, 40]}, 4, 4, "step"),
        ({"epoch": [0, 0, 1, 1]}, 2, 1, "epoch"),
        ({"Epoch": [0.5, 1.0, 1.5, 2.0]}, 2, 2, "epoch"),
        ({"epoch": [0.2, 0.25, 0.4, 0.5]}, 0.5, 0.5, "epoch"),
        ({"step": [10, 20, 30, 40]}, 2, 1, "step"),
        ({"_timestamp": [10, 20, 30, 40]}, 2, 1, "checks"),
    ],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_epochs_and_steps_are_those_of_the_log(
    coordinates: dict[str, list[float]], epochs: float, saved: float, unit: str, ragged: bool
) -> None:
    losses = {"val_loss": [None, 3.0, None, 2.0]}
    history = es.History(losses, coordinates=coordinates)
    if ragged:
        history = stored_ragged(history)
    result = es.replay(es.Stopper(es.Never(), save=es.Best("val_loss")), history)
    assert (result.checks.tolist(), result.epochs.tolist()) == ([2], [epochs])
    assert (result.saved_epoch.tolist(), result.saved_index.tolist()) == ([saved], [3])
    assert (result.unit, result.share_saved) == (unit, 0.0)
    assert result.steps.tolist() == (
        [40.0] if "step" in coordinates else pytest.approx([math.nan], nan_ok=True)
    )
