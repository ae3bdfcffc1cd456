"""Replay: the decisions of a live run, over logs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import earlystop as es
from earlystop.ops import invert, isnan, reported
from earlystop.replaying.checks import looked_at
from earlystop.replaying.missing import require_reported
from earlystop.replaying.tuning import Tuning
from tests.support.agreement import disagreements
from tests.support.random_rules import random_history
from tests.support.strategies import histories, rules


def test_a_stopper_is_replayed_by_its_rules_and_stays_unchanged() -> None:
    stopper = es.EarlyStopping("val_loss", patience=1)
    stopper.step({"val_loss": 0.001})
    history = es.History({"val_loss": [[3.0, 2.0, 2.5], [3.0, 2.0, 1.0]]})
    result = es.replay(stopper, history)
    assert result.epochs.tolist() == [3, 3]
    assert result.stopped.tolist() == [True, False]
    assert result.saved_epoch.tolist() == [1, 2]
    assert (stopper.epoch, stopper.best) == (1, 0.001)
    assert repr(result) == (
        "Replay(Patience('val_loss', patience=1, mode='min'): 1 of 2 runs stopped, 6 of 6 checks "
        "used)"
    )


@pytest.mark.parametrize("runs", [1, 40])
def test_arrays_have_one_entry_per_run_and_documented_types(runs: int) -> None:
    history = es.History({"loss": [[3.0, 2.0, 4.0]] * runs})
    result = es.replay(es.Patience("loss", 1), history)
    for array, dtype in ((result.epochs, "int64"), (result.stopped, "bool")):
        assert array.shape == (runs,)
        assert array.dtype == dtype
    assert result.saved_epoch.dtype == "int64"
    assert (result.saved_epoch == -1).all()
    assert len(result) == runs


def test_decisions_are_exactly_those_of_stepping() -> None:
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


def lived(stop: es.Rule, save: es.Rule, history: es.History) -> list[tuple[int, bool, int]]:
    """What a live run over each log comes to: checks used, stopped, last check saved."""
    taken = []
    for run in range(len(history)):
        stopper = es.Stopper(stop, save, on_missing="skip")
        judged = looked_at((stop, save))
        for metrics in history.records(run):
            if any(name in metrics for name in judged) and stopper.step(metrics).stop:
                break
        best_check = -1 if stopper.best_check is None else stopper.best_check
        taken.append((stopper.checks, stopper.stopped, best_check))
    return taken


class OwnWait(es.Patience):
    """A `Patience` that also fires at the first value below -3."""

    def step(self, state, metrics, epoch):
        after, fires = super().step(state, metrics, epoch)
        return after, fires | (metrics[self.monitor] < -3)


SAME_AS_LIVE = {
    "smoothing of two metrics": es.Smoothed(
        es.Smoothed(es.Patience("loss", 2) | es.Patience("val_loss", 3), monitor="loss", window=3),
        monitor="val_loss",
        window=2,
    ),
    "a subclass of patience": OwnWait("loss", 5),
    "patience on a metric with gaps": es.Patience("loss", 3),
    "patience beside another rule": es.Patience("loss", 4) | es.MaxEpochs(15),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("what", SAME_AS_LIVE)
def test_many_runs_side_by_side_do_what_each_does_alone(what: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lacks = rng.random((60, 20)) < 0.3
    of_four = np.arange(60)[:, None] % 4  # gaps in one metric, the other, both, or neither
    gaps = {"loss": lacks & (of_four < 2), "val_loss": lacks & (of_four % 2 == 0)}
    falls = rng.normal(-0.2, 1.0, (2, 60, 20)).cumsum(axis=2)
    history = es.History(
        {
            name: np.ma.MaskedArray(*each)
            for name, *each in zip(gaps, falls, gaps.values(), strict=True)
        }
    )
    save = es.Best("val_loss")
    result = es.replay(SAME_AS_LIVE[what], history, save=save)
    decided = zip(result.checks, result.stopped, result.saved_check, strict=True)
    assert [*decided] == lived(SAME_AS_LIVE[what], save, history)


@pytest.mark.parametrize("runs", [1, 30])
@pytest.mark.parametrize(("patience", "stops"), [(4, True), (5, False), (100, False)])
def test_a_patience_longer_than_the_log_stops_no_run(runs: int, patience: int, stops: bool) -> None:
    history = es.History({"loss": np.full((runs, 4), np.nan)})
    assert (es.replay(es.Patience("loss", patience), history).stopped == stops).all()


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
        "no metric 'loss' at epoch 2 of 'run 0': available metrics: acc "
        "(with on_missing='skip', rules skip such epochs)"
    )
    skipped = es.replay(es.Patience("loss", 2), gap_after_the_stop)
    assert not skipped.stopped.any()


@pytest.mark.parametrize("cells", [1, 4, 10**6])
def test_the_run_that_lacks_a_metric_is_named_however_many_are_checked_at_a_time(
    cells: int,
) -> None:
    history = es.History({"loss": [[1.0, None], [1.0, 2.0], [1.0, 2.0], [1.0, None]]})
    tuning = Tuning(cells_checked=cells)
    used = np.array([1, 2, 2, 2])  # the first run ends before its gap
    for runs, epochs in ((slice(0, 4), used), (np.array([1, 3]), used[[1, 3]])):
        with pytest.raises(es.MissingMetricError, match="no metric 'loss' at epoch 1 of 'run 3'"):
            require_reported(("loss",), history, epochs, runs, tuning)


@pytest.mark.parametrize("runs", [2, 30])
def test_gaps_anywhere_in_a_long_run_do_not_count(runs: int) -> None:
    gaps = np.random.default_rng(0).random((runs, 3000)) < 0.3
    history = es.History({"loss": np.ma.MaskedArray(np.ones((runs, 3000)), gaps)})
    reported_2000_times = [int(np.flatnonzero(~gaps[run])[1999]) for run in range(runs)]
    never_improves = es.Patience("loss", 2000, baseline=0.0)
    assert es.replay(never_improves, history).end_index.tolist() == reported_2000_times
    assert es.replay(never_improves, history).checks.tolist() == [2000] * runs


def test_a_metric_that_no_epoch_reports_is_always_an_error() -> None:
    history = es.History({"val_loss": [[1.0, 2.0]], "acc": [[None, None]]})
    with pytest.raises(es.MissingMetricError) as caught:
        es.replay(es.Patience("val_los", mode="min"), history)
    assert str(caught.value) == (
        "Patience('val_los', mode='min') asks for 'val_los', but no epoch of this history reports "
        "'val_los': available metrics: val_loss; did you mean 'val_loss'?"
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
    with pytest.raises(TypeError, match="a Stopper has its own save rule"):
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
    assume({*rule.all_metrics} <= {*history.metrics})
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


def test_without_a_best_rule_regret_is_refused() -> None:
    result = es.replay(es.MaxEpochs(2), es.History({"loss": [[3.0, 2.0, 1.0]]}), save=es.Every(2))
    for ask in (lambda: result.best, lambda: result.regret, lambda: result.whole_log):
        with pytest.raises(es.RuleError, match=r"save=Best\('val_loss'"):
            ask()
    assert result.to_dict() == {
        "run": ["run 0"],
        "unit": ["checks"],
        "logged": [3],
        "used": [2],
        "epochs": [2],
        "stopped": [True],
        "saved_epoch": [1],
    }
    summary = result.summary()
    assert (summary["mean_regret"], summary["max_regret"]) == (None, None)
    assert summary["share_saved"] == pytest.approx(1 / 3)
