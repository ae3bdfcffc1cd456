"""Sweeps: every setting does what replaying it alone does, whichever way it is computed."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import random
import sys
import tracemalloc
import unittest.mock
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.replaying import batches as lanes
from earlystop.sweeping import sweep as sweeping
from earlystop.sweeping.grid import apply_settings, axes_of
from tests.support.agreement import exact_mean, sweep_disagreements
from tests.support.random_rules import METRICS, random_history, random_rule
from tests.support.strategies import histories, rules


@pytest.fixture(scope="module", autouse=True)
def _fast_paths_even_for_few_runs() -> Any:
    """Few runs are stepped one by one: then these tests would be of nothing else."""
    with unittest.mock.patch.object(sweeping, "_FEW", 0):
        yield


def expected(rule: es.Rule, judge: es.Best, history: es.History) -> tuple[Any, ...]:
    """What replaying one setting gives, and the regret worked out run by run."""
    result = es.replay(rule, history, save=judge)
    log = es.replay(es.Never(), history, save=judge)
    values = history.metrics[judge.monitor]
    best = [float(values[run, e]) if e >= 0 else np.nan for run, e in enumerate(result.saved_epoch)]
    regret = []
    for run, epoch in enumerate(log.saved_epoch):
        if epoch < 0:
            regret.append(np.nan)
        elif result.saved_epoch[run] < 0:
            regret.append(np.inf)
        else:
            of_log = float(values[run, epoch])
            worse = best[run] - of_log if judge.mode == "min" else of_log - best[run]
            regret.append(0.0 if best[run] == of_log else float(worse))
    return result.epochs, result.stopped, result.saved_epoch, np.array(best), np.array(regret)


def check(table: es.Sweep, made: list[es.Rule], judges: list[es.Best], history: es.History) -> None:
    assert len(table) == len(made)
    for place, (rule, judge) in enumerate(zip(made, judges, strict=True)):
        arrays = (table.epochs, table.stopped, table.best_epoch, table.best, table.regret)
        wanted = expected(rule, judge, history)
        for array, want in zip(arrays, wanted, strict=True):
            np.testing.assert_array_equal(
                array[place], want.astype(array.dtype), err_msg=repr(rule)
            )
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(table.mean_epochs, table.epochs.mean(axis=1))
    assert all(table.regret[~np.isnan(table.regret)] >= 0)


GRIDS: dict[str, tuple[es.Rule, dict[str, list[Any]]]] = {
    "patience": (es.Patience("loss"), {"patience": [0, 1, 2, 3, 5, 9, 30]}),
    "patience and min_delta": (
        es.Patience("loss"),
        {"patience": [4, 1, 2], "min_delta": [0.0, 0.1, 0.5, 2.0]},
    ),
    "patience of a score": (es.Patience("loss", mode="max"), {"patience": [1, 2, 4]}),
    "patience with all it has": (
        es.Patience("loss", relative=True, min_delta=0.1),
        {"start_from_epoch": [0, 2], "baseline": [None, 0.0, 1.0], "patience": [3, 1]},
    ),
    "patience that grows": (
        es.Patience("loss", start_from_epoch=1),
        {"growth": [0.0, 0.3, 1.0], "min_delta": [0.0, 0.5], "patience": [3, 1, 2]},
    ),
    "patience that grows in an any-of": (
        es.Patience("loss", growth=0.5) | es.Threshold("val_loss", 0.2),
        {"patience": [1, 2, 5]},
    ),
    "patience in an any-of": (
        es.Patience("loss") | es.Threshold("val_loss", 0.2) | es.NonFinite("val_loss"),
        {"patience": [1, 2, 5]},
    ),
    "the other part of an any-of": (
        es.Patience("loss", 2) | es.Threshold("val_loss", 0.2),
        {"value": [-1.0, 0.2, 3.0]},
    ),
    "patience in an all-of": (es.Patience("loss") & es.MaxEpochs(3), {"patience": [1, 2, 5]}),
    "patience under a warm-up": (es.Warmup(es.Patience("loss"), 2), {"patience": [1, 2]}),
    "both levels": (es.Warmup(es.Patience("loss"), 2), {"epochs": [0, 3], "patience": [1, 2]}),
    "alpha": (es.GeneralizationLoss("loss"), {"alpha": [0.0, 5.0, 50.0]}),
    "windows": (es.Plateau("loss", 2, 0.1), {"window": [2, 3], "std": [0.0, 0.5]}),
    "the monitor": (es.Patience("loss"), {"monitor": ["loss", "val_loss"], "patience": [1, 3]}),
    "the mode": (es.Patience("loss"), {"mode": ["min", "max"], "patience": [1, 3]}),
    "two patiences": (
        es.Patience("loss") | es.Patience("val_loss"),
        {"0.patience": [1, 2], "1.patience": [2, 3]},
    ),
}


@pytest.mark.parametrize("what", GRIDS)
@given(data=st.data())
def test_every_setting_does_what_replaying_it_does(what: str, data: Any) -> None:
    rule, grid = GRIDS[what]
    history = data.draw(histories())
    table = es.sweep(rule, history, **grid)
    axes = axes_of(rule, grid)
    made = [apply_settings(rule, axes, setting) for setting in table.settings]
    check(table, made, [sweeping.default_best(one) for one in made], history)


@pytest.mark.parametrize("what", GRIDS)
@given(history=histories())
def test_few_runs_are_stepped_to_the_same_numbers(what: str, history: es.History) -> None:
    rule, grid = GRIDS[what]
    wanted = arrays_of(es.sweep(rule, history, **grid))
    with unittest.mock.patch.object(sweeping, "_FEW", 10**9):
        table = es.sweep(rule, history, **grid)
    for array, want in zip(arrays_of(table), wanted, strict=True):
        np.testing.assert_array_equal(array, want)


@given(
    rule=rules(),
    patience=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    history=histories(),
    mode=st.sampled_from(["min", "max"]),
)
def test_patience_beside_any_rule_and_any_judge(
    rule: es.Rule, patience: list[int], history: es.History, mode: Any
) -> None:
    judge = es.Best("val_loss", mode=mode)
    both = es.AnyOf(es.Patience("loss", min_delta=0.1), rule)
    table = es.sweep(both, history, save=judge, **{"0.patience": patience})
    made = [es.AnyOf(es.Patience("loss", p, min_delta=0.1), rule) for p in patience]
    check(table, made, [judge] * len(made), history)


@pytest.mark.parametrize("what", GRIDS)
@given(data=st.data())
def test_raise_is_an_error_where_replaying_a_setting_is_one(what: str, data: Any) -> None:
    rule, grid = GRIDS[what]
    history = data.draw(histories())
    axes = axes_of(rule, grid)
    settings = es.sweep(rule, history, **grid).settings
    errors = 0
    for setting in settings:
        made = apply_settings(rule, axes, setting)
        try:
            es.replay(made, history, save=sweeping.default_best(made), on_missing="raise")
        except es.MissingMetricError:
            errors += 1
    if errors:
        with pytest.raises(es.MissingMetricError):
            es.sweep(rule, history, on_missing="raise", **grid)
    else:
        es.sweep(rule, history, on_missing="raise", **grid)


@pytest.mark.parametrize("seed", range(6))
def test_large_random_sweeps_agree_in_blocks_of_all_sizes(seed: int) -> None:
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    history = random_history(rng, runs=60, epochs=150)
    rule = es.Patience(METRICS[seed % 3], mode="min", start_from_epoch=seed % 2)
    if seed % 2:
        rule = rule | random_rule(chance)
    sizes: dict[str, Any] = {"LANES": chance.choice([7, 25, 99]), "BLOCK": 16, "TILE": 5}
    grid: dict[str, Any] = {"0.patience" if seed % 2 else "patience": range(1, 40, 3)}
    with unittest.mock.patch.multiple(lanes, **sizes):
        table = es.sweep(rule, history, save=es.Best("loss"), **grid)
    first = rule.children[0] if seed % 2 else rule
    made = [
        es.AnyOf(first.replace(patience=p), *rule.children[1:])
        if seed % 2
        else first.replace(patience=p)
        for p in range(1, 40, 3)
    ]
    check(table, made, [es.Best("loss")] * len(made), history)


def test_many_random_sweeps_agree_with_stepping() -> None:
    assert sweep_disagreements(pairs=6000, seed=20170709) == []


def arrays_of(table: es.Sweep) -> list[Any]:
    summaries = [table.mean_epochs, table.share_saved, table.mean_regret]
    summaries += [table.quantile_epochs(0.3), table.quantile_regret(0.7)]
    return [table.epochs, table.stopped, table.best_epoch, table.best, table.regret, *summaries]


def cut(history: es.History, places: list[int]) -> list[es.History]:
    """The same runs as several histories."""
    ends = itertools.pairwise([0, *places, len(history)])
    parts = [history[begin:end] for begin, end in ends]
    return [es.History(masked(part), part.lengths) for part in parts]  # without names


def masked(history: es.History) -> dict[str, Any]:
    return {
        name: np.ma.MaskedArray(array, ~history.reported(name))
        for name, array in history.metrics.items()
    }


SHARED: dict[str, tuple[es.Rule, dict[str, Any]]] = {
    "patience": (es.Patience("loss"), {"patience": range(1, 9)}),
    "patience and min_delta": (
        es.Patience("loss") | es.Threshold("val_loss", -3.0),
        {"0.patience": [3, 1], "min_delta": [0.0, 0.5]},
    ),
    "stepped": (es.Warmup(es.Patience("loss"), 2), {"patience": [1, 3], "epochs": [0, 2]}),
}


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("what", SHARED)
@pytest.mark.parametrize("seed", range(3))
def test_several_histories_and_workers_give_the_numbers_of_one(
    what: str, seed: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule, grid = SHARED[what]
    history = random_history(np.random.default_rng(seed), runs=60, epochs=25)
    parts = cut(history, [13, 14, 40])
    wanted = arrays_of(es.sweep(rule, history, **grid))
    if not kept:
        monkeypatch.setattr(sweeping, "_KEEP", 0)
        monkeypatch.setattr(sweeping, "_AT_A_TIME", 1000)
    monkeypatch.setattr(lanes, "LANES", 7)
    sources: list[Any] = [(parts, 1), (tuple(parts), 3), ([history], 2), (history, 3)]
    sources += [(dict(enumerate(parts)).values(), 1)]
    sources += [(iter(parts), 1), (iter(parts), 2)] if kept else []
    for source, workers in sources:
        table = es.sweep(rule, source, workers=workers, **grid)
        for array, want in zip(arrays_of(table), wanted, strict=True):
            np.testing.assert_array_equal(array, want)
        assert table.runs == 60
        assert table.names == history.names
        assert table.lengths.tolist() == history.lengths.tolist()


def test_of_an_iterator_means_are_all_there_is_if_keeping_more_would_be_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = random_history(np.random.default_rng(1), runs=60, epochs=25)
    monkeypatch.setattr(sweeping, "_KEEP", 0)
    whole = es.sweep(es.Patience("loss"), history, patience=range(1, 9))
    table = es.sweep(es.Patience("loss"), iter(cut(history, [20])), patience=range(1, 9))
    np.testing.assert_array_equal(table.mean_regret, whole.mean_regret)
    np.testing.assert_array_equal(table.share_saved, whole.share_saved)
    for ask in (lambda: table.epochs, lambda: table.quantile_regret(0.5)):
        with pytest.raises(es.HistoryError, match="came from an iterator, which is used up"):
            ask()


class Changing:
    """Histories that are others when they are read again."""

    def __init__(self, *reads: list[es.History]) -> None:
        self._reads = iter(reads)

    def __iter__(self) -> Any:
        return iter(next(self._reads))


def test_histories_that_change_between_two_readings_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeping, "_KEEP", 0)
    history = random_history(np.random.default_rng(1), runs=60, epochs=25)
    parts = cut(history, [20, 40])
    for again in ([], parts[:2], [*parts, parts[0]], [parts[0], parts[2], parts[1]]):
        table = es.sweep(es.Patience("loss"), Changing(parts, again), patience=[1, 2])
        with pytest.raises(es.HistoryError):
            table.quantile_regret(0.5)


def test_names_of_several_histories_are_kept_and_the_others_are_numbered() -> None:
    one = es.History({"loss": [[1.0], [2.0]]}, names=["a", "b"])
    two = es.History({"loss": [[1.0], [2.0]]})
    assert es.sweep(es.Patience("loss"), [one, two], patience=[1]).names == (
        "a",
        "b",
        "run 2",
        "run 3",
    )


def test_a_metric_may_be_in_some_histories_only() -> None:
    rule = es.Patience("loss") | es.Diverged("acc", 0.3)
    with_acc = es.History({"loss": [[3.0, 2.0, 1.0]], "acc": [[0.5, 0.2, 0.1]]})
    without = es.History({"loss": [[3.0, 4.0, 5.0]]})
    for source in ([without, with_acc], iter([without, with_acc])):
        assert es.sweep(rule, source, patience=[2]).epochs.tolist() == [[3, 2]]
    for source in ([without, without], iter([without, without])):
        with pytest.raises(es.MissingMetricError, match="no epoch of this history reports 'acc'"):
            es.sweep(rule, source, patience=[2])
    only_acc = es.History({"acc": [[0.5, 0.2, 0.1]]})
    table = es.sweep(rule, [with_acc, only_acc], patience=[2])
    assert table.epochs.tolist() == [[2, 2]]
    assert table.best_epoch.tolist() == [[1, -1]]


def test_a_sweep_of_no_history_is_refused() -> None:
    for source in ([], iter([])):
        with pytest.raises(es.HistoryError, match="needs at least one history"):
            es.sweep(es.Patience("loss"), source, patience=[1])
    with pytest.raises(TypeError, match="takes a History, or several, got dict among them"):
        es.sweep(es.Patience("loss"), [{"loss": [1.0]}], patience=[1])


def peak_of(run: Any) -> float:
    """What is allocated above what there was, in MB."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


