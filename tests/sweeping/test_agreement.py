"""Every setting of a sweep does what replaying it does, whatever the sizes of the work."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import earlystop as es
from earlystop.replaying.tuning import Tuning
from earlystop.sweeping.grid import apply_settings, axes_of
from earlystop.sweeping.sweep import default_best
from tests.support.agreement import sweep_disagreements
from tests.support.random_rules import METRICS, random_history, random_rule
from tests.support.strategies import histories, rules
from tests.sweeping.swept import GRIDS, arrays_of, check, sweep


@pytest.mark.parametrize("what", GRIDS)
@given(data=st.data())
def test_every_setting_gives_what_replaying_it_gives(what: str, data: Any) -> None:
    rule, grid = GRIDS[what]
    history = data.draw(histories())
    table = sweep(rule, history, **grid)
    axes = axes_of(rule, grid)
    made = [apply_settings(rule, axes, setting) for setting in table.settings]
    check(table, made, [default_best(one) for one in made], history)


@pytest.mark.parametrize("what", GRIDS)
@given(history=histories())
def test_few_runs_are_stepped_to_the_same_numbers(what: str, history: es.History) -> None:
    rule, grid = GRIDS[what]
    wanted = arrays_of(sweep(rule, history, **grid))
    table = sweep(rule, history, tuning=Tuning(few_steps=10**9), **grid)
    for array, want in zip(arrays_of(table), wanted, strict=True):
        np.testing.assert_array_equal(array, want)


@given(
    rule=rules(),
    patience=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    history=histories(),
    mode=st.sampled_from(["min", "max"]),
)
def test_patience_beside_any_rule_gives_what_replaying_gives(
    rule: es.Rule, patience: list[int], history: es.History, mode: Any
) -> None:
    assume({*rule.all_metrics} <= {*history.metrics})
    best = es.Best("val_loss", mode=mode)
    both = es.AnyOf(es.Patience("loss", min_delta=0.1), rule)
    table = sweep(both, history, save=best, **{"0.patience": patience})
    made = [es.AnyOf(es.Patience("loss", p, min_delta=0.1), rule) for p in patience]
    check(table, made, [best] * len(made), history)


@pytest.mark.parametrize("what", GRIDS)
@given(data=st.data())
def test_raise_is_an_error_where_replaying_a_setting_is_one(what: str, data: Any) -> None:
    rule, grid = GRIDS[what]
    history = data.draw(histories())
    axes = axes_of(rule, grid)
    settings = sweep(rule, history, **grid).settings
    errors = 0
    for setting in settings:
        made = apply_settings(rule, axes, setting)
        try:
            es.replay(made, history, save=default_best(made), on_missing="raise")
        except es.MissingMetricError:
            errors += 1
    if errors:
        with pytest.raises(es.MissingMetricError):
            sweep(rule, history, on_missing="raise", **grid)
    else:
        sweep(rule, history, on_missing="raise", **grid)


@pytest.mark.parametrize("seed", range(6))
def test_large_random_sweeps_agree_in_blocks_of_all_sizes(seed: int) -> None:
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    history = random_history(rng, runs=60, epochs=150)
    rule = es.Patience(METRICS[seed % 3], mode="min", start_from_epoch=seed % 2)
    if seed % 2:
        rule = rule | random_rule(chance)
    tuning = Tuning(
        runs_per_batch=chance.choice([7, 25, 99]), epochs_per_block=16, runs_per_tile=5, few_steps=0
    )
    grid: dict[str, Any] = {"0.patience" if seed % 2 else "patience": range(1, 40, 3)}
    table = sweep(rule, history, save=es.Best("loss"), tuning=tuning, **grid)
    first = rule.children[0] if seed % 2 else rule
    made = [
        es.AnyOf(first.replace(patience=p), *rule.children[1:])
        if seed % 2
        else first.replace(patience=p)
        for p in range(1, 40, 3)
    ]
    check(table, made, [es.Best("loss")] * len(made), history)


@pytest.mark.parametrize("seed", range(3))
def test_relative_margins_of_many_runs_do_what_replaying_them_does(seed: int) -> None:
    falls = np.random.default_rng(seed).normal(-0.3, 1.0, (60, 40)).cumsum(axis=1)
    history = es.History({"loss": 50 + falls})
    rule, grid = es.Patience("loss", relative=True), {"patience": [1, 3, 9], "min_delta": [0, 0.1]}
    table = sweep(rule, history, **grid)
    axes = axes_of(rule, grid)
    made = [apply_settings(rule, axes, setting) for setting in table.settings]
    check(table, made, [es.Best("loss")] * len(made), history)


def test_precisions_of_many_runs_do_what_replaying_them_does() -> None:
    runs, epochs = np.arange(60)[:, None], np.arange(40)
    steps = (epochs + runs) // 8  # at each epoch a few runs improve, by less than float32 tells
    history = es.History({"loss": 1 - 1e-9 * steps})
    rule = es.Patience("loss", min_delta=1e-10)
    grid = {"patience": [10, 20], "dtype": ["float32", "float64"]}
    table = sweep(rule, history, **grid)
    axes = axes_of(rule, grid)
    made = [apply_settings(rule, axes, setting) for setting in table.settings]
    check(table, made, [es.Best("loss")] * len(made), history)
    assert table.stopped.all(axis=1).tolist() == [True, False, True, False]


def test_many_random_sweeps_agree_with_stepping() -> None:
    assert sweep_disagreements(pairs=6000, seed=20170709) == []
