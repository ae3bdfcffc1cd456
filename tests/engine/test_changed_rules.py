"""A run that goes on under rules with other numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.strategies import values


def rule(numbers: tuple[int, int, float]) -> es.Rule:
    """Rules whose states mean the same whatever their numbers are."""
    patience, epochs, target = numbers
    return (
        es.Patience("loss", patience)
        | (es.MaxEpochs(epochs) & es.Threshold("loss", target, mode="max"))
        | es.Diverged("loss", target + 3)
    )


NUMBERS = st.tuples(st.integers(0, 5), st.integers(1, 5), st.floats(-2, 4))


def run(stopper: es.Stopper, losses: list[float]) -> list[es.Decision]:
    decisions = []
    for loss in losses:
        decisions.append(stopper.step({"loss": loss}))
        if stopper.stopped:
            break
    return decisions


@given(NUMBERS, NUMBERS, st.lists(values(), min_size=1, max_size=12), st.data())
def test_a_run_goes_on_as_if_it_had_had_the_new_numbers_from_the_beginning(
    old: tuple[int, int, float],
    new: tuple[int, int, float],
    losses: list[float],
    data: st.DataObject,
) -> None:
    first = es.Stopper(rule(old), save=es.Best("loss"))
    taken = run(first, losses[: data.draw(st.integers(0, len(losses)))])
    whole = es.Stopper(rule(new), save=es.Best("loss"))
    decisions = run(whole, losses)
    resumed = es.Stopper(rule(new), save=es.Best("loss"))
    resumed.load_state_dict(json.loads(json.dumps(first.state_dict())), changed_rules=True)
    if whole.stopped and len(decisions) < len(taken) + (not first.stopped):
        return  # the new numbers would have ended the part that went on under the old ones
    if not resumed.stopped:
        assert run(resumed, losses[len(taken) :]) == decisions[len(taken) :]
    assert resumed.state_dict() == whole.state_dict()


@given(NUMBERS, st.lists(values(), min_size=1, max_size=12))
def test_with_the_same_numbers_a_run_that_has_stopped_stays_stopped(
    numbers: tuple[int, int, float], losses: list[float]
) -> None:
    first = es.Stopper(rule(numbers))
    run(first, losses)
    second = es.Stopper(rule(numbers))
    second.load_state_dict(first.state_dict(), changed_rules=True)
    assert second.state_dict() == first.state_dict()


def stopped() -> dict[str, Any]:
    stopper = es.EarlyStopping("val_loss", patience=2)
    run_ = [stopper.step({"val_loss": value}).stop for value in (1.0, 0.5, 0.6, 0.7)]
    assert run_ == [False, False, False, True]
    return json.loads(json.dumps(stopper.state_dict(), allow_nan=False))


def test_more_patience_goes_on_after_a_stop_with_the_epochs_waited_so_far() -> None:
    stopper = es.EarlyStopping("val_loss", patience=5)
    stopper.load_state_dict(stopped(), changed_rules=True)
    assert (stopper.stopped, stopper.reason, stopper.best, stopper.best_epoch) == (
        False,
        "",
        0.5,
        1,
    )
    assert [stopper.step({"val_loss": 0.8}).stop for _ in range(3)] == [False, False, True]


def test_numbers_that_stop_the_run_at_the_same_epoch_leave_it_stopped_and_give_their_reason() -> (
    None
):
    stopper = es.EarlyStopping("val_loss", patience=1)
    stopper.load_state_dict(stopped(), changed_rules=True)
    assert stopper.stopped
    again = es.Stopper(es.Patience("val_loss", 1), save=es.Best("val_loss"))
    again.load_state_dict(stopper.state_dict())
    assert again.reason == stopper.reason


def test_a_stopped_state_of_a_version_that_did_not_keep_its_last_epoch_goes_on() -> None:
    state = stopped()
    del state["last_check"]
    stopper = es.EarlyStopping("val_loss", patience=3)
    stopper.load_state_dict(state, changed_rules=True)
    assert not stopper.stopped
    assert stopper.step({"val_loss": 0.8}).stop


def test_a_baseline_that_was_not_beaten_is_the_new_one_and_a_value_that_was_reached_stays() -> None:
    for losses, beaten in (([0.9], False), ([0.4], True)):
        first = es.Stopper(es.Patience("loss", 9, baseline=0.5))
        run(first, losses)
        second = es.Stopper(es.Patience("loss", 9, baseline=0.3))
        second.load_state_dict(first.state_dict(), changed_rules=True)
        assert second.state_dict()["stop_state"]["reference"] == (0.4 if beaten else 0.3)


def test_without_being_asked_to_the_refusal_names_the_way() -> None:
    stopper = es.EarlyStopping("val_loss", patience=5)
    with pytest.raises(es.StateError, match="pass `changed_rules=True` to go on with the numbers"):
        stopper.load_state_dict(stopped())
    assert stopper.epoch == 0


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (es.Patience("loss", 2), "monitor='val_loss' is not monitor='loss'"),
        (es.Patience("val_loss", 2, mode="max"), "mode='min' is not mode='max'"),
        (es.Patience("val_loss", 2) | es.MaxEpochs(3), "Patience is not AnyOf"),
        (es.MaxEpochs(9), "Patience is not MaxEpochs"),
        (es.Patience("val_loss", 2, dtype="float32"), "dtype='float64' is not dtype='float32'"),
    ],
)
def test_rules_of_another_kind_are_refused_with_the_difference(other: es.Rule, why: str) -> None:
    stopper = es.Stopper(other, save=es.Best("val_loss"))
    with pytest.raises(es.StateError) as caught:
        stopper.load_state_dict(stopped(), changed_rules=True)
    assert f"(`changed_rules=True` takes other numbers only: {why})" in str(caught.value)
    with pytest.raises(es.StateError) as caught:
        stopper.load_state_dict(stopped())
    assert "changed_rules" not in str(caught.value)


def test_a_window_may_change_its_length_only_before_it_has_values() -> None:
    first, second = (es.Stopper(es.Plateau("loss", length, 0.1)) for length in (3, 4))
    second.load_state_dict(first.state_dict(), changed_rules=True)
    first.step({"loss": 1.0})
    with pytest.raises(
        es.StateError, match=r"stop_state holds 3 values, .* looks at 4: the length"
    ):
        second.load_state_dict(first.state_dict(), changed_rules=True)


@pytest.mark.parametrize("damage", [[], {}, {"metrics": {}}, "x", {"metrics": {"a": "b"}}])
def test_a_damaged_last_epoch_is_a_state_error(damage: Any) -> None:
    state = {**stopped(), "last_check": damage}
    with pytest.raises(es.StateError, match="last_check"):
        es.EarlyStopping("val_loss", patience=2).load_state_dict(state)


@pytest.mark.parametrize(
    "changed",
    [
        es.Patience("loss", 3, cooldown=2),
        es.Patience("loss", 3, improvement=es.Improvement(ties=True)),
    ],
    ids=repr,
)
def test_a_run_does_not_go_on_under_rules_that_remember_or_call_better_something_else(
    changed: es.Rule,
) -> None:
    first = es.Stopper(es.Patience("loss", 3))
    first.step({"loss": 1.0})
    with pytest.raises(es.StateError, match="takes other numbers only"):
        es.Stopper(changed).load_state_dict(first.state_dict(), changed_rules=True)
