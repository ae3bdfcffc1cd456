"""Twins are looked for among the runs that begin as a run does, and none is missed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.logs import twins
from earlystop.logs.beginnings import Beginnings
from earlystop.logs.run import Points, Run
from earlystop.logs.same_run import are_one, namings
from tests.logs.reading import write

NUMBERS = st.one_of(
    st.sampled_from([0.0, 0.5, 0.25, 1.0, float("nan"), float("inf"), -float("inf")]),
    st.floats(0.125, 9.0),
)
NAMES = ("loss", "val_loss", "eval/loss", "acc", "train/epoch_acc")


def run_of(metrics: dict[str, list[float]]) -> Run:
    return Run(
        name=None,
        length=max(map(len, metrics.values())),
        metrics={
            name: Points(np.arange(len(values), dtype=np.int64), np.array(values))
            for name, values in metrics.items()
        },
    )


@st.composite
def copied(draw: st.DrawFn, values: list[float]) -> list[float]:
    """The same values as another tool writes them: fewer, of float32, or of a few digits."""
    one_finite = 1 + next(place for place, value in enumerate(values) if np.isfinite(value))
    part = values[: draw(st.integers(one_finite, len(values)))]
    how = draw(st.sampled_from(["whole", "float32", "digits"]))
    if how == "float32":
        return [float(np.float32(value)) for value in part]
    digits = draw(st.sampled_from([4, 5, 6]))
    return [float(f"{value:.{digits}g}") for value in part] if how == "digits" else part


@st.composite
def some_runs(draw: st.DrawFn) -> list[Run]:
    runs: list[dict[str, list[float]]] = []
    for _ in range(draw(st.integers(1, 4))):
        of = st.lists(NUMBERS, min_size=1, max_size=24).filter(lambda v: np.isfinite(v).any())
        runs.append(draw(st.dictionaries(st.sampled_from(NAMES), of, min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.sampled_from(runs))
        runs.append({draw(st.sampled_from(NAMES)): draw(copied(v)) for v in first.values()})
    return [run_of(run) for run in runs]


@given(some_runs())
def test_no_two_files_of_one_run_are_missed(runs: list[Run]) -> None:
    beginnings = Beginnings(runs)
    for number, run in enumerate(runs):
        alike = beginnings.alike(number)
        assert alike == sorted(set(alike))
        for earlier in range(number):
            one = runs[earlier]
            if any(are_one(*names, one, run) for names in namings(one, run)):
                assert earlier in alike


def test_runs_that_begin_with_one_value_are_not_compared_each_with_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, compared = 40, 0
    draws = np.random.default_rng(0).uniform(0.1, 0.9, (2 * number, 3))
    for run, values in enumerate(draws.tolist()):
        rows = {"acc": [0.0, 0.0, 0.0], "loss": [0.6931, *values]}
        rows["acc"].append(values[0])
        lines = "".join(f"{a},{b}\n" for a, b in zip(*rows.values(), strict=True))
        write(tmp_path / f"{run}.csv", "acc,loss\n" + lines)
        write(tmp_path / f"{run}.json", json.dumps(rows))

    def counted(*arguments: Any) -> bool:
        nonlocal compared
        compared += 1
        return are_one(*arguments)

    monkeypatch.setattr(twins, "are_one", counted)
    assert es.read_history(tmp_path).runs == 2 * number
    assert 2 * number <= compared < 3 * number  # a few agree in four digits by chance
