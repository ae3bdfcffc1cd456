"""Positions in a live run: what is taken, said and refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es


def stepped(stopper: es.Stopper, *checks: tuple[float, dict[str, Any]]) -> list[str]:
    return [str(stopper.step({"val_loss": loss}, **places)) for loss, places in checks]


def test_decisions_and_reasons_speak_in_the_unit_of_the_caller() -> None:
    by_step = stepped(
        es.EarlyStopping("val_loss", patience=1), (0.5, {"step": 1000}), (0.6, {"step": 2000})
    )
    assert by_step == [
        "step 1,000: save, continue",
        "step 2,000: stop: val_loss has not improved on 0.5 (step 1,000) by more than 0 "
        "for 1 check",
    ]
    by_epoch = stepped(
        es.EarlyStopping("val_loss", patience=1), (0.5, {"epoch": 3}), (0.6, {"epoch": 4})
    )
    assert by_epoch[-1].endswith("(epoch 3) by more than 0 for 1 epoch")
    within = stepped(
        es.EarlyStopping("val_loss", patience=1), (0.5, {"epoch": 0.25}), (0.6, {"epoch": 0.5})
    )
    assert within[-1].startswith("epoch 0.5: stop: ")
    assert within[-1].endswith("(epoch 0.25) by more than 0 for 1 check")


@given(st.data())
def test_a_position_may_come_as_an_argument_or_among_the_metrics(data: Any) -> None:
    number = st.one_of(st.integers(0, 10**6), st.floats(0, 1e6))
    steps = sorted(data.draw(st.lists(number, min_size=1, max_size=8, unique=True)))
    one, other = (es.EarlyStopping("val_loss", patience=2, start_from_epoch=1) for _ in range(2))
    for step in steps:
        value = data.draw(st.floats(0, 1))
        first = one.step({"val_loss": value}, epoch=step, step=np.float64(step))
        second = other.step({"val_loss": value, "epoch": step, "step": step})
        assert first == second
        if first.stop:
            break
    assert (one.epoch, one.best_epoch, one.best_step) == (
        other.epoch,
        other.best_epoch,
        other.best_step,
    )


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (
            {"epoch": 5},
            {"epoch": 3},
            "the epoch goes back to 3 at check 1, the check before it was",
        ),
        ({"step": 50}, {"step": 50}, "the step is again 50 at check 1, the check before it was at"),
        ({"step": 50}, {}, "check 1 has no step, the one before it was at step 50: pass `step=`"),
        ({}, {"epoch": math.nan}, "the epoch of a check must be a finite number, got nan"),
        ({}, {"step": math.inf}, "the step of a check must be a finite number, got inf"),
        ({}, {"epoch": "3"}, "the metric 'epoch' must be one real number, got the text '3'"),
    ],
)
def test_a_position_that_cannot_be_is_refused_and_changes_nothing(
    before: dict[str, Any], now: dict[str, Any], text: str
) -> None:
    stopper = es.EarlyStopping("val_loss", patience=3)
    stopper.step({"val_loss": 0.5}, **before)
    state = json.dumps(stopper.state_dict())
    with pytest.raises(es.MetricError) as caught:
        stopper.step({"val_loss": 0.4}, **now)
    assert str(caught.value).startswith(text)
    assert json.dumps(stopper.state_dict()) == state


def test_two_values_for_one_position_are_refused() -> None:
    stopper = es.EarlyStopping("val_loss")
    with pytest.raises(es.MetricError, match="two values for the step of this check: step=2 and"):
        stopper.step({"val_loss": 0.5, "step": 1.0}, step=2)


def test_a_unit_that_falls_is_refused_with_both_values() -> None:
    stopper = es.Stopper(es.Patience("val_loss", 5, unit="tokens"))
    stopper.step({"val_loss": 0.5, "tokens": 2048}, step=1)
    match = "counts in the unit 'tokens', which must never fall: it is 1024 after 2,048 at step 2"
    with pytest.raises(es.MetricError, match=match):
        stopper.step({"val_loss": 0.5, "tokens": 1024}, step=2)


def test_a_rule_in_steps_asks_for_them() -> None:
    stopper = es.Stopper(es.MaxSteps(100))
    with pytest.raises(
        es.MissingMetricError, match=r"no metric 'step' at epoch 0: .*`step=` to `step`"
    ):
        stopper.step({"val_loss": 0.5})


@pytest.mark.parametrize(
    ("epochs", "done"),
    [
        ([0, 1, 2], [1, 2, 3]),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 3, 5], [1, 4, 6]),  # validation every other epoch, counted from 0
        ([2, 4, 6], [3, 4, 6]),  # the same, counted from 1: the second check tells
        ([0.5, 1.0, 1.5], [0.5, 1.0, 1.5]),
        ([1.0, 1.5, 2.0], [1.0, 1.5, 2.0]),
        ([0, 0, 1, 1], [1, 1, 2, 2]),
        ([7, 8, 9], [8, 9, 10]),
    ],
)
def test_epochs_that_are_done_are_told_from_how_the_caller_counts(
    epochs: list[float], done: list[float]
) -> None:
    stopper = es.Stopper(es.Never())
    told = []
    for epoch in epochs:
        stopper.step({}, epoch=epoch)
        told.append(stopper.epoch)
    assert told == done


def test_a_run_that_began_without_positions_goes_on_with_them() -> None:
    stopper = es.EarlyStopping("val_loss", patience=3)
    for loss in (0.5, 0.4, 0.45):
        stopper.step({"val_loss": loss})
    decision = stopper.step({"val_loss": 0.3}, epoch=3, step=400)
    assert (decision.epoch, decision.check, stopper.best_step) == (3, 3, 400)
    assert stopper.epoch == 4
    again = es.EarlyStopping("val_loss", patience=9)
    for _ in range(3):
        again.step({"val_loss": 0.5})
    with pytest.raises(es.MetricError, match="the epoch goes back to 1 at check 3"):
        again.step({"val_loss": 0.3}, epoch=1)
