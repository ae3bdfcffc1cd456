"""Every setting of `Improvement` is answered by intervals, to the decisions of stepping."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.language.config import field_annotations
from earlystop.replaying.decide import decide
from earlystop.replaying.patience.scan import split_patience, split_scannable
from earlystop.replaying.tuning import Tuning
from earlystop.sweeping.sweep import run_sweep
from tests.support.random_rules import random_history, random_improvement

IMPROVEMENTS = [
    es.Improvement(margin_on="reference"),
    es.Improvement(margin_on="gap"),
    es.Improvement(margin_on="reference", relative_form="factor"),
    es.Improvement(relative_form="signed"),
    es.Improvement(ties=True),
    es.Improvement(nan="improves"),
    es.Improvement(nan="skipped"),
    es.Improvement(first="taken"),
    es.Improvement(first="free"),
    es.Improvement(moved_by="gain"),
    es.Improvement(moved_by="either"),
    es.Improvement(none_at="infinite"),
    es.Improvement(none_at="zero"),
    es.Improvement(signed=True),
    es.Improvement(arithmetic="float32"),
]


def test_every_value_of_every_setting_is_tried() -> None:
    for field in field_annotations(es.Improvement):
        assert any(field in improvement.changed_settings for improvement in IMPROVEMENTS), field


@pytest.mark.parametrize("improvement", IMPROVEMENTS, ids=repr)
@pytest.mark.parametrize("gate", [None, 0.5])
def test_the_closed_form_holds(improvement: es.Improvement, gate: float | None) -> None:
    for seed in range(3):
        chance = random.Random(seed)
        check(improvement, gate, chance, np.random.default_rng(seed))


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 0.0, 0.5, -1.0]))
def test_the_closed_form_holds_for_settings_together(seed: int, gate: float | None) -> None:
    chance = random.Random(seed)
    check(random_improvement(chance), gate, chance, np.random.default_rng(seed))


def check(improvement: es.Improvement, gate: float | None, chance: random.Random, rng: Any) -> None:
    """Replay and sweep by intervals do what stepping run by run does."""
    rule = es.Patience(
        "loss",
        chance.randint(0, 5),
        -0.1 if improvement.signed else chance.choice([0.0, 0.1, 1.0]),
        "min",
        chance.choice([None, 1.0]),
        start_from_epoch=chance.choice([0, 0, 2]),
        relative=chance.random() < 0.5,
        gate=gate,
        improvement=improvement,
    )
    save = es.Best("loss", "min", 0.1, improvement=improvement)
    assert split_patience(rule) is not None
    history = random_history(rng, 20, 20)
    found = decide(rule, save, history, tuning=Tuning(few_runs=0))
    wanted = decide(rule, save, history, tuning=Tuning(few_runs=10**9))
    for array, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(array, want)
    grid = {"patience": [0, 1, 2, 3, 5, 8]}
    best = es.Best("loss", "min")
    swept = run_sweep(rule, history, grid, save=best, tuning=Tuning(few_steps=0))
    stepped = run_sweep(rule, history, grid, save=best, tuning=Tuning(few_steps=10**9))
    np.testing.assert_array_equal(swept.checks, stepped.checks)
    np.testing.assert_array_equal(swept.best_check, stepped.best_check)


def test_runs_are_scanned_where_every_epoch_is_a_check_and_stepped_where_a_nan_is_skipped() -> None:
    history = es.History({"loss": [[3.0, 2.0, 1.0], [3.0, float("nan"), 1.0]]})
    best = es.Best("loss")
    for nan, scanned in (("misses", [0, 1]), ("improves", [0, 1]), ("skipped", [0])):
        settings: dict[str, Any] = {"nan": nan}
        rule = es.Patience("loss", improvement=es.Improvement(**settings))
        whole, _ = split_scannable([rule], best, history, slice(0, 2))
        assert np.arange(2)[whole].tolist() == scanned


def test_with_a_cooldown_or_growth_behind_a_gate_runs_are_stepped() -> None:
    assert split_patience(es.Patience("loss", cooldown=3)) is None
    assert split_patience(es.Patience("loss", gate=0.5, growth=0.1)) is None