DELTAS = [i * 1e-3 for i in range(6)]
LARGE: dict[str, tuple[tuple[int, int], Any]] = {
    "patience and min_delta": (
        (20_000, 300),
        lambda h: es.sweep(es.Patience("loss"), h, patience=range(1, 200), min_delta=DELTAS),
    ),
    "quantiles": (
        (20_000, 100),
        lambda h: es.sweep(es.Patience("loss"), h, patience=range(1, 99)).quantile_regret(0.9),
    ),
    "gaps": (
        (16_384, 4),
        lambda h: es.sweep(
            es.Patience("loss"),
            es.History({"loss": np.ma.masked_where(h.metrics["loss"] > 0.9, h.metrics["loss"])}),
            patience=range(1, 400),
        ),
    ),
    "waits that grow": (
        (16_384, 300),
        lambda h: es.sweep(
            es.Patience("loss"),
            es.History({"loss": np.broadcast_to(staircase(300), (16_384, 300))}),
            patience=range(1, 300),
            min_delta=[0.25 + i / 100 for i in range(16)],
        ),
    ),
    "settings": (
        (50, 300),
        lambda h: es.sweep(
            es.Patience("loss"), h, patience=range(1, 301), min_delta=np.arange(100) / 1e4
        ),
    ),
    "metrics": (
        (20_000, 40),
        lambda h: es.sweep(
            es.NonFinite() | es.Patience("loss"),
            es.History(
                {"loss": h.metrics["loss"], **{f"m{i}": h.metrics["loss"] for i in range(40)}}
            ),
            **{"1.patience": [1, 2]},
        ),
    ),
    "replay": (
        (20_000, 300),
        lambda h: es.replay(es.Patience("loss", 50) | es.NonFinite(), h, save=es.Best("loss")),
    ),
    "windows of their own": (
        (16_384, 16),
        lambda h: es.sweep(
            es.Smoothed(es.Plateau("loss", window=16, std=0.01), "loss", alpha=0.5),
            h,
            alpha=np.linspace(0.1, 0.9, 32).tolist(),
        ),
    ),
    "ragged": (
        (100, 10**6),
        lambda h: es.replay(
            es.Patience("loss", 5),
            es.History({"loss": np.broadcast_to(1.0, (100, 10**6))}, lengths=[3] * 100),
            save=es.Best("loss"),
            on_missing="raise",
        ),
    ),
}


