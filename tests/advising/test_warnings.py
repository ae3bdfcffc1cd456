"""What advice says about the logs it rests on."""

from __future__ import annotations

import numpy as np
import pytest

import earlystop as es
from earlystop.advising.exchangeability import serial_dependence
from tests.advising.runs import late, nan, noisy

# What it says ---------------------------------------------------------------------------------


def test_with_too_few_runs_the_advice_says_how_many_it_takes() -> None:
    advice = es.advise(noisy(12), "loss", max_regret=0.01)
    assert (advice.rule, advice.promised, advice.needed) == (es.Never(), 0.0, 99)
    assert advice.warnings[0].startswith("12 runs cannot carry a promise of an expected regret")
    assert "at least 99" in advice.warnings[0]
    assert "could promise 7.7 % at the least" in advice.warnings[0]  # 1 / 13, rounded up
    more = es.advise(noisy(12), "loss", max_regret=0.077)
    assert not any("cannot carry" in warning for warning in more.warnings)
    assert advice.unpromised is not None
    assert advice.unpromised.regret <= 0.01
    assert "Better train to the end: Never()." in str(advice)
    assert "Without a promise: AdaptivePatience(" in str(advice)


def test_one_run_supports_no_promise_but_its_outcome_is_reported() -> None:
    advice = es.advise(es.History({"loss": [5.0, 4.0, 3.0, 3.1, 3.2, 3.3]}), "loss", max_regret=0.1)
    assert advice.rule == es.Never()
    assert advice.runs == 1
    assert advice.unpromised is not None
    assert advice.unpromised.rule == es.AdaptivePatience("loss", 1.1)
    assert advice.warnings[0].startswith("1 run cannot carry a promise")
    assert "1 run." in str(advice)


def test_constant_runs_lose_nothing_and_a_warning_says_so() -> None:
    advice = es.advise(es.History({"loss": np.ones((30, 10))}), "loss", max_regret=0.1)
    assert advice.rule == es.AdaptivePatience("loss", 1)
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


def test_a_warning_says_that_few_runs_lose_nearly_everything() -> None:
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


def test_a_best_that_comes_late_is_told_where_little_can_be_saved() -> None:
    rng = np.random.default_rng(0)
    late_best = 2.0 - np.arange(50) / 50 + 0.01 * rng.standard_normal((200, 50))
    advice = es.advise(es.History({"loss": late_best}), "loss", max_regret=0.02)
    assert advice.best_at > 0.9
    assert any("the best comes at" in warning for warning in advice.warnings)
    saves_much = es.advise(noisy(150), "loss", max_regret=0.1)
    assert not any("the best comes at" in warning for warning in saves_much.warnings)


def test_many_runs_that_lose_more_than_the_mean_suggest_the_promise_with_confidence() -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.05)
    assert advice.outcome.over > 0.15
    assert any("of these runs lose more" in w and "at_most=0.1" in w for w in advice.warnings)
    sure = es.advise(noisy(150), "loss", max_regret=0.05, at_most=0.1)
    assert not any("of these runs lose more" in warning for warning in sure.warnings)


def test_a_huge_first_value_and_a_coarse_metric_are_told() -> None:
    values = noisy(100).metrics["loss"].copy()
    values[:20, 0] = 1e6
    huge = es.advise(es.History({"loss": values}), "loss", max_regret=0.1)
    assert any("20 runs of 100 begin with a value far beyond" in w for w in huge.warnings)
    plain = es.advise(es.History({"loss": values}), "loss", max_regret=0.1, family="patience")
    assert not any("far beyond" in warning for warning in plain.warnings)
    coarse = es.advise(es.History({"loss": np.floor(values[20:] * 4)}), "loss", max_regret=0.1)
    assert any("change nothing" in warning for warning in coarse.warnings)
