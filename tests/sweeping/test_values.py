"""Values at the edges of what can be swept."""

import json
from typing import Any

import numpy as np
import pytest

import earlystop as es
from tests.sweeping.swept import check, sweep


def test_one_run_with_gaps_changes_nothing_for_the_others() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((300, 50))
    gaps = np.zeros(values.shape, dtype=np.bool_)
    gaps[[7, 290], 5:9] = True
    history = es.History({"loss": np.ma.MaskedArray(values, gaps)})
    table = sweep(es.Patience("loss"), history, patience=[1, 5, 20], min_delta=[0.0, 0.1])
    made = [es.Patience("loss", p, min_delta=d) for p in (1, 5, 20) for d in (0.0, 0.1)]
    check(table, made, [es.Best("loss")] * 6, history)
    with pytest.raises(es.MissingMetricError, match="no metric 'loss' at epoch 5 of 'run 290'"):
        sweep(es.Patience("loss"), history[8:], patience=[50], on_missing="raise")
    with pytest.raises(es.MissingMetricError, match="no metric 'loss' at epoch 5 of 'run 290'"):
        es.replay(es.Patience("loss", 50), history[8:], on_missing="raise")


def test_runs_with_more_epochs_than_small_integers_hold_are_swept() -> None:
    losses = np.ones((30, 40_000))
    losses[:, [0, 10, 39_000]] = [9.0, 8.0, 0.5]
    history = es.History({"loss": losses})
    table = sweep(es.Patience("loss"), history, patience=[5, 38_998, 38_999])
    assert table.epochs[:, 3].tolist() == [7, 39_000, 40_000]
    assert table.best_epoch[:, 3].tolist() == [1, 1, 39_000]


def test_many_runs_that_stop_alike_are_summed_exactly() -> None:
    losses = np.tile([1.5, 1.1, 1.2, 0.3], (70_000, 1))
    table = sweep(es.Patience("loss"), es.History({"loss": losses}), patience=[1, 2])
    assert table.mean_regret.tolist() == [1.1 - 0.3, 0.0]
    assert table.mean_epochs.tolist() == [3, 4]


def test_other_types_of_numbers_are_compared_as_float64() -> None:
    losses = np.array([[1.5, 1.1, 1.2, 0.3]] * 30, dtype=np.float32)
    for rule in (es.Patience("loss"), es.Patience("loss") & es.Always()):
        table = sweep(rule, es.History({"loss": losses}), patience=[1])
        assert table.regret[0, 0] == float(losses[0, 1]) - float(losses[0, 3])


def test_the_default_best_is_a_metric_with_a_direction_and_never_the_elapsed_time() -> None:
    history = es.History({"a": [[1.0, 2.0]], "loss": [[3.0, 2.0]], "elapsed_seconds": [[1.0, 2.0]]})
    for rule in (
        es.Plateau("a", 2, 0.1) | es.Patience("loss"),
        es.TimeLimit(9.0) | es.Patience("loss"),
        es.Threshold("elapsed_seconds", 99.0, mode="max") | es.Patience("loss"),
    ):
        assert sweep(rule, history, patience=[1]).best.tolist() == [[2.0]]


def test_quantiles_are_those_of_numpy_and_invalid_ones_are_refused() -> None:
    history = es.History({"loss": np.random.default_rng(1).random((37, 20))})
    table = sweep(es.Patience("loss"), history, patience=[1, 3])
    for q in (0, 0.1, 1 / 3, 0.5, 0.77, 1):
        assert table.quantile_epochs(q).tolist() == np.quantile(table.epochs, q, axis=1).tolist()
        assert table.quantile_regret(q).tolist() == np.quantile(table.regret, q, axis=1).tolist()
    for q in (-0.1, 1.5, np.nan, [0.5], None):
        with pytest.raises(ValueError, match="must be one number from 0 to 1, got"):
            table.quantile_regret(q)
        with pytest.raises(ValueError, match="must be one number from 0 to 1, got"):
            table.quantile_epochs(q)


def test_regrets_too_large_for_a_float_are_infinite_without_a_warning() -> None:
    history = es.History({"loss": [[1e308, 1e308, -1e308]]})
    table = sweep(es.Patience("loss"), history, patience=[1])
    assert table.regret.tolist() == [[np.inf]]
    assert table.mean_regret.tolist() == [np.inf]


def test_settings_are_plain_values() -> None:
    history = es.History({"loss": [[3.0, 2.0]]})
    table = sweep(es.Patience("loss"), history, patience=np.arange(1, 3), min_delta=np.zeros(1))
    assert json.loads(json.dumps(table.settings)) == table.settings


class Crowded(es.Rule):
    """Has fields that are called as arguments of `sweep` are."""

    workers: int = 1

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        return state, epoch >= self.workers


def test_a_field_named_like_an_argument_is_swept_with_a_leading_dot() -> None:
    history = es.History({"loss": [[3.0, 2.0, 1.0]]})
    table = sweep(Crowded(), history, save=es.Best("loss"), **{".workers": [0, 1, 9]})
    assert table.epochs[:, 0].tolist() == [1, 2, 3]


class Late(es.Patience):
    """A patience that decides otherwise than its base."""

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        after, fires = super().step(state, metrics, epoch)
        return after, fires & (epoch >= 6)


def test_a_subclass_of_patience_decides_by_its_own_step() -> None:
    history = es.History({"loss": [[4.0, 3.0, 3.5, 3.6, 3.7, 3.8, 3.9, 2.0, 5.0]] * 2})
    for rule in (Late("loss"), Late("loss") | es.MaxEpochs(99)):
        assert sweep(rule, history, patience=[1, 2]).epochs.tolist() == [[7, 7]] * 2


def test_quantiles_handle_infinite_regrets() -> None:
    losses = [[1.0, -np.inf], [1.0, 2.0], [5.0, 6.0], [3.0, 4.0], [2.0, -np.inf]]
    table = sweep(es.MaxEpochs(1), es.History({"loss": losses}), n=[1], save=es.Best("loss"))
    assert table.regret.tolist() == [[np.inf, 0.0, 0.0, 0.0, np.inf]]
    assert [table.quantile_regret(q)[0] for q in (0, 0.5, 0.9, 1)] == [0, 0, np.inf, np.inf]


def test_runs_without_epochs_are_swept() -> None:
    history = es.History({"loss": np.ones((3, 4))}, lengths=[0, 0, 0])
    table = sweep(es.Patience("loss"), history, patience=[1, 2])
    assert table.epochs.tolist() == [[0, 0, 0]] * 2
    assert not table.stopped.any()
    assert (table.best_epoch == -1).all()


def test_the_largest_settings_are_simply_never_reached() -> None:
    history = es.History({"loss": [[1.0, 2.0, 3.0]] * 30})
    table = sweep(es.Patience("loss"), history, patience=[2**63 - 1, 1])
    assert table.epochs[:, 0].tolist() == [3, 2]
    late = sweep(es.Patience("loss", 1), history, start_from_epoch=[2**63 - 1])
    assert not late.stopped.any()
    assert (es.replay(es.Every(2**63 - 1), history).epochs == 3).all()


def test_a_setting_that_stops_before_the_first_value_has_no_best() -> None:
    history = es.History({"loss": [[np.nan, np.inf, np.nan, 1.0]] * 2})
    table = sweep(es.Patience("loss"), history, patience=[1, 3, 4])
    np.testing.assert_array_equal(table.best, [[np.nan] * 2, [np.nan] * 2, [1.0] * 2])
    np.testing.assert_array_equal(table.regret, [[np.inf] * 2, [np.inf] * 2, [0.0] * 2])