def staircase(epochs: int) -> Any:
    """Falls by 1 after waits of 1, 2, 3, ... epochs, and a little in between."""
    waits = np.repeat(np.arange(epochs), np.arange(epochs) + 1)[:epochs]
    return 1000.0 - waits - np.arange(epochs) * 1e-4


@pytest.mark.parametrize("what", LARGE)
def test_memory_stays_bounded_whatever_the_history(what: str, tmp_path: Path) -> None:
    shape, run = LARGE[what]
    rng = np.random.default_rng(1)
    if shape[1] < 10**6:
        values = np.lib.format.open_memmap(tmp_path / "loss.npy", "w+", np.float64, shape)
        values[:] = 1 / np.sqrt(np.arange(1, shape[1] + 1)) + rng.random(shape) / 10
        history = es.History({"loss": np.load(tmp_path / "loss.npy", mmap_mode="r")})
    else:
        history = es.History({"loss": [1.0]})
    assert peak_of(lambda: run(history)) < 64


def test_one_run_with_gaps_changes_nothing_for_the_others() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((300, 50))
    gaps = np.zeros(values.shape, dtype=np.bool_)
    gaps[[7, 290], 5:9] = True
    history = es.History({"loss": np.ma.MaskedArray(values, gaps)})
    table = es.sweep(es.Patience("loss"), history, patience=[1, 5, 20], min_delta=[0.0, 0.1])
    made = [es.Patience("loss", p, min_delta=d) for p in (1, 5, 20) for d in (0.0, 0.1)]
    check(table, made, [es.Best("loss")] * 6, history)
    with pytest.raises(es.MissingMetricError, match="no metric 'loss' at epoch 5 of 'run 290'"):
        es.sweep(es.Patience("loss"), history[8:], patience=[50], on_missing="raise")
    with pytest.raises(es.MissingMetricError, match="no metric 'loss' at epoch 5 of 'run 290'"):
        es.replay(es.Patience("loss", 50), history[8:], on_missing="raise")


