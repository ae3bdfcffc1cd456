"""Runs that every setting ends early: the rest of their logs still says what was missed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import earlystop as es

RUNS, EPOCHS = 60, 300
LENGTHS = np.where(np.arange(RUNS) % 7 == 0, 250, EPOCHS)
# Both end every run within 5 epochs; the second stands for rules that are not alike.
ENDED: dict[str, tuple[es.Rule, dict[str, Any]]] = {
    "by number": (es.MaxEpochs(1) & es.Always(), {"n": [1, 2, 5]}),
    "by loss": (es.Threshold("loss", 100.0) & es.Always(), {"value": [99.0, 100.0]}),
}


def losses(mode: str, seed: int = 1) -> Any:
    """Improving on the whole, with NaN, infinities and equal values; one run has no best."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 90, (RUNS, EPOCHS)) / 4 - np.arange(EPOCHS) / 8
    for value in (np.nan, np.inf):
        values[rng.random(values.shape) < 0.2] = value
    values[3] = np.inf
    values[5, 10:] = np.nan
    values[11, 200] = -np.inf
    return values if mode == "min" else -values


def best_of(values: Any, mode: str) -> float:
    """The best of some values by plain comparison; NaN for none."""
    sign = 1 if mode == "min" else -1
    known = [sign * x for x in values if sign * x < np.inf]
    return sign * min(known) if known else np.nan


def regret(values: Any, used: int, mode: str) -> float:
    of_log, kept = best_of(values, mode), best_of(values[:used], mode)
    if np.isnan(of_log):
        return np.nan
    if np.isnan(kept):
        return np.inf
    return 0.0 if kept == of_log else abs(kept - of_log)


@pytest.mark.parametrize("what", ENDED)
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("gaps", [False, True])
def test_regret_is_that_of_the_whole_log(what: str, mode: Any, gaps: bool) -> None:
    values = losses(mode)
    missing = np.random.default_rng(2).random(values.shape) < 0.3 if gaps else False
    metrics = {"loss": np.zeros(values.shape), "score": np.ma.MaskedArray(values, missing)}
    history = es.History(metrics, LENGTHS)
    rule, grid = ENDED[what]
    table = es.sweep(rule, history, save=es.Best("score", mode=mode), **grid)
    is_check = (
        np.ones(values.shape, bool)
        if what == "by loss"
        else ~np.broadcast_to(missing, values.shape)
    )
    checks = [
        np.where(missing, np.nan, values)[run, : LENGTHS[run]][is_check[run, : LENGTHS[run]]]
        for run in range(RUNS)
    ]
    for setting in range(len(table)):
        used = table.checks[setting]
        assert used.max() <= 5
        wanted = [regret(checks[run], int(used[run]), mode) for run in range(RUNS)]
        np.testing.assert_array_equal(table.regret[setting], wanted)


def test_a_history_without_the_best_metric_has_no_regret() -> None:
    with_score = es.History({"loss": np.zeros((RUNS, EPOCHS)), "score": losses("min")})
    without = es.History({"loss": np.zeros((RUNS, EPOCHS))})
    for rule, grid in ENDED.values():
        table = es.sweep(rule, [with_score, without], save=es.Best("score", mode="min"), **grid)
        assert np.isnan(table.regret[:, RUNS:]).all()
        assert (table.best_epoch[:, RUNS:] == -1).all()
        assert not np.isnan(table.mean_regret).any()
