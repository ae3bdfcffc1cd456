"""Candidates: more patience stops later, in every family."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import earlystop as es
from earlystop.advising.candidates import DIALS, default_families, families_of, patience_values
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
    families = default_families(es.Patience("loss"), 8, "all")
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
            assert (np.diff(table.checks, axis=0) >= 0).all()
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
    assert [family.values for family in families] == [(5.0,), (40,), (9, 12), (61,)]
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


def test_one_dial_is_turned_and_all_runs_carry_the_promise_unless_more_is_asked_for() -> None:
    by_default = es.advise(noisy(60), "loss", max_regret=0.1)
    assert (by_default.families, by_default.chose) == (1, 0)
    assert type(by_default.rule) is es.AdaptivePatience
    plain = es.advise(noisy(60), "loss", max_regret=0.1, family="patience")
    assert (plain.families, plain.chose) == (1, 0)
    assert type(plain.rule) is es.Patience
    assert by_default.plain == plain.outcome
    assert plain.plain is None
    both = es.advise(noisy(60), "loss", max_regret=0.1, family="all")
    assert (both.families, both.chose) == (10, 20)
    assert "with one kind, all would carry it" in str(both)


def test_a_family_beside_candidates_is_refused() -> None:
    with pytest.raises(es.RuleError, match="both say what to select from"):
        es.advise(noisy(9), "loss", max_regret=0.1, family="all", candidates={"patience": [1]})


def test_dials_are_the_same_for_all_logs() -> None:
    assert (DIALS[0], DIALS[24], DIALS[-1]) == (1.0, 10.0, 1e6)
    assert list(DIALS) == sorted(set(DIALS))
    short, long = (default_families(es.Patience("loss"), n, "adaptive") for n in (9, 9000))
    assert short == long


def test_families_are_named_after_what_sets_them_apart() -> None:
    names = [str(family) for family in default_families(es.Patience("loss"), 8, "all")]
    assert names[:3] == [
        "adaptive patience",
        "plain patience",
        "min_delta=0.001, relative=True",
    ]
    assert names[6:] == ["growth=0.1", "growth=0.25", "smoothed, window=3", "smoothed, window=5"]