def test_runs_longer_than_small_integers_reach_are_swept() -> None:
    losses = np.ones((30, 40_000))
    losses[:, [0, 10, 39_000]] = [9.0, 8.0, 0.5]
    history = es.History({"loss": losses})
    table = es.sweep(es.Patience("loss"), history, patience=[5, 38_998, 38_999])
    assert table.epochs[:, 3].tolist() == [7, 39_000, 40_000]
    assert table.best_epoch[:, 3].tolist() == [1, 1, 39_000]


def test_many_runs_that_stop_alike_are_added_up_exactly() -> None:
    losses = np.tile([1.5, 1.1, 1.2, 0.3], (70_000, 1))
    table = es.sweep(es.Patience("loss"), es.History({"loss": losses}), patience=[1, 2])
    assert table.mean_regret.tolist() == [1.1 - 0.3, 0.0]
    assert table.mean_epochs.tolist() == [3, 4]


def test_other_types_of_numbers_count_as_what_they_are_in_float64() -> None:
    losses = np.array([[1.5, 1.1, 1.2, 0.3]] * 30, dtype=np.float32)
    for rule in (es.Patience("loss"), es.Patience("loss") & es.Always()):
        table = es.sweep(rule, es.History({"loss": losses}), patience=[1])
        assert table.regret[0, 0] == float(losses[0, 1]) - float(losses[0, 3])


