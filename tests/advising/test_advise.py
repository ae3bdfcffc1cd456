"""`advise`: what it promises holds, what it says is so, and what it cannot know it says."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from agreement import random_history
from hypothesis import given, settings
from hypothesis import strategies as st

import earlystop as es
from earlystop.advising.candidates import default_families, families_of, patience_values
from earlystop.advising.exchangeability import serial_dependence
from earlystop.advising.guarantee import Guarantee, most_that_reject
from earlystop.advising.regret_scale import RegretScale
from earlystop.advising.selection import Calibration
from earlystop.advising.truncation import detect_truncation
from earlystop.sweeping.sweep import Column
from tests.support.strategies import histories

nan, inf = math.nan, math.inf
LOSS = es.Best("loss")


def late(rng: np.random.Generator, runs: int, epochs: int = 12) -> np.ndarray:
    """Curves that fall at a few random epochs and stand still between them."""
    falls = rng.random((runs, epochs)) < 0.3
    return 10.0 - np.cumsum(falls * rng.random((runs, epochs)), axis=1)


def noisy(runs: int, epochs: int = 60, seed: int = 0) -> es.History:
    rng = np.random.default_rng(seed)
    falling = 0.3 + 1 / np.arange(1, epochs + 1)
    return es.History({"loss": falling + 0.05 * rng.standard_normal((runs, epochs))})


# The promises ---------------------------------------------------------------------------------


@given(
    runs=st.integers(1, 60),
    share=st.sampled_from([0.05, 0.1, 0.25, 0.5]),
    error=st.sampled_from([0.01, 0.05, 0.1, 0.3]),
)
def test_the_binomial_test_is_the_exact_one(runs: int, share: float, error: float) -> None:
    q, most, chance = Fraction(share), -1, Fraction(0)
    for cases in range(runs + 1):
        chance += math.comb(runs, cases) * q**cases * (1 - q) ** (runs - cases)
        if chance > Fraction(error):
            break
        most = cases
    assert most_that_reject(runs, share, error) == most


@pytest.mark.parametrize(
    "promise",
    [Guarantee(r, 1.0, None, 0.9) for r in (0.5, 0.1, 0.05, 0.03, 0.01, 0.007, 1 / 3)]
    + [Guarantee(0.01, inf, q, c) for q in (0.5, 0.1, 0.01) for c in (0.5, 0.9, 0.99)],
)
@pytest.mark.parametrize("paths", [1, 7])
def test_as_many_runs_are_needed_as_suffice_if_none_loses_anything(
    promise: Guarantee, paths: int
) -> None:
    nothing = np.zeros(1)
    needed = promise.needed(paths)
    assert promise.kept(needed, nothing, nothing, paths).all()
    assert not promise.kept(needed - 1, nothing, nothing, paths).any()
    level = promise.at_most if promise.at_most is not None else promise.max_regret
    if paths == 1 and needed > 1:
        assert promise.least(needed) <= level * (1 + 1e-12) < promise.least(needed - 1)


def test_the_known_numbers_of_runs() -> None:
    assert [Guarantee(r, 1.0, None, 0.9).needed() for r in (0.1, 0.01, 0.005)] == [9, 99, 199]
    assert Guarantee(0.01, inf, 0.1, 0.9).needed() == 22
    assert Guarantee(0.01, inf, 0.05, 0.95).needed() == 59


def test_a_tiny_level_takes_many_runs_and_no_time_to_tell_or_is_refused() -> None:
    assert Guarantee(1e-9, 1.0, None, 0.9).needed() == 999_999_999
    assert Guarantee(0.01, inf, 1e-10, 0.9).needed() == 23_025_850_929
    history, several = noisy(5), {"min_delta": [0.0, 0.1], "patience": [3]}
    advice = es.advise(history, "loss", max_regret=1e-9, candidates=several)
    short = [n - n // 3 for n in (advice.needed, advice.needed - 1)]
    assert short[0] >= 999_999_999 > short[1]
    for ask in ({"max_regret": 1e-310}, {"max_regret": 0.1, "at_most": 1e-320}):
        with pytest.raises(es.RuleError, match=r"so little takes more than 1e\+12 runs"):
            es.advise(history, "loss", **ask)


@pytest.mark.parametrize("runs", [3, 14, 25, 40])
def test_the_least_that_runs_could_promise_for_several_paths_is_what_they_do_promise(
    runs: int,
) -> None:
    nothing = np.zeros(1)
    least = Guarantee(0.01, inf, 0.5, 0.9).least(runs, paths=3)
    for share, kept in ((least * 1.001, True), (least * 0.999, False)):
        promise = Guarantee(0.01, inf, share, 0.9)
        assert promise.kept(runs, nothing, nothing, paths=3).tolist() == [kept]


def test_a_setting_counts_only_if_all_with_more_patience_do() -> None:
    promise = Guarantee(0.3, 1.0, None, 0.9)
    kept = promise.kept(9, np.array([5.0, 1.0, 2.5, 1.0, 0.0]), np.zeros(5))
    assert kept.tolist() == [False, False, False, True, True]


def test_the_expected_loss_of_a_new_run_stays_within_the_promise() -> None:
    # Losses are 0 or 1, so that the bound is used up: a run needs a random patience.
    rng, alpha, runs, repeats = np.random.default_rng(3), 0.2, 15, 4000
    needs = np.minimum(rng.geometric(0.05, size=(repeats, runs)), 120)
    patience = np.arange(1, 121)
    truth = np.where(patience < 120, 0.95**patience, 0.0)
    promise = Guarantee(alpha, 1.0, None, 0.9)
    risks, naive = [], []
    for row in needs:
        total = (row[:, None] > patience).sum(axis=0)
        risks.append(truth[np.argmax(promise.kept(runs, total, total))])
        naive.append(truth[np.argmax(total <= alpha * runs)])
    tolerance = 4 * np.std(risks) / math.sqrt(repeats)
    assert np.mean(risks) <= alpha + tolerance
    assert np.mean(risks) > alpha - 0.05  # it is not bought by never stopping
    assert np.mean(naive) > alpha + tolerance  # without the correction it would not hold


class Known(NamedTuple):
    """A family of which it is known what it did: arrays of shape (settings, runs)."""

    number: int
    epochs: Any
    regret: Any
    member: int | None = None

    @property
    def values(self) -> range:
        return range(len(self.epochs))

    def swept(self, *_: Any) -> Known:
        return self

    def columns(self, wanted: range) -> Iterator[tuple[int, slice, Any]]:
        for place in wanted:
            nothing = np.empty(0)
            column = Column(self.epochs[place], nothing, nothing, nothing, self.regret[place])
            yield place, slice(0, self.epochs.shape[1]), column

    def only(self, member: int) -> Known:
        return self._replace(member=member)


def test_to_choose_among_families_does_not_break_the_promise_in_expectation() -> None:
    # Families that differ by chance alone: what looks best on some runs does so by luck. A run
    # loses all, or nothing; with more patience less often.
    rng, alpha, runs, families, repeats = np.random.default_rng(2), 0.3, 24, 20, 200
    truth = np.linspace(0.6, 0.0, 25)
    history = es.History({"loss": np.tile(np.linspace(1.0, 0.0, 30), (runs, 1))})
    stake = RegretScale(history, LOSS, "improvement")
    promise = Guarantee(alpha, 1.0, None, 0.9)
    epochs = np.tile(np.arange(2, 27)[:, None], runs)
    risks, naive = [], []
    for seed in range(repeats):
        lost = (rng.random((families, 1, runs)) < truth[:, None]).astype(float)
        there: Any = [Known(number, epochs, lost[number]) for number in range(families)]
        study = Calibration(history, LOSS, stake, promise, there, seed, {})
        assert study.chose == 8
        chosen: Any = study.choose().family
        risks.append(truth[chosen.member])
        totals = lost.sum(axis=2)
        naive.append(truth[min(np.argmax(promise.kept(runs, t, t)) for t in totals)])
    tolerance = 3 * np.std(risks) / math.sqrt(repeats)
    assert np.mean(risks) <= alpha + tolerance
    # If the same runs chose the family and carried the promise, it would not hold.
    assert np.mean(naive) > alpha + tolerance


def test_with_confidence_the_share_of_bad_runs_stays_within_the_promise() -> None:
    # At most 20 % of runs, on several paths whose only settings are all a little worse.
    rng, runs, paths, repeats = np.random.default_rng(5), 60, 12, 4000
    promise = Guarantee(0.01, inf, 0.2, 0.9)
    bad = rng.binomial(runs, 0.2001, size=(repeats, paths))
    failed = np.mean(
        [promise.kept(runs, row, row, paths).any() for row in bad[:, :, None][:, ::-1]]
    )
    single = np.array([[promise.kept(runs, one, one, paths).any() for one in row] for row in bad])
    without = np.array([[promise.kept(runs, one, one).any() for one in row] for row in bad])
    tolerance = 4 * math.sqrt(0.1 * 0.9 / repeats)
    assert failed <= 0.1 + tolerance
    assert single.any(axis=1).mean() <= 0.1 + tolerance
    assert without.any(axis=1).mean() > 0.1 + tolerance  # without the correction for many


def test_a_promise_with_confidence_is_divided_among_the_families() -> None:
    history, ask = noisy(25), {"max_regret": 0.5, "at_most": 0.1, "complete": True}
    grid = {"patience": range(1, 40)}
    alone = es.advise(history, "loss", candidates=grid, **ask)
    assert alone.rule != es.Never()
    several = es.advise(
        history, "loss", candidates={**grid, "min_delta": [0.0, 0.001, 0.01]}, **ask
    )
    assert several.rule == es.Never()
    assert "takes at least 33" in several.warnings[0]
    assert "so few could promise 12.8 % at the least" in several.warnings[0]
    assert several.chose == 0


@given(seed=st.integers(0, 2**32 - 1), alpha=st.sampled_from([0.1, 0.2, 0.5]))
def test_the_advice_is_the_one_that_replaying_every_setting_gives(seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    history = es.History({"loss": late(rng, 15)})
    grid = {"patience": range(1, 12)}
    advice = es.advise(history, "loss", max_regret=alpha, complete=True, candidates=grid)
    lasting: list[tuple[int, float]] = []
    for patience in range(11, 0, -1):
        done = es.replay(es.Patience("loss", patience), history, save=LOSS)
        first, best = history.metrics["loss"][:, 0], done.whole_log.best
        span = np.where(best < first, first - best, 1.0)
        total = (done.regret / span).sum()
        if (total + 1) / 16 > alpha:
            break
        lasting.append((patience, float(done.epochs.sum())))
    if lasting and lasting[-1][1] < history.lengths.sum():
        assert advice.rule == es.Patience("loss", lasting[-1][0])
        assert advice.outcome.epochs == lasting[-1][1] / 15
    else:
        assert advice.rule == es.Never()


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
    places: dict[int, tuple[int, ...]] = {0: (0,), 1: (0,), 2: (0,), 3: (0, 0)}
    families = default_families(es.Patience("loss"), 8, several=True)
    for number, rule in enumerate(NESTED):
        rules = [at(rule, places[number], patience) for patience in range(1, 8)]
        (family,) = families_of(rules, es.Patience("loss"), 8, 8)
        assert family.values == tuple(range(1, 8))
        families.append(family)
    for unit in ("improvement", "best", "metric"):
        stake = RegretScale(history, LOSS, unit)
        for family in families:
            table = family.swept(history, LOSS)
            lost = np.array([stake.lost(row, slice(0, history.runs)) for row in table.regret])
            assert (np.diff(table.epochs, axis=0) >= 0).all()
            assert (lost[1:] <= lost[:-1]).all()
            assert (lost >= 0).all()
            if unit == "improvement":
                assert (lost <= 1).all()


def at(rule: es.Rule, place: tuple[int, ...], patience: int) -> es.Rule:
    if not place:
        return rule.replace(patience=patience)
    parts = list(rule.children)
    parts[place[0]] = at(parts[place[0]], place[1:], patience)
    return rule.with_children(tuple(parts))


@pytest.mark.parametrize("seed", range(12))
def test_smoothing_once_gives_what_the_smoothed_rule_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    history = random_history(rng, int(rng.integers(1, 40)), int(rng.integers(1, 30)))
    inner = es.Patience("val_loss", mode="max" if seed % 2 else "min", growth=0.3 * (seed % 3))
    how: dict[str, Any] = {"alpha": 0.3} if seed % 4 == 0 else {"window": 1 + seed % 5}
    rules = [es.Smoothed(inner.replace(patience=p), "val_loss", **how) for p in (1, 2, 3, 8)]
    judge = es.Best(["val_loss", "loss"][seed // 6], mode=inner.mode)
    (family,) = families_of(rules, inner, 30, 30)
    table = family.swept(history, judge)
    wanted = es.sweep(rules[0], history, save=judge, patience=[1, 2, 3, 8])
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


# What a run loses -----------------------------------------------------------------------------

STAKES: dict[str, tuple[list[Any], int, float]] = {
    # values, the patience, the share of the improvement that is lost
    "half of the way": ([4.0, 3.0, 3.5, 2.0], 1, 0.5),
    "nothing": ([4.0, 3.0, 2.0], 1, 0.0),
    "all: stopped before it improved": ([4.0, 5.0, 2.0], 1, 1.0),
    "constant": ([4.0, 4.0, 4.0], 1, 0.0),
    "never better than the first": ([4.0, 5.0, 6.0], 1, 0.0),
    "stopped before it had a value": ([nan, nan, 4.0, 2.0], 1, 1.0),
    "stopped before its only value": ([nan, nan, 4.0], 1, 1.0),
    "an infinite first value does not count": ([inf, 4.0, 3.0, 3.5, 2.0], 2, 0.0),
    "from the first finite value on": ([nan, 4.0, 3.0, 3.5, 2.0], 1, 1.0),
    "no number at all": ([nan, inf, nan], 1, 0.0),
    "missed an infinitely good value": ([4.0, 5.0, -inf], 1, 1.0),
    "found an infinitely good value": ([4.0, -inf, 5.0, 3.0], 1, 0.0),
    "not reported at first": ([None, 4.0, 3.0, 3.5, 2.0], 1, 0.5),
    "as far apart as floats go": ([1e308, 1.5e308, -1e308], 1, 1.0),
}


@pytest.mark.parametrize("what", STAKES)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_a_run_loses_as_a_share_of_its_improvement(what: str, mode: Any) -> None:
    values, patience, share = STAKES[what]
    sign = 1 if mode == "min" else -1
    history = es.History.from_runs([{"m": [None if v is None else sign * v for v in values]}])
    judge = es.Best("m", mode=mode)
    done = es.replay(es.Patience("m", patience, mode=mode), history, save=judge)
    stake = RegretScale(history, judge, "improvement")
    assert stake.lost(done.regret, slice(0, 1)).tolist() == [share]
    assert stake.usable.tolist() == [what != "no number at all"]
    assert stake.end.tolist() == [len(values)]


def test_other_units_count_in_the_metric_or_against_the_best_value() -> None:
    history = es.History({"loss": [[4.0, 3.0, 3.5, 2.0], [4.0, 1.0, 2.0, -2.0]]})
    done = es.replay(es.Patience("loss", 1), history, save=LOSS)
    runs = slice(0, 2)
    assert RegretScale(history, LOSS, "metric").lost(done.regret, runs).tolist() == [1.0, 3.0]
    assert RegretScale(history, LOSS, "best").lost(done.regret, runs).tolist() == [0.5, 1.5]


def test_an_expected_regret_in_units_without_a_bound_is_refused_or_capped() -> None:
    history = noisy(100)
    for unit in ("metric", "best"):
        with pytest.raises(es.RuleError, match="only if it is bounded"):
            es.advise(history, "loss", max_regret=0.02, unit=unit)
        assert es.advise(history, "loss", max_regret=0.02, unit=unit, at_most=0.1).promised == 0.1
    advice = es.advise(history, "loss", max_regret=0.02, unit="metric", bound=0.5)
    table = es.sweep(es.Patience("loss"), history, patience=range(1, 60))
    kept = (np.minimum(table.regret, 0.5).sum(axis=1) + 0.5) / 101 <= 0.02
    assert advice.rule == es.Patience("loss", int(kept.argmax()) + 1)
    assert advice.observed == pytest.approx(table.mean_regret[kept.argmax()])
    assert "of loss" in str(advice)


def test_losses_above_the_bound_are_said_to_count_as_the_bound() -> None:
    values = noisy(100).metrics["loss"].copy()
    values[3, 50] = -1000.0
    ask: dict[str, Any] = {"max_regret": 0.05, "unit": "metric", "candidates": {"patience": [12]}}
    advice = es.advise(es.History({"loss": values}), "loss", bound=0.6, **ask)
    assert (advice.promised, advice.bound) == (0.05, 0.6)
    assert advice.observed > 9  # uncapped
    assert "counts as losing 0.6" in str(advice).replace("\n", " ")
    lost = es.replay(advice.rule, es.History({"loss": values}), save=LOSS).regret
    capped = f"{np.minimum(lost, 0.6).mean():.4g} on these runs"
    assert any("1 run of 100" in text and capped in text for text in advice.warnings)
    enough = es.advise(es.History({"loss": np.delete(values, 3, axis=0)}), "loss", bound=0.6, **ask)
    assert not any("the bound" in warning for warning in enough.warnings)


def test_what_was_asked_for_is_not_rounded() -> None:
    history, ask = noisy(150), {"max_regret": 0.12345}
    assert "at most 12.345 % of the improvement" in str(es.advise(history, "loss", **ask))
    sure = es.advise(history, "loss", at_most=0.23456, confidence=0.98765, **ask)
    for part in ("98.765 %", "23.456 %", "12.345 %"):
        assert part in str(sure).replace("\n", " ")
        assert part in repr(sure)


def test_what_is_not_quite_all_is_not_called_all() -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.3, at_most=0.5, confidence=0.9999)
    assert "With 99.99 % confidence" in str(advice)


# What it says ---------------------------------------------------------------------------------


def test_too_few_runs_are_told_how_many_it_takes() -> None:
    advice = es.advise(noisy(12), "loss", max_regret=0.01)
    assert (advice.rule, advice.promised, advice.needed) == (es.Never(), 0.0, 99)
    assert advice.warnings[0].startswith("12 runs cannot carry a promise of an expected regret")
    assert "at least 99" in advice.warnings[0]
    assert "could promise 7.7 % at the least" in advice.warnings[0]  # 1 / 13, rounded up
    asked = es.advise(noisy(12), "loss", max_regret=0.077)
    assert not any("cannot carry" in warning for warning in asked.warnings)
    assert advice.unpromised is not None
    assert advice.unpromised.regret <= 0.01
    assert "Better train to the end: Never()." in str(advice)
    assert "Without a promise: Patience(" in str(advice)


def test_one_run_is_no_basis_but_is_told_what_happened() -> None:
    advice = es.advise(es.History({"loss": [5.0, 4.0, 3.0, 3.1, 3.2, 3.3]}), "loss", max_regret=0.1)
    assert advice.rule == es.Never()
    assert advice.runs == 1
    assert advice.unpromised is not None
    assert advice.unpromised.rule == es.Patience("loss", 1)
    assert advice.warnings[0].startswith("1 run cannot carry a promise")
    assert "1 run." in str(advice)


def test_constant_runs_lose_nothing_and_it_is_said() -> None:
    advice = es.advise(es.History({"loss": np.ones((30, 10))}), "loss", max_regret=0.1)
    assert advice.rule == es.Patience("loss", 1)
    assert advice.observed == 0
    assert "30 runs of 30 never improved on the first value" in advice.warnings[0]


def test_runs_without_a_number_are_left_out_or_an_error_if_there_are_no_others() -> None:
    values = noisy(30).metrics["loss"].copy()
    values[::10] = nan
    advice = es.advise(es.History({"loss": values}), "loss", max_regret=0.1)
    assert (advice.runs, advice.left_out) == (27, 3)
    assert any("3 runs never reported a number" in warning for warning in advice.warnings)
    rest = np.delete(values, slice(None, None, 10), axis=0)
    same = es.advise(es.History({"loss": rest}), "loss", max_regret=0.1)
    assert (same.rule, same.outcome) == (advice.rule, advice.outcome)
    with pytest.raises(es.HistoryError, match="of 3 runs, none ever reports a number"):
        es.advise(es.History({"loss": np.full((3, 4), nan)}), "loss", max_regret=0.1)


def stopped(rule: es.Rule, runs: int = 60, epochs: int = 120, seed: int = 1) -> es.History:
    """Logs of runs that a rule ended."""
    whole = noisy(runs, epochs, seed)
    return es.History(whole.metrics, lengths=es.replay(rule, whole).epochs)


@pytest.mark.parametrize(
    "rule",
    [
        es.Patience("loss", 3),
        es.Patience("loss", 12),
        es.Patience("loss", 12, min_delta=0.01),
        es.Patience("loss", 25) | es.MaxEpochs(80),  # many of them reach the cap
    ],
)
def test_logs_that_were_stopped_early_are_found_out_and_not_taken_for_complete(
    rule: es.Rule,
) -> None:
    history = stopped(rule)
    own = rule if isinstance(rule, es.Patience) else rule.children[0]
    advice = es.advise(history, "loss", max_regret=0.1)
    assert advice.stopped_by == own
    assert not advice.complete
    assert any("stopped early themselves" in warning for warning in advice.warnings)
    most = advice.stopped_by.settings["patience"]
    assert all(line.patience.max() <= most for line in advice.lines)
    assert all(outcome.rule.settings["patience"] <= most for outcome in advice.defaults)
    plain = es.advise(history, "loss", max_regret=0.1, candidates={})
    assert plain.rule.settings["patience"] <= most
    asked = es.advise(history, "loss", max_regret=0.1, candidates={"patience": [2, most, 90]})
    assert any("a patience above" in warning for warning in asked.warnings)
    too_much = es.advise(history, "loss", max_regret=0.001)
    assert too_much.rule == own
    assert "Better stop as these logs were" in str(too_much)


def test_an_advice_to_stop_as_the_logs_were_says_what_that_would_have_done() -> None:
    history = stopped(es.Patience("loss", 12))
    goes_on = noisy(2, 120, seed=9)  # two that another rule must have stopped
    runs = [
        {"loss": row[:end]}
        for row, end in zip(history.metrics["loss"], history.lengths, strict=True)
    ]
    mixed = es.History.from_runs([*runs, *({"loss": row} for row in goes_on.metrics["loss"])])
    advice = es.advise(mixed, "loss", max_regret=0.0001)
    assert advice.rule == es.Patience("loss", 12)
    done = es.replay(advice.rule, mixed, save=LOSS)
    assert advice.outcome.epochs == done.epochs.mean() < mixed.lengths.mean()
    assert advice.quantiles["max"] > 0


@pytest.mark.parametrize("min_delta", [0.0, 0.01])
def test_rules_without_patience_do_as_they_would_alone_on_logs_that_were_stopped(
    min_delta: float,
) -> None:
    history = stopped(es.Patience("loss", 4, min_delta=min_delta))
    rules = [es.MaxEpochs(40), ~es.Patience("loss", 3), es.GeneralizationLoss("loss", alpha=50)]
    runs = [
        {"loss": row[:end]}
        for row, end in zip(history.metrics["loss"], history.lengths, strict=True)
    ]
    late = {"loss": [2.0, *[3.0] * 30, 1.0]}  # it went on, though nothing got better for long
    mixed = es.History.from_runs([*runs, late, late])
    for rule in rules:
        advice = es.advise(mixed, "loss", max_regret=0.9, candidates=[rule])
        assert advice.stopped_by is not None
        (line,) = advice.lines
        assert line.epochs.tolist() == [es.replay(rule, mixed, save=LOSS).epochs.mean()]


def test_runs_of_one_epoch_were_not_stopped_by_a_patience() -> None:
    runs = [{"loss": [1.0]}] * 4 + [{"loss": [3.0, 2.0, 1.0]}]
    advice = es.advise(es.History.from_runs(runs), "loss", max_regret=0.5)
    assert advice.stopped_by is None


def test_a_patience_that_the_longest_runs_outlived_did_not_stop_the_others() -> None:
    flat = [{"loss": [1.0] * epochs} for epochs in [50] * 30 + [100] * 30]
    advice = es.advise(es.History.from_runs(flat), "loss", max_regret=0.1)
    assert advice.stopped_by is None
    assert advice.complete


def test_what_the_user_says_about_the_logs_counts_more() -> None:
    history = stopped(es.Patience("loss", 12))
    taken = es.advise(history, "loss", max_regret=0.1, complete=True)
    assert taken.complete
    assert taken.stopped_by is None
    whole = noisy(60)
    said = es.advise(whole, "loss", max_regret=0.1, complete=False)
    assert not said.complete
    assert "regret counts from the best that was found by then" in said.warnings[0]
    assert es.advise(whole, "loss", max_regret=0.1).complete


def test_a_patience_that_many_runs_outlived_did_not_stop_them() -> None:
    ends = [[3.0, 2.0 - n / 10, 1.0, 4.0, 4.0] for n in range(6)]  # Patience(2) fires at the end
    goes_on = [[3.0, 4.0, 4.0, 2.0, 1.0 + n / 10, 0.5] for n in range(3)]
    longest = [9.0 - n for n in range(8)]

    def found(runs: list[list[float]]) -> Any:
        history = es.History.from_runs([{"loss": run} for run in [*runs, longest]])
        return detect_truncation(history, LOSS, RegretScale(history, LOSS, "improvement"))

    assert found(ends).rule == es.Patience("loss", 2)
    assert found(ends + goes_on) is None
    assert found(ends[:2]) is None


@pytest.mark.parametrize("runs", [4, 12, 40])
def test_complete_logs_of_unequal_length_are_hardly_ever_taken_for_stopped(runs: int) -> None:
    rng, found = np.random.default_rng(runs), 0
    for seed in range(40):
        history = noisy(runs, 40, seed)
        history = es.History(history.metrics, lengths=rng.integers(8, 41, size=runs))
        found += (
            detect_truncation(history, LOSS, RegretScale(history, LOSS, "improvement")) is not None
        )
    assert found <= 1


def test_runs_in_groups_are_noticed_and_exchangeable_ones_hardly_ever() -> None:
    rng = np.random.default_rng(4)
    alarms = sum(serial_dependence(rng.exponential(size=80).round(1)) > 3 for _ in range(1000))
    assert alarms <= 8  # one in 700 is due
    easy, hard = noisy(30, 60).metrics["loss"], late(rng, 30, 60)
    mixed = es.History({"loss": np.concatenate([easy, hard])})
    advice = es.advise(mixed, "loss", max_regret=0.1)
    assert any("in groups" in warning for warning in advice.warnings)
    again = es.advise(mixed[rng.permutation(60)], "loss", max_regret=0.1)
    assert not any("in groups" in warning for warning in again.warnings)


def test_where_few_runs_lose_nearly_all_it_is_said() -> None:
    values = np.tile(np.linspace(2.0, 1.0, 30), (200, 1))
    values[:12, 2:25] = 5.0
    values[:12, 2:] = values[:12, 2:][:, ::-1][:, ::-1]
    advice = es.advise(
        es.History({"loss": values}), "loss", max_regret=0.08, candidates={"patience": [3]}
    )
    assert advice.rule == es.Patience("loss", 3)
    assert any("very different" in warning for warning in advice.warnings)
    assert advice.quantiles["max"] > 0.8


def test_nothing_is_advised_that_saves_nothing() -> None:
    falling = es.History({"loss": np.tile(np.linspace(2.0, 1.0, 9), (200, 1))})
    advice = es.advise(falling, "loss", max_regret=0.05)
    assert advice.rule == es.Never()
    assert advice.saved == 0


# The answer -----------------------------------------------------------------------------------


def test_an_advice_reads_like_an_answer_and_is_plain_json() -> None:
    history = noisy(150)
    advice = es.advise(history, "loss", max_regret=0.05)
    text = str(advice)
    assert text.startswith(f"Use {advice.rule!r}.\nExpected regret on a new run of the same kind: ")
    for part in ("at most 5 %", "epochs on average", "patience 5 ", "patience 20 ", "150 runs"):
        assert part in text
    sure = str(es.advise(history, "loss", max_regret=0.05, at_most=0.1, confidence=0.95))
    assert "With 95 % confidence, at most 10 % of all runs of this kind lose more than 5 %" in sure
    data = json.loads(json.dumps(advice.to_dict(), allow_nan=False))
    assert es.Rule.from_dict(data["rule_data"]) == advice.rule
    assert data["runs"] == 150
    assert [row["rule"] for row in data["defaults"]] == [
        f"Patience('loss', patience={p}, mode='min')" for p in (5, 10, 20)
    ]
    assert repr(advice).startswith(f"Advice({advice.rule!r}: expected regret at most 5 %")


def test_what_it_reports_is_what_replaying_the_rule_gives() -> None:
    history = noisy(150)
    advice = es.advise(history, "loss", max_regret=0.05)
    first = history.metrics["loss"][:, 0]
    for outcome in (advice.outcome, *advice.defaults):
        done = es.replay(outcome.rule, history, save=LOSS)
        lost = done.regret / np.maximum(first - done.whole_log.best, 1e-300)
        assert outcome.regret == pytest.approx(lost.mean())
        assert outcome.over == pytest.approx((lost > 0.05).mean())
        assert outcome.epochs == done.epochs.mean()
        assert outcome.saved == pytest.approx(done.share_saved)
    stopper = es.Stopper(advice.rule, save=es.Best("loss"))
    assert not stopper.step({"loss": 1.0}).stop


def test_the_same_question_has_the_same_answer_whatever_the_workers() -> None:
    history = noisy(200)
    ask = {"max_regret": 0.1, "candidates": {"min_delta": [0.0, 0.01, 0.03]}}
    one = es.advise(history, "loss", **ask)
    assert one == es.advise(history, "loss", workers=2, **ask)
    assert one.chose == 66


@pytest.mark.parametrize(
    "ask",
    [{}, {"at_most": 0.1}, {"unit": "metric", "bound": 1.0}, {"candidates": {"patience": [5]}}],
)
def test_the_trade_off_can_be_drawn(ask: Any) -> None:
    figure = es.advise(noisy(150), "loss", max_regret=0.05, **ask).plot()
    (axes,) = figure.get_axes()[:1]
    labels = axes.get_legend_handles_labels()[1]
    assert any(label.startswith("the advice: ") for label in labels)
    figure.canvas.draw()


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "all of the improvement": ({"max_regret": 1}, es.RuleError, "must be below 1"),
    "nothing at all": ({"max_regret": 0}, es.RuleError, "no number of runs can promise"),
    "less than nothing": ({"max_regret": -0.1}, es.RuleError, "of at least 0"),
    "a NaN": ({"max_regret": nan}, es.RuleError, "a finite number"),
    "certainty": ({"confidence": 1}, es.RuleError, "must lie between 0 and 1"),
    "all runs": ({"at_most": 1.0}, es.RuleError, "must lie between 0 and 1"),
    "another unit": ({"unit": "percent"}, es.RuleError, "one of 'improvement'"),
    "a bound of shares": ({"bound": 2}, es.RuleError, "is 1 for shares of the improvement"),
    "a bound below": ({"unit": "best", "bound": 0.01}, es.RuleError, "must be above max_regret"),
    "a rule for candidates": ({"candidates": es.Patience("loss")}, TypeError, "several rules"),
    "no candidates": ({"candidates": []}, es.RuleError, "at least one rule"),
    "numbers for candidates": ({"candidates": [5, 10]}, TypeError, "must be rules"),
    "a field that there is not": ({"candidates": {"patients": [1]}}, es.RuleError, "no field"),
    "a seed": ({"seed": -1}, es.RuleError, "seed"),
    "complete": ({"complete": "yes"}, TypeError, "True or False"),
    "missing": ({"on_missing": "drop"}, es.RuleError, "on_missing"),
}


@pytest.mark.parametrize("what", BAD)
def test_questions_that_make_no_sense_are_refused(what: str) -> None:
    ask, kind, text = BAD[what]
    with pytest.raises(kind, match=text) as caught:
        es.advise(noisy(5), "loss", **{"max_regret": 0.1, **ask})
    assert isinstance(caught.value, es.EarlystopError)


def test_a_metric_that_nobody_reports_or_without_a_direction_is_refused() -> None:
    with pytest.raises(es.MissingMetricError, match="did you mean 'loss'"):
        es.advise(noisy(5), "los", mode="min", max_regret=0.1)
    with pytest.raises(es.RuleError, match="pass mode="):
        es.advise(es.History({"gap_mean": [1.0]}), "gap_mean", max_regret=0.1)
    with pytest.raises(TypeError, match="takes a History"):
        es.advise([[1.0]], "loss", max_regret=0.1)
