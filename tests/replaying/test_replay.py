"""Replay: the decisions of a live run, over logs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.ops import invert, isnan, reported
from tests.support.agreement import disagreements
from tests.support.random_rules import random_history
from tests.support.strategies import histories, rules


def test_a_stopper_brings_its_two_rules_and_is_not_touched() -> None:
    stopper = es.EarlyStopping("val_loss", patience=1)
    stopper.step({"val_loss": 0.001})
    history = es.History({"val_loss": [[3.0, 2.0, 2.5], [3.0, 2.0, 1.0]]})
    result = es.replay(stopper, history)
    assert result.epochs.tolist() == [3, 3]
    assert result.stopped.tolist() == [True, False]
    assert result.saved_epoch.tolist() == [1, 2]
    assert (stopper.epoch, stopper.best) == (1, 0.001)
    assert repr(result) == (
        "Replay(Patience('val_loss', patience=1, mode='min'): 1 of 2 runs stopped, 6 of 6 epochs "
        "used)"
    )


@pytest.mark.parametrize("runs", [1, 40])
def test_arrays_have_one_entry_a_run_and_their_types(runs: int) -> None:
    history = es.History({"loss": [[3.0, 2.0, 4.0]] * runs})
    result = es.replay(es.Patience("loss", 1), history)
    for array, dtype in ((result.epochs, "int64"), (result.stopped, "bool")):
        assert array.shape == (runs,)
        assert array.dtype == dtype
    assert result.saved_epoch.dtype == "int64"
    assert (result.saved_epoch == -1).all()
    assert len(result) == runs


def test_decisions_are_the_very_ones_of_stepping() -> None:
    history = random_history(np.random.default_rng(1), runs=30, epochs=20)
    stopper = es.Stopper(
        es.Patience("loss", 3) | es.NonFinite("val_loss"), save=es.Best("loss"), on_missing="skip"
    )
    result = es.replay(stopper, history)
    for run in range(len(history)):
        live = []
        stopper.reset()
        for metrics in history.records(run):
            live.append(stopper.step(metrics))
            if stopper.stopped:
                break
        assert result.decisions(run) == live == result.decisions(history.names[run])


def test_a_run_without_epochs_is_neither_stopped_nor_saved() -> None:
    history = es.History({"loss": [[1.0], [1.0]]}, lengths=[0, 1])
    result = es.replay(es.Always(), history, save=es.Always())
    assert result.epochs.tolist() == [0, 1]
    assert result.stopped.tolist() == [False, True]
    assert result.saved_epoch.tolist() == [-1, 0]
    assert result.decisions(0) == []


@pytest.mark.parametrize("copies", [1, 30])
def test_raise_is_an_error_only_for_gaps_that_a_live_run_would_meet(copies: int) -> None:
    gap_after_the_stop = es.History(
        {"loss": [[1.0, 2.0, None]] * copies, "acc": [[1, 2, 3]] * copies}
    )
    assert (
        es.replay(es.Patience("loss", 1), gap_after_the_stop, on_missing="raise").epochs == 2
    ).all()
    with pytest.raises(es.MissingMetricError) as caught:
        es.replay(es.Patience("loss", 2), gap_after_the_stop, on_missing="raise")
    assert str(caught.value) == (
        "no metric 'loss' at epoch 2 of 'run 0': the metrics there are: acc "
        '(on_missing="skip" lets rules pass such epochs over)'
    )
    skipped = es.replay(es.Patience("loss", 2), gap_after_the_stop)
    assert not skipped.stopped.any()


def test_a_metric_that_no_epoch_reports_is_always_an_error() -> None:
    history = es.History({"val_loss": [[1.0, 2.0]], "acc": [[None, None]]})
    with pytest.raises(es.MissingMetricError) as caught:
        es.replay(es.Patience("val_los", mode="min"), history)
    assert str(caught.value) == (
        "Patience('val_los', mode='min') asks for 'val_los', but no epoch of this history reports "
        "'val_los': the metrics there are: val_loss; did you mean 'val_loss'?"
    )
    with pytest.raises(es.MissingMetricError, match="no epoch of this history reports 'acc'"):
        es.replay(es.Never(), history, save=es.Best("acc"))


@pytest.mark.parametrize("copies", [1, 30])
def test_a_metric_that_is_missing_reads_as_nan_to_a_rule_that_reads_it_all_the_same(
    copies: int,
) -> None:
    class Gone(es.Rule):
        """Fires where the extra metric is missing and, for that reason, NaN."""

        def step(self, state, metrics, epoch):
            return state, invert(reported(metrics, ("extra",))) & isnan(metrics["extra"])

        def reason(self, state, metrics, epoch):
            return f"extra is {metrics['extra']}"

    extra = np.ma.MaskedArray([[1.0, 2.0, 3.0]] * copies, mask=[[False, True, False]] * copies)
    history = es.History({"loss": np.ones((copies, 3)), "extra": extra})
    assert (es.replay(Gone(), history).epochs == 2).all()
    stopper = es.Stopper(Gone())
    decisions = [stopper.step(metrics) for metrics in history.records(0)[:2]]
    assert [decision.reason for decision in decisions] == ["", "extra is nan"]


def test_arguments_that_do_not_fit_are_refused() -> None:
    history = es.History({"loss": [1.0]})
    with pytest.raises(TypeError, match="a Stopper brings its own save rule"):
        es.replay(es.EarlyStopping("loss"), history, save=es.Best("loss"))
    with pytest.raises(TypeError, match=r"`replay` takes a History, got dict: wrap the metrics in"):
        es.replay(es.Patience("loss"), {"loss": [1.0]})
    with pytest.raises(TypeError, match="must be a rule"):
        es.replay("loss", history)
    with pytest.raises(ValueError, match="on_missing"):
        es.replay(es.Patience("loss"), history, on_missing="warn")


def test_many_random_rules_over_many_random_histories_agree() -> None:
    assert disagreements(histories=600, seed=20170709, rules_per_history=2) == []


@given(histories(), rules(), st.sampled_from(["min", "max"]))
def test_best_and_regret_are_those_of_a_sweep(
    history: es.History, rule: es.Rule, mode: Any
) -> None:
    save = es.Best("val_loss", mode=mode)
    result = es.replay(rule, history, save=save)
    table = es.sweep(es.Warmup(rule, 0), history, save=save, epochs=[0])
    np.testing.assert_array_equal(result.epochs, table.epochs[0])
    np.testing.assert_array_equal(result.best, table.best[0])
    np.testing.assert_array_equal(result.regret, table.regret[0])
    np.testing.assert_array_equal(result.saved_epoch, table.best_epoch[0])
    assert result.share_saved == pytest.approx(table.share_saved[0])
    mean = result.summary()["mean_regret"]
    assert (mean is None) == (not len(result.known_regret))
    if mean is not None:
        assert mean == pytest.approx(table.mean_regret[0], rel=1e-12)


def test_without_a_best_there_is_nothing_to_regret() -> None:
    result = es.replay(es.MaxEpochs(2), es.History({"loss": [[3.0, 2.0, 1.0]]}), save=es.Every(2))
    for ask in (lambda: result.best, lambda: result.regret, lambda: result.whole_log):
        with pytest.raises(es.RuleError, match=r"save=Best\('val_loss'\)"):
            ask()
    assert result.to_dict() == {
        "run": ["run 0"],
        "logged": [3],
        "epochs": [2],
        "stopped": [True],
        "saved_epoch": [1],
    }
    summary = result.summary()
    assert (summary["mean_regret"], summary["max_regret"]) == (None, None)
    assert summary["share_saved"] == pytest.approx(1 / 3)