def test_what_is_best_is_said_by_a_metric_with_a_direction_and_never_by_the_clock() -> None:
    history = es.History({"a": [[1.0, 2.0]], "loss": [[3.0, 2.0]], "elapsed_seconds": [[1.0, 2.0]]})
    for rule in (
        es.Plateau("a", 2, 0.1) | es.Patience("loss"),
        es.TimeLimit(9.0) | es.Patience("loss"),
        es.Threshold("elapsed_seconds", 99.0, mode="max") | es.Patience("loss"),
    ):
        assert es.sweep(rule, history, patience=[1]).best.tolist() == [[2.0]]


def test_quantiles_are_those_of_numpy_and_of_nothing_else() -> None:
    history = es.History({"loss": np.random.default_rng(1).random((37, 20))})
    table = es.sweep(es.Patience("loss"), history, patience=[1, 3])
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
    table = es.sweep(es.Patience("loss"), history, patience=[1])
    assert table.regret.tolist() == [[np.inf]]
    assert table.mean_regret.tolist() == [np.inf]


def test_settings_are_plain_values() -> None:
    history = es.History({"loss": [[3.0, 2.0]]})
    table = es.sweep(es.Patience("loss"), history, patience=np.arange(1, 3), min_delta=np.zeros(1))
    assert json.loads(json.dumps(table.settings)) == table.settings


class Crowded(es.Rule):
    """Has fields that are called as arguments of `sweep` are."""

    workers: int = 1

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        return state, epoch >= self.workers


