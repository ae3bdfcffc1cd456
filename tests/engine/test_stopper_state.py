"""The state of a stopper: what a damaged one is refused for, and how a stopper is copied."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import pytest

import earlystop as es
from earlystop.engine.positions import Positions


def saved() -> dict[str, Any]:
    stopper = es.EarlyStopping("val_loss", patience=3)
    for loss in (0.5, 0.4, 0.6):
        stopper.step({"val_loss": loss, "loss": math.inf})
    state: dict[str, Any] = json.loads(json.dumps(stopper.state_dict(), allow_nan=False))
    return state


BAD_STATES: dict[str, tuple[Any, str]] = {
    "not a state": ([1, 2], 'expected a state from `Stopper.state_dict()` ("format": "earlysto'),
    "best without its monitor": (
        {**saved(), "best_metrics": {}},
        "best_metrics lacks 'val_loss', got {}",
    ),
    "a huge number": (
        {**saved(), "stop_state": {**saved()["stop_state"], "reference": 10**400}},
        "stop_state.reference is too large for a float, got 1000000",
    ),
    "a truth for a version": ({**saved(), "version": True}, "the state has version True, this"),
    "without a setting that is not as by default": (
        {**saved(), "stop": {"Patience": {"monitor": "val_loss", "mode": "min"}}},
        "the state was saved by other rules: its stop rule is Patience('val_loss', mode='min')",
    ),
    "of something else": ({"format": "other"}, "expected a state from `Stopper.state_dict()`"),
    "a newer version": (
        {**saved(), "version": 3},
        "the state has version 3, this library reads versions 1 to 2: upgrade earlystop",
    ),
    "no version": ({**saved(), "version": None}, "the state has version None, this library reads"),
    "truncated": (
        {key: value for key, value in saved().items() if key not in ("checks", "stop_state")},
        "the state is damaged: it lacks checks, stop_state",
    ),
    "another patience": (
        {**saved(), "stop": es.Patience("val_loss", 5).to_dict()},
        "the state was saved by other rules: its stop rule is Patience('val_loss', patience=5, "
        "mode='min'), this stopper's is Patience('val_loss', patience=3, mode='min'); make the",
    ),
    "another save rule": (
        {**saved(), "save": es.Never().to_dict()},
        "the state was saved by other rules: its save rule is Never(), this stopper's is Best(",
    ),
    "rules that are none": ({**saved(), "stop": 3}, "the state was saved by other rules: its stop"),
    "checks as text": ({**saved(), "checks": "3"}, "checks should be a whole number, got '3'"),
    "checks as truth": ({**saved(), "checks": True}, "checks should be a whole number, got True"),
    "negative checks": ({**saved(), "checks": -1}, "checks -1 does not fit best_check 1, stopped"),
    "best after the end": ({**saved(), "best_check": 3}, "checks 3 does not fit best_check 3, st"),
    "negative best": ({**saved(), "best_check": -2}, "best_check should be at least 0, got -2"),
    "positions as a number": ({**saved(), "positions": 3}, "positions should have the entries "),
    "a position as text": (
        {**saved(), "positions": {**Positions()._asdict(), "units": {}, "epoch": "2"}},
        "positions.epoch should be a number, or one of ['nan', 'inf', '-inf'], got '2'",
    ),
    "an infinite position": (
        {**saved(), "positions": {**Positions()._asdict(), "units": {}, "step": "inf"}},
        "positions.step should be a finite number, got 'inf'",
    ),
    "units as a list": (
        {**saved(), "positions": {**Positions()._asdict(), "units": []}},
        "positions.units should be metrics and their values, got []",
    ),
    "stopped as number": ({**saved(), "stopped": 1}, "stopped should be true or false, got 1"),
    "stopped without reason": ({**saved(), "stopped": True}, "reason should be a text, empty unl"),
    "a reason without a stop": (
        {**saved(), "reason": "x"},
        "reason should be a text, empty unless",
    ),
    "best without metrics": (
        {**saved(), "best_metrics": None},
        "best_metrics should go with best_check 1, got None",
    ),
    "best metric as text": (
        {**saved(), "best_metrics": {"val_loss": "low"}},
        "best_metrics.val_loss should be a number, or one of ['nan', 'inf', '-inf'], got 'low'",
    ),
    "a state of another shape": (
        {**saved(), "stop_state": {"wait": 1}},
        "stop_state should have the entries reference, reference_epoch, wait, place, got {",
    ),
    "a number of another type": (
        {**saved(), "stop_state": {**saved()["stop_state"], "wait": 1.5}},
        "stop_state.wait should be a whole number, got 1.5",
    ),
}


@pytest.mark.parametrize("what", BAD_STATES)
def test_bad_states_are_refused_and_change_nothing(what: str) -> None:
    state, text = BAD_STATES[what]
    stopper = es.EarlyStopping("val_loss", patience=3)
    stopper.step({"val_loss": 0.1})
    before = json.dumps(stopper.state_dict())
    with pytest.raises(es.StateError) as caught:
        stopper.load_state_dict(state)
    assert str(caught.value).startswith(text)
    assert isinstance(caught.value, ValueError)
    assert json.dumps(stopper.state_dict()) == before


def test_a_state_without_a_newer_setting_loads_as_its_default() -> None:
    stopper = es.EarlyStopping("val_loss", patience=3)
    state = saved()
    del state["stop"]["Patience"]["growth"]
    stopper.load_state_dict(state)
    assert stopper.checks == state["checks"]
    growing = es.Stopper(stopper.stop.replace(growth=0.5), save=stopper.save)
    with pytest.raises(es.StateError, match="saved by other rules"):
        growing.load_state_dict(state)


def test_a_window_of_another_length_is_refused() -> None:
    stopper = es.Stopper(es.Plateau("loss", 3, 0.1))
    state = stopper.state_dict()
    state["stop_state"]["values"].pop()
    with pytest.raises(es.StateError, match="should be a list of 3 numbers, got "):
        stopper.load_state_dict(state)


def test_every_damaged_entry_of_a_state_is_a_state_error() -> None:
    for key in saved():
        for damage in (None, [], {}, "x", -1, 1.5, True, {"a": 1}):
            state = saved()
            if state[key] == damage:
                continue
            state[key] = damage
            stopper = es.EarlyStopping("val_loss", patience=3)
            try:
                stopper.load_state_dict(state)
            except es.StateError:
                continue
            assert json.dumps(stopper.state_dict()) == json.dumps(state), (key, damage)


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_a_copied_stopper_is_independent(clone: Any) -> None:
    stopper = es.EarlyStopping("loss", patience=2)
    stopper.step({"loss": 1.0})
    other = clone(stopper)
    assert type(other) is es.EarlyStopping
    other.step({"loss": 2.0})
    assert (stopper.epoch, other.epoch) == (1, 2)
    assert other.step({"loss": 2.0}).stop
