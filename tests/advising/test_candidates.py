"""Candidates: more patience stops later, in every family."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import earlystop as es
from earlystop.advising.candidates import default_families, families_of, patience_values
from earlystop.advising.regret_scale import RegretScale
from tests.advising.runs import LOSS, noisy
from tests.support.random_rules import random_history
from tests.support.strategies import histories

# Families -------------------------------------------------------------------------------------

NESTED = [
    es.Patience("loss", growth=0.3) | es.Threshold("val_loss", 0.2),
    es.Patience("loss") & es.NonFinite("val_loss"),
    es.Warmup(es.Patience("loss", min_delta=0.1), 2),
    es.Smoothed(es.Patience("loss") | es.Patience("val_loss", 3), "loss", alpha=0.5),
]


@settings(max_examples=25)
@given(history=histories())
def test_more_patience_stops_later_and_loses_less_in_every_family(history: es.History) -> None:
    paths: dict[int, tuple[int, ...]] = {0: (0,), 1: (0,), 2: (0,), 3: (0, 0)}
    families = default_families(es.Patience("loss"), 8, several=True)
    for number, rule in enumerate(NESTED):
        rules = [at(rule, paths[number], patience) for patience in range(1, 8)]
        (family,) = families_of(rules, es.Patience("loss"), 8, 8)
        assert family.values == tuple(range(1, 8))
        families.append(family)
    for unit in ("improvement", "best", "metric"):
        scale = RegretScale(history, LOSS, unit)
        for family in families:
            table = family.swept(history, LOSS)
            lost = np.array([scale.lost(row, slice(0, history.runs)) for row in table.regret])
            assert (np.diff(table.epochs, axis=0) >= 0).all()
            assert (lost[1:] <= lost[:-1]).all()
            assert (lost >= 0).all()
            if unit == "improvement":
                assert (lost <= 1).all()


def at(rule: es.Rule, path: tuple[int, ...], patience: int) -> es.Rule:
    if not path:
        return rule.replace(patience=patience)
    children = list(rule.children)
    children[path[0]] = at(children[path[0]], path[1:], patience)
    return rule.with_children(tuple(children))


@pytest.mark.parametrize("seed", range(12))
def test_smoothing_once_gives_what_the_smoothed_rule_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    history = random_history(rng, int(rng.integers(1, 40)), int(rng.integers(1, 30)))
    inner = es.Patience("val_loss", mode="max" if seed % 2 else "min", growth=0.3 * (seed % 3))
    how: dict[str, Any] = {"alpha": 0.3} if seed % 4 == 0 else {"window": 1 + seed % 5}
    rules = [es.Smoothed(inner.replace(patience=p), "val_loss", **how) for p in (1, 2, 3, 8)]
    save = es.Best(["val_loss", "loss"][seed // 6], mode=inner.mode)
    (family,) = families_of(rules, inner, 30, 30)
    table = family.swept(history, save)
    wanted = es.sweep(rules[0], history, save=save, patience=[1, 2, 3, 8])
    for column in ("epochs", "stopped", "best_epoch", "best", "regret"):
        np.testing.assert_array_equal(getattr(table, column), getattr(wanted, column))


def test_candidates_are_rules_of_any_kind() -> None:
    rules = [
        es.GeneralizationLoss("loss", alpha=5.0),
        es.MaxEpochs(40),
        es.Patience("loss", 9) | es.MaxEpochs(50),
        es.Patience("loss", 12) | es.MaxEpochs(50),
        ~es.Patience("loss", 3),
    ]
    families = families_of(rules, es.Patience("loss"), 60, 60)
    assert [family.values for family in families] == [(9, 12), (61,), (61,), (61,)]
    members = [family.member(n) for family in families for n in range(len(family.values))]
    assert set(members) == set(rules)
    history = noisy(200)
    for rule in rules:
        family = next(f for f in families if rule in [f.member(n) for n in range(len(f.values))])
        row = [family.member(n) for n in range(len(family.values))].index(rule)
        table = family.swept(history, LOSS)
        wanted = es.replay(rule, history, save=LOSS)
        np.testing.assert_array_equal(table.epochs[row], wanted.epochs)
        np.testing.assert_array_equal(table.regret[row], wanted.regret)
    advice = es.advise(history, "loss", max_regret=0.2, candidates=rules)
    assert advice.rule in rules
    assert advice.families == 4


def test_default_patience_reaches_to_where_nothing_is_stopped() -> None:
    assert patience_values(60) == list(range(1, 60))
    assert patience_values(1) == [1]
    values = patience_values(10_000)
    assert len(values) < 400
    assert all(b - a <= max(1, 0.02 * a) for a, b in itertools.pairwise(values))


def test_with_enough_runs_other_rules_are_tried_and_with_few_plain_patience_alone() -> None:
    assert es.advise(noisy(60), "loss", max_regret=0.1).families == 9
    assert es.advise(noisy(53), "loss", max_regret=0.1).families == 1
    assert es.advise(noisy(132), "loss", max_regret=0.1, at_most=0.1).families == 9


def test_families_are_named_after_what_sets_them_apart() -> None:
    names = [str(family) for family in default_families(es.Patience("loss"), 8, several=True)]
    assert names[:2] == ["plain patience", "min_delta=0.001, relative=True"]
    assert names[5:] == ["growth=0.1", "growth=0.25", "smoothed, window=3", "smoothed, window=5"]