def test_a_field_called_as_an_argument_is_an_axis_with_a_dot_before_it() -> None:
    history = es.History({"loss": [[3.0, 2.0, 1.0]]})
    table = es.sweep(Crowded(), history, save=es.Best("loss"), **{".workers": [0, 1, 9]})
    assert table.epochs[:, 0].tolist() == [1, 2, 3]


def test_histories_and_sweeps_can_be_pickled() -> None:
    history = random_history(np.random.default_rng(3), runs=20, epochs=10)
    table = es.sweep(es.Patience("loss"), history, patience=[1, 2])
    for again in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        assert again.names == history.names
        for run in range(20):
            assert repr(again.records(run)) == repr(history.records(run))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(table)).regret, table.regret)


@pytest.mark.parametrize("make", [pandas.DataFrame.from_arrow, polars.DataFrame, pyarrow.table])
def test_frames_take_a_sweep_as_it_is(make: Any) -> None:
    history = es.History({"loss": [[3.0, 4.0, 1.0]]})
    table = es.sweep(es.Patience("loss"), history, patience=[1, 2], min_delta=[0.0, 0.5])
    frame = make(table)
    columns = table.to_dict()
    assert {name: list(map(float, frame[name].to_numpy())) for name in columns} == columns
    rules = [es.Patience("loss", 1), es.Patience("loss", 2)]
    frame = make(es.sweep(es.Warmup(rules[0], 1), history, rule=rules))
    assert [str(value) for value in frame["rule"].to_numpy()] == [repr(rule) for rule in rules]
    both = [tuple(rules), (*rules, es.MaxEpochs(3))]
    frame = make(es.sweep(es.AnyOf(*rules), history, rules=both))
    assert [str(value) for value in frame["rules"].to_numpy()] == [repr(each) for each in both]


def test_without_pyarrow_a_frame_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    table = es.sweep(es.Patience("loss"), es.History({"loss": [[3.0, 4.0]]}), patience=[1])
    with pytest.raises(ImportError, match=r'needs pyarrow: pip install "earlystop\[arrow\]"'):
        table.__arrow_c_stream__()


def test_settings_come_in_the_order_of_the_product() -> None:
    history = es.History({"loss": [[3.0, 2.0, 1.0]]})
    table = es.sweep(es.Patience("loss"), history, patience=[2, 1], min_delta=[0.5, 0.0])
    assert table.settings == [
        {"patience": 2, "min_delta": 0.5},
        {"patience": 2, "min_delta": 0.0},
        {"patience": 1, "min_delta": 0.5},
        {"patience": 1, "min_delta": 0.0},
    ]
    assert repr(table) == (
        "Sweep(Patience('loss', mode='min'): 4 settings of patience, min_delta, 1 run)"
    )


def test_summaries_say_what_the_arrays_say() -> None:
    history = random_history(np.random.default_rng(3), runs=50, epochs=40)
    table = es.sweep(es.Patience("loss"), history, patience=range(1, 12))
    saved = 1 - table.epochs.sum(axis=1) / history.lengths.sum()
    np.testing.assert_allclose(table.share_saved, saved, rtol=1e-12)
    there = ~np.isnan(table.regret[0])
    assert table.mean_regret.tolist() == [exact_mean(row[there]) for row in table.regret]
    np.testing.assert_array_equal(
        table.quantile_epochs(0.9), np.quantile(table.epochs, 0.9, axis=1)
    )
    np.testing.assert_array_equal(
        table.quantile_regret(0.5), [np.quantile(r[there], 0.5) for r in table.regret]
    )
    columns = table.to_dict()
    assert list(columns) == ["patience", "mean_epochs", "share_saved", "mean_regret"]
    assert columns["patience"] == list(range(1, 12))
    assert columns["mean_epochs"] == table.mean_epochs.tolist()


def test_arrays_have_the_shape_and_types_they_should() -> None:
    history = es.History({"loss": [[3.0, 2.0], [1.0, 2.0], [2.0, 2.0]]})
    table = es.sweep(es.Patience("loss"), history, patience=[1, 2])
    for name, dtype in (
        ("epochs", "int64"),
        ("stopped", "bool"),
        ("best_epoch", "int64"),
        ("best", "float64"),
        ("regret", "float64"),
    ):
        assert getattr(table, name).shape == (2, 3)
        assert getattr(table, name).dtype == dtype


