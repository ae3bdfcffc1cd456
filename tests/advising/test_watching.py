"""Watching a promise: are new runs alike, and has it held?"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import earlystop as es
from earlystop.advising.counts import Counts
from earlystop.advising.watching import bounds_at_any_time, rank_test
from tests.advising.runs import LOSS, noisy, stopped


def test_bounds_hold_at_all_times_at_once() -> None:
    rng, mean, missed = np.random.default_rng(1), 0.05, 0
    for _ in range(120):
        draws = (rng.random(120) < mean).astype(float)
        for seen in range(10, 121, 10):  # whoever looks ten times must not be misled more often
            low, high = bounds_at_any_time(draws[:seen])
            if not low <= mean <= high:
                missed += 1
                break
    assert missed <= 0.05 * 120 + 8


def test_bounds_close_in_on_the_mean() -> None:
    draws = (np.arange(4000) % 10 == 0).astype(float)
    widths = [high - low for low, high in (bounds_at_any_time(draws[:n]) for n in (20, 200, 4000))]
    assert widths == sorted(widths, reverse=True)
    low, high = bounds_at_any_time(draws)
    assert 0.07 < low < 0.1 < high < 0.14
    assert bounds_at_any_time(np.zeros(0)) == (0.0, 1.0)
    assert bounds_at_any_time(np.ones(50))[1] == 1.0


def test_the_rank_test_raises_few_false_alarms_and_sees_a_shift() -> None:
    rng = np.random.default_rng(2)

    def test_of(one: Any, other: Any) -> float:
        return rank_test(Counts.of(one), Counts.of(other))

    alarms = sum(
        test_of(rng.integers(0, 20, 40), rng.integers(0, 20, 15)) < 0.05 for _ in range(1000)
    )
    assert 20 <= alarms <= 75
    assert test_of(np.arange(40), np.arange(40) + 25) < 1e-4
    assert test_of([3, 3, 3], [3, 3]) == 1.0


def test_new_runs_of_the_same_kind_look_alike_and_keep_the_promise() -> None:
    advice, new = es.advise(noisy(30), "loss", max_regret=0.2), noisy(2000, seed=7)
    report = advice.check(new)
    assert (report.runs, report.unseen, report.alike, report.held) == (2000, 0, True, True)
    done = es.replay(advice.rule, new, save=LOSS)
    first = new.metrics["loss"][:, 0]
    lost = done.regret / (first - done.whole_log.best)
    assert report.observed == pytest.approx(lost.mean())
    assert report.low <= report.observed <= report.high <= report.level == 0.2
    assert "the promise holds" in str(report)
    few = advice.check(noisy(4, seed=8))
    assert few.held is None
    assert "too few to tell" in str(few)


def test_new_runs_of_another_kind_are_noticed_and_so_is_a_broken_promise() -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.05)
    falls = 2.0 - np.arange(60) / 60  # slowly, with standstills
    falls[3:55] = 1.9
    report = advice.check(es.History({"loss": np.tile(falls, (40, 1))}), complete=True)
    assert not report.alike
    assert report.held is False
    assert "another kind" in str(report)
    assert "the promise is broken" in str(report)
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (data["held"], data["runs"]) == (False, 40)


def test_what_runs_lost_that_the_rule_stopped_cannot_be_seen() -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.1)
    cut = stopped(advice.rule, runs=40, epochs=60, seed=3)
    report = advice.check(cut)
    assert report.unseen > 30
    assert math.isnan(report.observed)
    assert report.held is None
    assert report.alike  # where they stop can be seen
    assert "choose some runs beforehand" in str(report)


def test_a_promise_with_confidence_is_watched_by_the_share_of_runs_that_lose_more() -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.05, at_most=0.2)
    new = noisy(300, seed=5)
    report = advice.check(new)
    done = es.replay(advice.rule, new, save=LOSS)
    lost = done.regret / (new.metrics["loss"][:, 0] - done.whole_log.best)
    assert report.level == 0.2
    assert report.observed == pytest.approx((lost > 0.05).mean())


def test_a_rule_that_stops_nothing_breaks_nothing() -> None:
    advice = es.advise(noisy(12), "loss", max_regret=0.01)
    assert advice.rule == es.Never()
    report = advice.check(noisy(9, seed=4))
    assert report.held is None
    assert "nothing is lost" in str(report)


def test_asking_again_says_what_changed() -> None:
    earlier = es.advise(noisy(30), "loss", max_regret=0.1)
    advice = es.advise(noisy(150), "loss", max_regret=0.1)
    told = advice.changes_from(earlier)
    assert "It rests on 150 runs, before on 30." in told
    assert f"The rule is {advice.rule!r}, before {earlier.rule!r}." in told
    assert "The rule is the same" in advice.changes_from(advice)
    assert "Another question: max_regret is 0.1, before 0.2." in advice.changes_from(
        es.advise(noisy(30), "loss", max_regret=0.2)
    )


def test_only_a_history_with_the_metric_is_checked() -> None:
    advice = es.advise(noisy(30), "loss", max_regret=0.1)
    with pytest.raises(TypeError, match="takes a History"):
        advice.check([1.0])
    with pytest.raises(es.MissingMetricError):
        advice.check(es.History({"other": [1.0, 2.0]}))


@pytest.mark.parametrize(
    ("asked", "promise", "text"),
    [
        ({"max_regret": 0.2}, "an expected regret of at most 20 % of the improvement", " %,"),
        (
            {"max_regret": 0.2, "unit": "metric", "bound": 2.0},
            "an expected regret of at most 0.2 of loss, if a run that loses more than 2 counts as "
            "losing 2",
            "On these it was 0.",
        ),
        (
            {"max_regret": 0.2, "unit": "metric", "at_most": 0.3},
            "at most 30 % of runs lose more than 0.2 of loss",
            " %,",
        ),
    ],
)
def test_what_is_watched_is_told_in_the_unit_that_was_promised(
    asked: dict[str, float], promise: str, text: str
) -> None:
    advice = es.advise(noisy(150), "loss", **asked)  # type: ignore[arg-type]
    told = str(advice.check(noisy(40, seed=6), complete=True))
    assert f"Promised: {promise}. " in told
    assert text in told


@pytest.mark.parametrize("runs", [1, 2])
def test_runs_that_are_too_few_for_any_difference_are_not_called_alike(runs: int) -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.1)
    told = str(advice.check(noisy(runs, seed=4)))
    assert "too few to tell whether they stop where the old ones do" in told


def test_new_runs_without_a_number_are_refused() -> None:
    advice = es.advise(noisy(30), "loss", max_regret=0.1)
    with pytest.raises(es.HistoryError, match="`check`: of 2 runs, none ever reports a number"):
        advice.check(es.History({"loss": np.full((2, 5), np.nan)}))


def test_what_changed_is_told_with_its_unit() -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.5, unit="metric", bound=5.0)
    assert "of loss, before" in advice.changes_from(advice)
