"""Guarantees hold, in expectation and with confidence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.advising.calibration import calibrated
from earlystop.advising.guarantee import Guarantee, most_that_reject
from earlystop.advising.selection import select
from earlystop.sweeping.columns import Column
from tests.advising.runs import LOSS, inf, late, looked_at, noisy

# Guarantees ---------------------------------------------------------------------------------


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
    "guarantee",
    [Guarantee(r, 1.0, None, 0.9) for r in (0.5, 0.1, 0.05, 0.03, 0.01, 0.007, 1 / 3)]
    + [Guarantee(0.01, inf, q, c) for q in (0.5, 0.1, 0.01) for c in (0.5, 0.9, 0.99)],
)
@pytest.mark.parametrize("paths", [1, 7])
def test_the_needed_runs_suffice_if_none_loses_anything_and_one_fewer_does_not(
    guarantee: Guarantee, paths: int
) -> None:
    nothing = np.zeros(1)
    needed = guarantee.needed(paths)
    assert guarantee.holds(needed, nothing, nothing, paths).all()
    assert not guarantee.holds(needed - 1, nothing, nothing, paths).any()
    if paths == 1 and needed > 1:
        level = guarantee.level * (1 + 1e-12)
        assert guarantee.least(needed) <= level < guarantee.least(needed - 1)


def test_the_known_numbers_of_runs() -> None:
    assert [Guarantee(r, 1.0, None, 0.9).needed() for r in (0.1, 0.01, 0.005)] == [9, 99, 199]
    assert Guarantee(0.01, inf, 0.1, 0.9).needed() == 22
    assert Guarantee(0.01, inf, 0.05, 0.95).needed() == 59


def test_a_tiny_level_takes_many_runs_and_is_computed_at_once_or_refused() -> None:
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
def test_the_least_level_for_several_paths_is_guaranteed_and_a_smaller_one_is_not(
    runs: int,
) -> None:
    nothing = np.zeros(1)
    least = Guarantee(0.01, inf, 0.5, 0.9).least(runs, paths=3)
    for share, kept in ((least * 1.001, True), (least * 0.999, False)):
        guarantee = Guarantee(0.01, inf, share, 0.9)
        assert guarantee.holds(runs, nothing, nothing, paths=3).tolist() == [kept]


def test_a_setting_counts_only_if_all_with_more_patience_do() -> None:
    guarantee = Guarantee(0.3, 1.0, None, 0.9)
    kept = guarantee.holds(9, np.array([5.0, 1.0, 2.5, 1.0, 0.0]), np.zeros(5))
    assert kept.tolist() == [False, False, False, True, True]


def test_the_expected_loss_of_a_new_run_stays_within_the_guarantee() -> None:
    # Losses are 0 or 1, so that the bound is used up: a run needs a random patience.
    rng, alpha, runs, repeats = np.random.default_rng(3), 0.2, 15, 4000
    needs = np.minimum(rng.geometric(0.05, size=(repeats, runs)), 120)
    patience = np.arange(1, 121)
    truth = np.where(patience < 120, 0.95**patience, 0.0)
    guarantee = Guarantee(alpha, 1.0, None, 0.9)
    risks, naive = [], []
    for row in needs:
        total = (row[:, None] > patience).sum(axis=0)
        risks.append(truth[np.argmax(guarantee.holds(runs, total, total))])
        naive.append(truth[np.argmax(total <= alpha * runs)])
    tolerance = 4 * np.std(risks) / math.sqrt(repeats)
    assert np.mean(risks) <= alpha + tolerance
    assert np.mean(risks) > alpha - 0.05  # it is not bought by never stopping
    assert np.mean(naive) > alpha + tolerance  # without the correction it would not hold


class Known(NamedTuple):
    """A family whose outcomes are given: arrays of shape (settings, runs)."""

    number: int
    epochs: Any
    regret: Any
    member: int | None = None

    @property
    def values(self) -> range:
        return range(len(self.epochs))

    def swept(self, *_: Any, **options: Any) -> Known:
        return self

    def columns(self, wanted: range) -> Iterator[tuple[int, slice, Any]]:
        for index in wanted:
            nothing = np.empty(0)
            column = Column(self.epochs[index], nothing, nothing, nothing, self.regret[index])
            yield index, slice(0, self.epochs.shape[1]), column

    def only(self, member: int) -> Known:
        return self._replace(member=member)


def test_selecting_among_families_does_not_break_the_guarantee_in_expectation() -> None:
    # Families that differ by chance alone: the best on some runs is best by luck. A run loses
    # everything or nothing; with more patience, everything less often.
    rng, alpha, runs, families, repeats = np.random.default_rng(2), 0.3, 24, 20, 200
    truth = np.linspace(0.6, 0.0, 25)
    history = es.History({"loss": np.tile(np.linspace(1.0, 0.0, 30), (runs, 1))})
    runs_of_it, look = looked_at(history)
    guarantee = Guarantee(alpha, 1.0, None, 0.9)
    epochs = np.tile(np.arange(2, 27)[:, None], runs)
    risks, naive = [], []
    for seed in range(repeats):
        lost = (rng.random((families, 1, runs)) < truth[:, None]).astype(float)
        candidates: Any = [Known(number, epochs, lost[number]) for number in range(families)]
        found = calibrated(runs_of_it, look, guarantee, candidates, [], es.Patience("loss"), seed)
        calibration = found.candidates
        assert calibration.chose == 8
        selected: Any = select(calibration)
        risks.append(truth[selected.member])
        totals = lost.sum(axis=2)
        naive.append(truth[min(np.argmax(guarantee.holds(runs, t, t)) for t in totals)])
    tolerance = 3 * np.std(risks) / math.sqrt(repeats)
    assert np.mean(risks) <= alpha + tolerance
    # If the same runs selected the family and supported the guarantee, it would not hold.
    assert np.mean(naive) > alpha + tolerance


def test_with_confidence_the_share_of_bad_runs_stays_within_the_guarantee() -> None:
    # At most 20 % of runs, on several paths whose only settings are all a little worse.
    rng, runs, paths, repeats = np.random.default_rng(5), 60, 12, 4000
    guarantee = Guarantee(0.01, inf, 0.2, 0.9)
    bad = rng.binomial(runs, 0.2001, size=(repeats, paths))
    failed = np.mean(
        [guarantee.holds(runs, row, row, paths).any() for row in bad[:, :, None][:, ::-1]]
    )
    single = np.array(
        [[guarantee.holds(runs, one, one, paths).any() for one in row] for row in bad]
    )
    without = np.array([[guarantee.holds(runs, one, one).any() for one in row] for row in bad])
    tolerance = 4 * math.sqrt(0.1 * 0.9 / repeats)
    assert failed <= 0.1 + tolerance
    assert single.any(axis=1).mean() <= 0.1 + tolerance
    assert without.any(axis=1).mean() > 0.1 + tolerance  # without the correction for many


def test_the_error_of_a_guarantee_with_confidence_is_divided_among_the_families() -> None:
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
def test_replaying_every_setting_gives_the_same_advice(seed: int, alpha: float) -> None:
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
        assert advice.outcome.used == lasting[-1][1] / 15
    else:
        assert advice.rule == es.Never()
