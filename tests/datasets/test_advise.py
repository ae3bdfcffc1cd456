"""Advice on a data set is that on the same runs in memory."""

from __future__ import annotations

import concurrent.futures
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.advising import logged_runs, outcomes, tallies
from tests.advising.runs import late, stopped
from tests.datasets.tables import rows_of, written

COLUMNS: dict[str, Any] = {"run": "run_id", "step": "step", "rows": 300}


@pytest.fixture(autouse=True)
def _read_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged_runs, "_ROWS_IN_MEMORY", 0)


def some_runs(kind: str) -> dict[int, list[float]]:
    rng = np.random.default_rng(0)
    if kind == "stopped early":
        history = stopped(es.Patience("loss", 4), runs=80)
        lengths = history.lengths.tolist()
        curves = [row[:n] for row, n in zip(history.metrics["loss"], lengths, strict=True)]
    else:
        curves = [curve[: rng.integers(2, 31)] for curve in late(rng, 120, 30)]
    if kind == "with gaps":
        for run, curve in enumerate(curves):
            curve[rng.random(len(curve)) < (1.0 if run % 17 == 0 else 0.1)] = np.nan
    return {run: curve.tolist() for run, curve in enumerate(curves)}


def scanned(folder: Path, kind: str = "late", **columns: Any) -> es.Dataset:
    table = written(rows_of(some_runs(kind)), folder, group=200)
    return es.scan_history(table, **{**COLUMNS, **columns})


def same_advice(data: es.Dataset, memory: es.History, workers: Any = 1, **options: Any) -> None:
    expected = es.advise(memory, "val_loss", **{"max_regret": 0.1, **options})
    options = {"max_regret": 0.1, "workers": workers, **options}
    advice = es.advise(data, "val_loss", **options)
    assert advice.to_dict() == expected.to_dict()
    assert str(advice) == str(expected)
    np.testing.assert_equal(advice.lines, expected.lines)
    np.testing.assert_equal(advice.stops, expected.stops)


@pytest.mark.parametrize("family", ["adaptive", "patience", "all"])
@pytest.mark.parametrize("kind", ["late", "with gaps", "stopped early"])
def test_advice_on_a_data_set_is_that_on_all_runs_in_memory(
    kind: str, family: Any, tmp_path: Path
) -> None:
    data = scanned(tmp_path, kind)
    assert len(data) > 4
    same_advice(data, data.read(), family=family)


@pytest.mark.parametrize(
    "options",
    [
        {"at_most": 0.2},
        {"unit": "metric", "bound": 0.7},
        {"unit": "best", "at_most": 0.3, "complete": False},
        {"cost_unit": "checks"},
        {"on_missing": "raise"},
        {"candidates": {"patience": [1, 2, 5, 9], "min_delta": [0.0, 0.1]}},
        {"candidates": [es.Patience("val_loss", 3), es.MaxSteps(5), es.MaxEpochs(9)]},
    ],
    ids=str,
)
def test_so_it_is_whatever_is_asked(options: dict[str, Any], tmp_path: Path) -> None:
    data = scanned(tmp_path)
    same_advice(data, data.read(), **options)


def test_so_it_is_whoever_works(tmp_path: Path) -> None:
    data = scanned(tmp_path)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        same_advice(data, data.read(), workers=pool)


def test_so_it_is_of_few_rows_which_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = scanned(tmp_path)
    monkeypatch.setattr(logged_runs, "_ROWS_IN_MEMORY", 2**23)
    same_advice(data, data.read(), family="all")


def test_so_it_is_where_there_are_too_many_runs_to_tell_all_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "_APART", 3)
    monkeypatch.setattr(tallies, "_MOST_SCORES", 50)
    data = scanned(tmp_path)
    same_advice(data, data.read())


@given(cuts=st.sets(st.integers(1, 19), max_size=6), family=st.sampled_from(["adaptive", "all"]))
def test_however_runs_are_cut_into_parts_the_advice_is_the_same(
    cuts: set[int], family: Any
) -> None:
    curves = late(np.random.default_rng(3), 20)
    whole = es.History({"loss": curves})
    ends = [0, *sorted(cuts), 20]
    parts = tuple(
        Held(es.History({"loss": curves[a:b]}, names=whole.names[a:b]))
        for a, b in itertools.pairwise(ends)
    )
    data = es.Dataset(parts, ("loss",))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(logged_runs, "_ROWS_IN_MEMORY", 0)
        advice = es.advise(data, "loss", max_regret=0.2, family=family)
    expected = es.advise(whole, "loss", max_regret=0.2, family=family)
    assert advice.to_dict() == expected.to_dict()


class Held:
    """A part that is in memory."""

    def __init__(self, history: es.History) -> None:
        self._history = history
        self.rows = int(history.lengths.sum())

    def read(self, metrics: frozenset[str] | None) -> es.History:
        return self._history


def test_a_metric_that_no_file_has_is_refused_before_any_is_read(tmp_path: Path) -> None:
    with pytest.raises(es.MissingMetricError, match="did you mean 'val_loss'"):
        es.advise(scanned(tmp_path), "val_los", mode="min", max_regret=0.1)


@pytest.mark.parametrize("unit", ["acc", "elapsed_seconds"])
def test_a_unit_of_cost_that_no_run_has_is_refused(unit: str, tmp_path: Path) -> None:
    data = scanned(tmp_path)
    for runs in (data, data.read()):
        with pytest.raises(es.MissingMetricError, match=f"no epoch reports the unit '{unit}'"):
            es.advise(runs, "val_loss", max_regret=0.1, cost_unit=unit)


def test_runs_without_any_number_are_refused(tmp_path: Path) -> None:
    runs = {run: [float("nan")] * 5 for run in range(90)}
    data = es.scan_history(written(rows_of(runs), tmp_path, group=200), **COLUMNS)
    with pytest.raises(es.HistoryError, match="of 90 runs, none ever reports a number"):
        es.advise(data, "val_loss", max_regret=0.1)
