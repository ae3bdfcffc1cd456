"""Several histories and workers count as one."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import earlystop as es
from earlystop.replaying.tuning import Tuning
from tests.support.random_rules import random_history
from tests.sweeping.swept import arrays_of, cut, sweep

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
    what: str, seed: int, kept: bool
) -> None:
    rule, grid = SHARED[what]
    history = random_history(np.random.default_rng(seed), runs=60, epochs=25)
    parts = cut(history, [13, 14, 40])
    wanted = arrays_of(sweep(rule, history, **grid))
    tuning = Tuning(runs_per_batch=7, few_steps=0)
    if not kept:
        tuning = dataclasses.replace(tuning, kept_bytes=0, quantile_bytes=1000)
    sources: list[Any] = [(parts, 1), (tuple(parts), 3), ([history], 2), (history, 3)]
    sources += [(dict(enumerate(parts)).values(), 1)]
    sources += [(iter(parts), 1), (iter(parts), 2)] if kept else []
    for source, workers in sources:
        table = sweep(rule, source, workers=workers, tuning=tuning, **grid)
        for array, want in zip(arrays_of(table), wanted, strict=True):
            np.testing.assert_array_equal(array, want)
        assert table.runs == 60
        assert table.names == history.names
        assert table.lengths.tolist() == history.lengths.tolist()


def test_a_large_sweep_of_an_iterator_keeps_means_alone() -> None:
    history = random_history(np.random.default_rng(1), runs=60, epochs=25)
    keeping_nothing = Tuning(kept_bytes=0, few_steps=0)
    whole = sweep(es.Patience("loss"), history, unit="checks", patience=range(1, 9))
    parts = iter(cut(history, [20]))
    table = sweep(
        es.Patience("loss"), parts, unit="checks", tuning=keeping_nothing, patience=range(1, 9)
    )
    np.testing.assert_array_equal(table.mean_regret, whole.mean_regret)
    np.testing.assert_array_equal(table.share_saved, whole.share_saved)
    for ask in (lambda: table.epochs, lambda: table.quantile_regret(0.5)):
        with pytest.raises(es.HistoryError, match="came from an iterator, which is exhausted"):
            ask()


class Changing:
    """Histories that are others when they are read again."""

    def __init__(self, *reads: list[es.History]) -> None:
        self._reads = iter(reads)

    def __iter__(self) -> Any:
        return iter(next(self._reads))


def test_histories_that_change_between_two_readings_are_an_error() -> None:
    history = random_history(np.random.default_rng(1), runs=60, epochs=25)
    parts = cut(history, [20, 40])
    for again in ([], parts[:2], [*parts, parts[0]], [parts[0], parts[2], parts[1]]):
        changing, keeping_nothing = Changing(parts, again), Tuning(kept_bytes=0, few_steps=0)
        table = sweep(es.Patience("loss"), changing, tuning=keeping_nothing, patience=[1, 2])
        with pytest.raises(es.HistoryError):
            table.quantile_regret(0.5)


def test_given_names_of_several_histories_are_kept_and_missing_ones_numbered() -> None:
    one = es.History({"loss": [[1.0], [2.0]]}, names=["a", "b"])
    two = es.History({"loss": [[1.0], [2.0]]})
    assert sweep(es.Patience("loss"), [one, two], patience=[1]).names == (
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
        assert sweep(rule, source, patience=[2]).epochs.tolist() == [[3, 2]]
    for source in ([without, without], iter([without, without])):
        with pytest.raises(es.MissingMetricError, match="no epoch of this history reports 'acc'"):
            sweep(rule, source, patience=[2])
    only_acc = es.History({"acc": [[0.5, 0.2, 0.1]]})
    table = sweep(rule, [with_acc, only_acc], patience=[2])
    assert table.epochs.tolist() == [[2, 2]]
    assert table.best_epoch.tolist() == [[1, -1]]


def test_a_sweep_of_no_history_is_refused() -> None:
    for source in ([], iter([])):
        with pytest.raises(es.HistoryError, match="needs at least one history"):
            sweep(es.Patience("loss"), source, patience=[1])
    with pytest.raises(TypeError, match="takes a History, or several, got dict among them"):
        sweep(es.Patience("loss"), [{"loss": [1.0]}], patience=[1])
