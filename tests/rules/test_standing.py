"""Where a rule stands in a run that goes on, in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.strategies import rules

Patience = es.Patience


def explained(rule: es.Rule, values: list[float], **places: list[float]) -> str:
    """What a stopper says after these checks of `loss`."""
    stopper = es.Stopper(rule, on_missing="skip")
    metrics: dict[str, float] = {}
    for number, value in enumerate(values):
        metrics = {"loss": value, "elapsed_seconds": 60.0 * number}
        stopper.step(metrics, **{name: at[number] for name, at in places.items()})
    return stopper.explain(metrics)


@pytest.mark.parametrize(
    ("rule", "values", "said"),
    [
        (Patience("loss", 10), [0.5, 0.4, 0.6], "1 of 10 epochs without improvement, needs < 0.4"),
        (Patience("loss", 3, 0.1), [0.5], "0 of 3 epochs without improvement, needs < 0.4"),
        (Patience("loss", 3, mode="max"), [0.5, 0.1], "1 of 3 epochs without improvement, "
         "needs > 0.5"),
        (Patience("loss", 3, 0.5, relative=True), [-2.0], "0 of 3 epochs without improvement, "
         "needs < -3"),
        (Patience("loss", 3, 0.5, relative="improvement"), [4.0, 2.0], "0 of 3 epochs without "
         "improvement, needs < 1"),
        (Patience("loss", 3, baseline=0.3), [0.5], "1 of 3 epochs without beating the baseline, "
         "needs < 0.3"),
        (Patience("loss", 3), [float("nan")], "1 of 3 epochs without a value"),
        (Patience("loss", 3, improvement=es.Improvement(ties=True)), [0.5], "0 of 3 epochs without "
         "improvement, needs <= 0.5"),
        (Patience("loss", 600, unit="elapsed_seconds"), [0.5, 0.6, 0.7], "2 min of 10 min without "
         "improvement, needs < 0.5"),
        (es.AdaptivePatience("loss", 8), [4.0, 1.0, 2.0], "1 of about 6 epochs without a gain, "
         "needs < 0.91"),
        (es.Threshold("loss", 0.1), [0.5], "0.5, the target is <= 0.1"),
        (es.GeneralizationLoss("loss"), [0.5, 0.51], "2 % worse than its best, the limit is 5 %"),
        (es.ConsecutiveIncreases("loss", 3, 1), [0.5, 0.6], "worse over 1 of 3 strips of 1 check "
         "in a row"),
        (es.Plateau("loss", 2, 0.1), [1.0, 2.0], "the last 2 values deviate by 0.5, flat is at "
         "most 0.1"),
    ],
)  # fmt: skip
def test_a_rule_says_how_long_it_has_waited_and_for_what(
    rule: es.Rule, values: list[float], said: str
) -> None:
    assert explained(rule, values) == f"loss: {said}"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (es.MaxEpochs(9), "2 of 9 epochs"),
        (es.MaxSteps(5000), "at most 5,000 steps"),
        (es.TimeLimit(7200), "1 min of 2 h"),
        (es.MaxEpochs(9) | es.TimeLimit(7200), "2 of 9 epochs; 1 min of 2 h"),
        (es.MaxEpochs(9) & es.MaxEpochs(8), "2 of 9 epochs and 2 of 8 epochs"),
        (es.Warmup(es.MaxEpochs(9), 5), "warm-up: 2 of 5 epochs"),
        (es.Warmup(es.MaxEpochs(9), 1), "1 of 9 epochs"),
        (es.Warmup(es.MaxEpochs(9), checks=5), "warm-up: 2 of 5 checks"),
        (es.Lasting(es.NonFinite("loss"), 3), "0 of 3 checks in a row"),
        (es.NonFinite("loss"), "goes on until NonFinite('loss')"),
        (es.NonFinite("loss") | es.MaxEpochs(3), "2 of 3 epochs"),
        (es.Never(), "goes on: no rule ends it"),
    ],
)
def test_rules_that_count_or_are_made_of_others_say_how_far_they_are(
    rule: es.Rule, said: str
) -> None:
    assert explained(rule, [0.5, 0.4]) == said


def test_what_is_smoothed_is_said_to_be() -> None:
    rule = es.Smoothed(Patience("loss", 3), "loss", window=2)
    said = "loss: 0 of 3 epochs without improvement, needs < 0.45 (loss smoothed)"
    assert explained(rule, [0.5, 0.4]) == said


def test_it_speaks_in_the_unit_of_the_caller() -> None:
    places = {"step": [500.0, 1000.0, 1500.0]}
    assert explained(Patience("loss", 3), [0.5, 0.6, 0.7], **places) == (
        "loss: 2 of 3 checks without improvement, needs < 0.5"
    )
    assert explained(es.MaxSteps(5000), [0.5, 0.6, 0.7], **places) == "1,500 of 5,000 steps"
    by_step = Patience("loss", 3000, unit="step")
    assert explained(by_step, [0.5, 0.6, 0.7], **places) == (
        "loss: 1,000 of 3,000 steps without improvement, needs < 0.5"
    )


def test_before_the_first_check_and_after_the_stop_it_says_so() -> None:
    stopper = es.EarlyStopping("loss", patience=1)
    assert stopper.explain() == "no check yet"
    for value in (0.5, 0.6):
        stopper.step({"loss": value})
    assert stopper.explain() == f"stopped at epoch 1: {stopper.reason}"


@given(rule=rules(), values=st.lists(st.floats(), min_size=1, max_size=6))
def test_every_rule_stands_somewhere_whatever_was_reported(
    rule: es.Rule, values: list[float]
) -> None:
    stopper = es.Stopper(rule, on_missing="skip")
    for number, value in enumerate(values):
        metrics: dict[str, Any] = dict.fromkeys(rule.all_metrics, value)
        if set(metrics) & {"epoch", "step", *rule.all_units}:
            metrics = dict.fromkeys(rule.all_metrics, float(number))
        assert stopper.step(metrics).stop or stopper.explain(metrics)
        assert stopper.explain()
        if stopper.stopped:
            break
