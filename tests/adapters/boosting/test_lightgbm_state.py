"""Trainings of LightGBM that go on from a state."""

from __future__ import annotations

import json
from typing import Any

import lightgbm
import pytest
from earlystop.adapters.lightgbm import early_stopping

import earlystop as es

from .lightgbm_trainings import PARAMETERS, data, outcome, rising, scripted

FALLING = [5.0, 6.0, 7.0, 6.5, 6.8, 6.9, 8.0, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_training_that_goes_on_ends_as_one_that_was_never_interrupted(cut: int) -> None:
    whole = outcome(scripted(rising(FALLING), early_stopping(6, verbose=False)))
    first = early_stopping(6, verbose=False)
    states: list[Any] = []

    def interrupt(env: Any) -> None:
        if env.iteration == cut - 1:
            states.append((json.dumps(first.state_dict()), env.model.model_to_string()))

    interrupt.order = 40
    train_set, valid = data()
    calls = iter(rising(FALLING))
    lightgbm.train(
        {**PARAMETERS, "metric": "none"},
        train_set,
        len(FALLING),
        valid_sets=valid[:1],
        valid_names=["a"],
        feval=lambda *_: next(calls),
        callbacks=[first, interrupt],
    )
    ((state, text),) = states
    second = early_stopping(6, verbose=False)
    second.load_state_dict(json.loads(state))
    model = lightgbm.Booster(model_str=text)
    went_on = scripted(rising(FALLING[cut:]), second, model=model)
    assert outcome(went_on) == whole
    assert second.stopped_reason == first.stopped_reason


def test_a_state_needs_its_rules_its_metrics_and_its_model() -> None:
    callback = early_stopping(3, verbose=False)
    model = scripted(rising([1.0, 2.0]), callback)
    state = callback.state_dict()

    def going_on(other: Any, values: Any, **how: Any) -> lightgbm.Booster:
        other.load_state_dict(state)
        return scripted(values, other, **how)

    for other in (early_stopping(4, verbose=False), early_stopping(stop=es.MaxEpochs(3))):
        with pytest.raises(es.StateError, match=r"its stop rule is .* this stopper's is"):
            other.load_state_dict(state)
    several = early_stopping(3, min_delta=[0.5, 0.0], verbose=False)
    several.load_state_dict(state)  # it may be of the second metric
    for how, told in (
        ({}, "2 rounds.*after 0"),
        ({"model": model, "sets": 2}, "1 metrics.*watches 2"),
    ):
        with pytest.raises(es.StateError, match=told):
            going_on(early_stopping(3, verbose=False), rising([1.0]), **how)
    changed = early_stopping(4, verbose=False, changed_rules=True)
    assert going_on(changed, rising([1.0] * 9), model=model).best_iteration == 2
    for damaged in ({}, {**state, "waits": 3}, {**state, "version": 7}):
        with pytest.raises(es.StateError):
            early_stopping(3).load_state_dict(damaged)
    state["waits"][0]["best"] = [1, [["a"]]]
    with pytest.raises(es.StateError, match="best should be"):
        going_on(early_stopping(3, verbose=False), rising([1.0]), model=model)


def test_a_state_that_does_not_fit_a_training_is_kept_for_the_next() -> None:
    stopper = es.EarlyStopping("valid-m", patience=3, mode="max")
    first = early_stopping(stop=stopper, verbose=False)
    model = scripted(rising([1.0, 2.0]), first, names=["valid"])
    state = json.loads(json.dumps(first.state_dict()))
    other = es.EarlyStopping("valid-m", patience=3, mode="max")
    second = early_stopping(stop=other, verbose=False)
    second.load_state_dict(state)
    assert other.checks == 0
    with pytest.raises(es.StateError, match=r"2 rounds.*after 0"):
        scripted(rising([1.0]), second, names=["valid"])
    assert other.checks == 0  # nothing of it is taken
    booster = scripted(rising([1.0, 1.0, 1.0, 1.0]), second, model=model, names=["valid"])
    assert (booster.best_iteration, other.checks) == (2, 5)


def test_a_training_that_had_been_stopped_ends_after_one_round_with_its_best() -> None:
    callback = early_stopping(2, verbose=False)
    model = scripted(rising([1.0, 2.0, 1.0, 1.0, 9.0]), callback)
    again = early_stopping(2, verbose=False)
    again.load_state_dict(callback.state_dict())
    booster = scripted(rising([9.0, 9.0]), again, model=model)
    assert booster.current_iteration() == 2  # LightGBM has cut off the one after the best
    assert booster.best_iteration == model.best_iteration == 2
    assert again.stopped_reason == callback.stopped_reason