class Late(es.Patience):
    """A patience that decides otherwise than its base."""

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        after, fires = super().step(state, metrics, epoch)
        return after, fires & (epoch >= 6)


def test_a_subclass_of_patience_is_asked_itself() -> None:
    history = es.History({"loss": [[4.0, 3.0, 3.5, 3.6, 3.7, 3.8, 3.9, 2.0, 5.0]] * 2})
    for rule in (Late("loss"), Late("loss") | es.MaxEpochs(99)):
        assert es.sweep(rule, history, patience=[1, 2]).epochs.tolist() == [[7, 7]] * 2


def test_quantiles_stand_infinite_regrets() -> None:
    losses = [[1.0, -np.inf], [1.0, 2.0], [5.0, 6.0], [3.0, 4.0], [2.0, -np.inf]]
    table = es.sweep(es.MaxEpochs(1), es.History({"loss": losses}), n=[1], save=es.Best("loss"))
    assert table.regret.tolist() == [[np.inf, 0.0, 0.0, 0.0, np.inf]]
    assert [table.quantile_regret(q)[0] for q in (0, 0.5, 0.9, 1)] == [0, 0, np.inf, np.inf]


def test_runs_without_epochs_are_swept() -> None:
    history = es.History({"loss": np.ones((3, 4))}, lengths=[0, 0, 0])
    table = es.sweep(es.Patience("loss"), history, patience=[1, 2])
    assert table.epochs.tolist() == [[0, 0, 0]] * 2
    assert not table.stopped.any()
    assert (table.best_epoch == -1).all()


