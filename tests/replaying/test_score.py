"""The scan of scores: levels are counted right, whatever the dials and the sizes of the work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.replaying.batches import finite_runs
from earlystop.replaying.score.ladder import Ladder
from earlystop.replaying.tuning import Tuning
from tests.support.random_rules import random_history
from tests.sweeping.swept import check, sweep

positive = st.floats(min_value=0, exclude_min=True)


@given(st.lists(positive, min_size=1, max_size=30), st.lists(positive, min_size=1, max_size=30))
def test_a_ladder_counts_the_rungs_that_a_score_has_reached(
    rungs: list[float], scores: list[float]
) -> None:
    rising = np.sort(rungs)
    reaching = np.array([score for score in scores if score >= rising[0]] + [rising[-1]])
    wanted = np.searchsorted(rising, reaching, side="right")
    assert Ladder(rising).levels(reaching).tolist() == wanted.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_large_random_sweeps_of_dials_agree_in_parts_of_all_sizes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = random_history(rng, runs=40, epochs=120)
    metrics = {name: drawn.metrics[name] for name in ("loss", "val_loss")}
    history = es.History(metrics, lengths=drawn.lengths)
    rule: es.Rule = es.AdaptivePatience(("loss", "val_loss")[seed % 2], 1)
    name, parts = "patience", [rule]
    if seed >= 2:
        parts = [rule, es.Patience("loss", 9) | es.MaxEpochs(100)]
        rule, name = es.AnyOf(*parts), "0.patience"
    tuning = Tuning(
        runs_per_batch=25,
        epochs_per_block=16,
        rises=(1, 100)[seed % 2],
        runs_apart=(1, 30)[seed // 2],
        stops=99,
        few_steps=0,
    )
    dials: Any = np.geomspace(0.5, 3000, 25)
    table = sweep(rule, history, save=es.Best("loss"), tuning=tuning, **{name: dials})
    first: Any = parts[0]
    turned = [first.replace(patience=dial) for dial in dials]
    made = [es.AnyOf(one, *parts[1:]) if parts[1:] else one for one in turned]
    check(table, made, [es.Best("loss")] * len(made), history)


@pytest.mark.parametrize("runs_apart", [1, 1_000])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_runs_with_and_without_nan_are_answered_as_they_step(runs_apart: int, mode: Any) -> None:
    rng = np.random.default_rng(runs_apart)
    losses = rng.normal(size=(30, 50)).cumsum(axis=1).round(1)
    losses[2, 7], losses[9, 0], losses[20, 30:] = np.nan, np.inf, -np.inf
    losses[5], losses[6] = losses[5] * 1e307, 0.0  # sums and differences that overflow; all ties
    lengths = rng.integers(0, 51, 30)
    history = es.History({"loss": losses}, lengths=lengths)
    rule, save = es.AdaptivePatience("loss", 1, mode=mode), es.Best("loss", mode)
    dials: Any = np.geomspace(0.5, 300, 25)
    tuning = Tuning(runs_apart=runs_apart, few_steps=0)
    table = sweep(rule, history, save=save, tuning=tuning, patience=dials)
    made: list[es.Rule] = [rule.replace(patience=dial) for dial in dials]
    check(table, made, [save] * len(made), history)


def test_finite_runs_are_told_by_what_is_within_their_length() -> None:
    losses = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, np.nan], [1e308, 1e308, 1e308], [1, 2, 3]])
    history = es.History({"loss": losses}, lengths=[3, 2, 3, 0])
    assert finite_runs(history, "loss", slice(0, 4)).tolist() == [False, True, True, True]
    assert finite_runs(history, "loss", np.array([1, 0])).tolist() == [True, False]


def test_many_dials_of_many_runs_take_one_pass() -> None:
    rng = np.random.default_rng(0)
    history = es.History({"loss": rng.normal(size=(200, 50)).cumsum(axis=1)})
    table = es.sweep(es.AdaptivePatience("loss", 1), history, patience=np.geomspace(1, 1e4, 500))
    assert len(table) == 500
    assert (np.diff(table.mean_epochs) >= 0).all()
    assert (np.diff(table.mean_regret) <= 0).all()
    assert table.mean_epochs[-1] == 50
