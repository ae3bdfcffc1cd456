"""The answer: what it says, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import earlystop as es
from tests.advising.runs import LOSS, nan, noisy

# The answer -----------------------------------------------------------------------------------


def test_an_advice_reads_like_an_answer_and_is_plain_json() -> None:
    history = noisy(150)
    advice = es.advise(history, "loss", max_regret=0.05)
    text = str(advice)
    assert text.startswith(f"Use {advice.rule!r}.\nExpected regret on a new run of the same kind: ")
    for part in ("at most 5 %", "checks on average", "patience 5 ", "patience 20 ", "150 runs"):
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


def test_where_plain_patience_takes_less_the_answer_says_why_the_other_is_named() -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.1)
    assert advice.plain is not None
    for share, expected in ((0.9, True), (1.0, False), (1.1, False)):
        plain = advice.plain._replace(used=share * advice.outcome.used)
        told = " ".join(str(dataclasses.replace(advice, plain=plain)).split())
        assert ("would break the promise" in told) is expected
        assert ("family='patience'" in told) is expected


def test_what_it_reports_is_what_replaying_the_rule_gives() -> None:
    history = noisy(150)
    advice = es.advise(history, "loss", max_regret=0.05)
    first = history.metrics["loss"][:, 0]
    for outcome in (advice.outcome, *advice.defaults):
        done = es.replay(outcome.rule, history, save=LOSS)
        lost = done.regret / np.maximum(first - done.whole_log.best, 1e-300)
        assert outcome.regret == pytest.approx(lost.mean())
        assert outcome.over == pytest.approx((lost > 0.05).mean())
        assert outcome.used == done.checks.mean()
        assert outcome.saved == pytest.approx(done.share_saved)
    stopper = es.Stopper(advice.rule, save=es.Best("loss"))
    assert not stopper.step({"loss": 1.0}).stop


def test_the_advice_does_not_depend_on_the_workers() -> None:
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
    "an unknown field": ({"candidates": {"patients": [1]}}, es.RuleError, "no field"),
    "a seed": ({"seed": -1}, es.RuleError, "seed"),
    "complete": ({"complete": "yes"}, TypeError, "True or False"),
    "missing": ({"on_missing": "drop"}, es.RuleError, "on_missing"),
}


@pytest.mark.parametrize("what", BAD)
def test_invalid_arguments_are_refused(what: str) -> None:
    ask, kind, text = BAD[what]
    with pytest.raises(kind, match=text) as caught:
        es.advise(noisy(5), "loss", **{"max_regret": 0.1, **ask})
    assert isinstance(caught.value, es.EarlystopError)


def test_a_metric_that_no_run_reports_or_without_a_direction_is_refused() -> None:
    with pytest.raises(es.MissingMetricError, match="did you mean 'loss'"):
        es.advise(noisy(5), "los", mode="min", max_regret=0.1)
    with pytest.raises(es.RuleError, match="pass mode="):
        es.advise(es.History({"gap_mean": [1.0]}), "gap_mean", max_regret=0.1)
    with pytest.raises(TypeError, match="takes a History"):
        es.advise([[1.0]], "loss", max_regret=0.1)