def test_numbers_as_large_as_they_come_are_only_never_reached() -> None:
    history = es.History({"loss": [[1.0, 2.0, 3.0]] * 30})
    table = es.sweep(es.Patience("loss"), history, patience=[2**63 - 1, 1])
    assert table.epochs[:, 0].tolist() == [3, 2]
    late = es.sweep(es.Patience("loss", 1), history, start_from_epoch=[2**63 - 1])
    assert not late.stopped.any()
    assert (es.replay(es.Every(2**63 - 1), history).epochs == 3).all()


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "an unknown field": (
        lambda h: es.sweep(es.Patience("loss"), h, patients=[1]),
        ValueError,
        "`sweep`: Patience('loss', mode='min') has no field 'patients': the fields there are:",
    ),
    "a field of two parts": (
        lambda h: es.sweep(es.Patience("loss") | es.Patience("acc"), h, patience=[1]),
        ValueError,
        "`sweep`: 'patience' may be any of '0.patience', '1.patience' in",
    ),
    "a part that is not there": (
        lambda h: es.sweep(es.Patience("loss"), h, **{"3.patience": [1]}),
        ValueError,
        "`sweep`: Patience('loss', mode='min') has nothing called '3.patience'",
    ),
    "no grid": (
        lambda h: es.sweep(es.Patience("loss"), h),
        ValueError,
        "`sweep` needs at least one field, with at least one value each",
    ),
    "an empty axis": (
        lambda h: es.sweep(es.Patience("loss"), h, patience=[]),
        ValueError,
        "`sweep` needs at least one field, with at least one value each",
    ),
    "one value": (
        lambda h: es.sweep(es.Patience("loss"), h, patience=5),
        TypeError,
        "`sweep(patience=...)` must be a sequence of values, got 5",
    ),
    "a name for a sequence": (
        lambda h: es.sweep(es.Patience("loss"), h, monitor="loss"),
        TypeError,
        "`sweep(monitor=...)` must be a sequence of values, got 'loss'",
    ),
    "a field twice": (
        lambda h: es.sweep(
            es.Patience("loss") | es.Never(), h, patience=[1], **{"0.patience": [2]}
        ),
        ValueError,
        "`sweep`: 'patience' and '0.patience' change the same part of",
    ),
    "a rule and what is in it": (
        lambda h: es.sweep(
            es.Warmup(es.Patience("loss"), 1), h, rule=[es.Patience("acc")], patience=[2]
        ),
        ValueError,
        "`sweep`: 'rule' and 'patience' change the same part of",
    ),
    "a value that makes no sense": (
        lambda h: es.sweep(es.Patience("loss"), h, patience=[1, -1]),
        ValueError,
        "`Patience(patience=...)` must be a whole number of at least 0, got -1",
    ),
    "nothing to be best at": (
        lambda h: es.sweep(es.MaxEpochs(3), h, n=[1, 2]),
        ValueError,
        "`sweep`: MaxEpochs(1) does not say which metric is to be best: pass save=Best('val_loss')",
    ),
    "a judge with a min_delta": (
        lambda h: es.sweep(es.MaxEpochs(3), h, n=[1], save=es.Best("loss", min_delta=0.1)),
        TypeError,
        "`sweep(save=...)` must be a Best without min_delta",
    ),
    "a stopper": (
        lambda h: es.sweep(es.EarlyStopping("loss"), h, patience=[1]),
        TypeError,
        "`sweep(rule)` must be a rule, such as Patience('val_loss'), got Stopper(",
    ),
    "no history": (
        lambda h: es.sweep(es.Patience("loss"), {"loss": [1.0]}, patience=[1]),
        TypeError,
        "`sweep` takes a History, or several, got dict",
    ),
    "a metric that is not there": (
        lambda h: es.sweep(es.Patience("val_loss"), h, patience=[1]),
        KeyError,
        "Patience('val_loss', patience=1, mode='min') asks for 'val_loss', but no epoch",
    ),
    "a gap, where none is allowed": (
        lambda h: es.sweep(es.Patience("loss", 9), h, on_missing="raise", min_delta=[0.1]),
        KeyError,
        "no metric 'loss' at epoch 1 of 'run 0'",
    ),
    "no workers": (
        lambda h: es.sweep(es.Patience("loss"), h, workers=0, patience=[1]),
        ValueError,
        "`sweep(workers=...)` must be a whole number of at least 1, got 0",
    ),
    "another way with gaps": (
        lambda h: es.sweep(es.Patience("loss"), h, on_missing="warn", patience=[1]),
        ValueError,
        '`sweep(on_missing=...)` must be "raise" or "skip", got \'warn\'',
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_swept_is_refused(what: str) -> None:
    make, kind, text = REFUSED[what]
    history = es.History({"loss": [[3.0, None, 1.0]], "acc": [[0.1, 0.2, 0.3]]})
    with pytest.raises(kind) as caught:
        make(history)
    assert str(caught.value).startswith(text)
    assert isinstance(caught.value, es.EarlystopError)


@given(histories(), st.sampled_from(["min", "max"]))
def test_the_knee_lies_below_the_line_from_the_cheapest_to_the_least_regret(
    history: es.History, mode: Any
) -> None:
    rule = es.Patience("val_loss", mode=mode)
    table = es.sweep(rule, history, patience=range(1, 8), min_delta=[0.0, 0.5])
    epochs, regret = table.mean_epochs, table.mean_regret
    finite = np.isfinite(regret)
    if table.knee is None:
        return
    assert finite[table.knee]
    cheapest = min(zip(epochs[finite], regret[finite], strict=True))
    least = min(zip(regret[finite], epochs[finite], strict=True))[::-1]
    high, wide = cheapest[1] - least[1], least[0] - cheapest[0]
    assert high > 0
    assert wide > 0

    def below(place: int) -> float:
        used = (epochs[place] - cheapest[0]) / wide
        given_up = (regret[place] - least[1]) / high
        return float(1 - used - given_up)

    with np.errstate(over="ignore"):
        found = below(table.knee)
        assert found > 0
        assert found == max(below(place) for place in np.flatnonzero(finite).tolist())


def test_the_knee_of_a_bend_is_its_corner() -> None:
    curve = [9.0, 5.0, 4.0, 4.5, 4.5, 3.0, *[3.1] * 20, 2.9]
    history = es.History({"loss": [curve]})
    table = es.sweep(es.Patience("loss"), history, patience=range(1, 30))
    assert table.knee is not None
    assert table.settings[table.knee] == {"patience": 3}
    assert table.monitors == ("loss",)


@pytest.mark.parametrize("curve", [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0], [np.nan, np.nan]])
def test_there_is_no_knee_where_settings_do_not_differ(curve: list[float]) -> None:
    table = es.sweep(es.Patience("loss"), es.History({"loss": curve}), patience=range(1, 5))
    assert table.knee is None
