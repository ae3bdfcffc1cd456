"""The state machine: its walks, its decisions, what it refuses, and how it is saved."""

from __future__ import annotations

import copy
import json
import math
import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from agreement import METRICS
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import earlystop as es
from tests.support.strategies import rules, values


class Walks(RuleBasedStateMachine):
    """Any order of calls: the stopper does what replaying its accepted epochs would do."""

    @initialize(stop=rules(depth=1), save=rules(depth=1))
    def begin(self, stop: es.Rule, save: es.Rule) -> None:
        self.stop, self.save = stop, save
        self.stopper = es.Stopper(stop, save, on_missing="skip")
        self.epochs: list[dict[str, float]] = []
        self.kept: list[tuple[dict[str, Any], int]] = []

    @rule(metrics=st.dictionaries(st.sampled_from(METRICS), values()))
    def step(self, metrics: dict[str, float]) -> None:
        if self.stopper.stopped:
            with pytest.raises(es.StoppedError, match="has stopped at epoch"):
                self.stopper.step(metrics)
            return
        decision = self.stopper.step(metrics)
        self.epochs.append(metrics)
        assert decision.epoch == len(self.epochs) - 1
        if decision.save:
            assert self.stopper.best_epoch == decision.epoch
        assert decision.stop == self.stopper.stopped == bool(decision.reason)

    @rule(bad=st.sampled_from([None, "x", [1.0, 2.0], 1j, np.ones(2)]))
    def refuse(self, bad: Any) -> None:
        before = json.dumps(self.stopper.state_dict())
        with pytest.raises((es.MetricError, es.StoppedError)):
            self.stopper.step({"loss": bad})
        assert json.dumps(self.stopper.state_dict()) == before

    @rule()
    def keep(self) -> None:
        self.kept.append((json.loads(json.dumps(self.stopper.state_dict())), len(self.epochs)))

    @precondition(lambda self: self.kept)
    @rule()
    def go_back(self) -> None:
        state, length = self.kept[-1]
        if length <= len(self.epochs):
            self.stopper.load_state_dict(state)
            del self.epochs[length:]

    @rule()
    def reset(self) -> None:
        self.stopper.reset()
        self.epochs.clear()
        self.kept.clear()

    @invariant()
    def is_what_a_fresh_run_over_the_same_epochs_gives(self) -> None:
        fresh = es.Stopper(self.stop, self.save, on_missing="skip")
        for metrics in self.epochs:
            fresh.step(metrics)
        assert json.dumps(self.stopper.state_dict()) == json.dumps(fresh.state_dict())
        assert self.stopper.epoch == len(self.epochs)


TestWalks = Walks.TestCase


def test_save_and_stop_come_together() -> None:
    stopper = es.Stopper(es.Threshold("loss", 0.5), save=es.Best("loss"))
    assert str(stopper.step({"loss": 1.0})) == "epoch 0: save, continue"
    decision = stopper.step({"loss": 0.4})
    assert str(decision) == "epoch 1: save, stop: loss reached 0.4, the target was 0.5"
    assert (decision.stop, decision.save) == (True, True)


def test_decisions_are_immutable_values_without_a_truth() -> None:
    decision = es.Stopper(es.Never()).step({})
    assert decision == es.Decision(0, False, False, "")
    assert str(decision) == "epoch 0: continue"
    with pytest.raises(AttributeError):
        decision.stop = True
    with pytest.raises(TypeError, match=r"ask for its `\.stop`"):
        bool(decision)


def test_best_is_the_best_there_was_even_where_min_delta_passes_it_over() -> None:
    stopper = es.EarlyStopping("val_loss", patience=3, min_delta=0.5)
    for loss in (1.0, 0.9, 0.8):
        stopper.step({"val_loss": loss, "acc": 1 - loss})
    assert (stopper.best, stopper.best_epoch) == (0.8, 2)
    assert stopper.best_metrics == {"val_loss": 0.8, "acc": pytest.approx(0.2)}
    assert stopper.state_dict()["stop_state"]["reference"] == 1.0


def test_before_the_first_save_there_is_no_best() -> None:
    stopper = es.EarlyStopping("val_loss", patience=5)
    stopper.step({"val_loss": math.nan})
    assert (stopper.best, stopper.best_epoch, stopper.best_metrics) == (None, None, None)


def test_best_metrics_cannot_be_changed_from_outside() -> None:
    stopper = es.EarlyStopping("val_loss", patience=5)
    metrics = {"val_loss": 0.5}
    stopper.step(metrics)
    metrics["val_loss"] = 9.0
    given = stopper.best_metrics
    assert given is not None
    given["val_loss"] = 7.0
    assert stopper.best == 0.5


@pytest.mark.parametrize(
    "value",
    [
        1,
        True,
        np.float32(1),
        np.float64(1),
        np.int8(1),
        np.array(1.0),
        torch.tensor(1.0),
        torch.tensor(1, dtype=torch.int32),
        torch.tensor(1.0, dtype=torch.bfloat16),
        Fraction(1),
        Decimal(1),
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_a_metric_may_be_anything_that_is_one_number(value: Any) -> None:
    stopper = es.EarlyStopping("val_loss")
    assert stopper.step({"val_loss": value}).save
    assert stopper.best_metrics == {"val_loss": 1.0}
    assert type(stopper.best) is float


BAD_METRICS: dict[str, tuple[Any, str]] = {
    "text": ({"loss": "0.5"}, "the metric 'loss' must be one real number, got the text '0.5'"),
    "None": (
        {"loss": None},
        "the metric 'loss' must be one real number, got None: leave a metric out at an epoch that "
        "does not report it",
    ),
    "array": (
        {"loss": np.ones(3)},
        "the metric 'loss' must be one real number, got an array of shape (3,): reduce it to one "
        "number first",
    ),
    "array of one": (
        {"loss": np.ones(1)},
        "the metric 'loss' must be one real number, got an arra",
    ),
    "tensor": ({"loss": torch.ones(2, 2)}, "the metric 'loss' must be one real number, got an arr"),
    "list": ({"loss": [0.5]}, "the metric 'loss' must be one real number, got [0.5] ("),
    "complex": (
        {"loss": 1j},
        "the metric 'loss' must be one real number, got the complex number 1j: report its "
        "magnitude, or its parts as two metrics",
    ),
    "complex scalar": ({"loss": np.complex64(1)}, "the metric 'loss' must be one real number, got"),
    "complex tensor": ({"loss": torch.tensor(1j)}, "the metric 'loss' must be one real number, g"),
    "huge integer": (
        {"loss": 10**400},
        "the metric 'loss' must be one real number, got a int too large for a float",
    ),
    "an extra metric": ({"loss": 1.0, "note": "x"}, "the metric 'note' must be one real number"),
    "a name that is none": ({"loss": 1.0, 3: 1.0}, "the names of metrics must be strings, got 3"),
    "no mapping": (
        [("loss", 1.0)],
        "`step` takes the metrics of one epoch as a mapping from name to value, such as "
        "{'val_loss': 0.5}, got [('loss', 1.0)]",
    ),
    "a number": (0.5, "`step` takes the metrics of one epoch as a mapping from name to value"),
}


@pytest.mark.parametrize("what", BAD_METRICS)
def test_metrics_that_are_no_numbers_are_refused_and_change_nothing(what: str) -> None:
    metrics, text = BAD_METRICS[what]
    stopper = es.Stopper(es.Patience("loss", 1), save=es.Best("loss"))
    with pytest.raises(TypeError) as caught:
        stopper.step(metrics)
    assert str(caught.value).startswith(text)
    assert isinstance(caught.value, es.MetricError)
    assert stopper.epoch == 0
    assert stopper.best is None


def test_an_unknown_metric_lists_those_there_are_and_the_nearest() -> None:
    stopper = es.EarlyStopping("val_los", mode="min")
    with pytest.raises(KeyError) as caught:
        stopper.step({"loss": 1.0, "val_loss": 2.0})
    assert str(caught.value) == (
        "no metric 'val_los' at epoch 0: the metrics there are: loss, val_loss; did you mean "
        "'val_loss'? (if some epochs lack it on purpose, pass on_missing=\"skip\")"
    )
    assert isinstance(caught.value, es.MissingMetricError)
    assert stopper.epoch == 0


def test_a_missing_metric_of_the_save_rule_is_found_too_and_changes_nothing() -> None:
    stopper = es.Stopper(es.MaxEpochs(1), save=es.Best("acc"))
    with pytest.raises(es.MissingMetricError, match="no metric 'acc' at epoch 0: there are no"):
        stopper.step({})
    assert not stopper.stopped
    assert stopper.step({"acc": 1.0}).stop


def test_a_missing_elapsed_time_says_where_it_comes_from() -> None:
    with pytest.raises(es.MissingMetricError, match=r"add 'elapsed_seconds' yourself, or use an"):
        es.Stopper(es.TimeLimit(3)).step({"loss": 1.0})


def test_a_mapping_that_is_no_dict_is_taken_as_well() -> None:
    from types import MappingProxyType

    stopper = es.EarlyStopping("loss")
    assert stopper.step(MappingProxyType({"loss": 1.0})).save


def test_names_that_are_no_strings_are_never_kept() -> None:
    stopper = es.EarlyStopping("loss", patience=5)
    stopper.step({"loss": 2.0})
    with pytest.raises(es.MetricError, match="names of metrics must be strings, got 3"):
        stopper.step({"loss": 1.0, 3: 1.0})
    assert (stopper.epoch, stopper.best) == (1, 2.0)


def test_stepping_after_the_stop_names_epoch_and_reason() -> None:
    stopper = es.Stopper(es.MaxEpochs(1))
    stopper.step({})
    with pytest.raises(RuntimeError) as caught:
        stopper.step({})
    assert str(caught.value) == (
        "this stopper has stopped at epoch 0 (1 epoch has been run): leave the loop on "
        "`decision.stop`, or call `reset()` to begin another run"
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"stop": 3},
            "`Stopper(stop=...)` must be a rule, such as Patience('val_loss', 10), got 3",
        ),
        ({"stop": es.Never(), "save": "best"}, "`Stopper(save=...)` must be a rule"),
        (
            {"stop": es.Never(), "on_missing": "ignore"},
            "`Stopper(on_missing=...)` must be one of 'raise', 'skip', got 'ignore'",
        ),
    ],
)
def test_a_stopper_of_anything_but_rules_is_refused(arguments: Any, text: str) -> None:
    with pytest.raises(es.RuleError) as caught:
        es.Stopper(**arguments)
    assert str(caught.value).startswith(text)


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
        {**saved(), "stop_state": {"reference": 10**400, "reference_epoch": 1, "wait": 1}},
        "stop_state.reference is too large for a float, got 1000000",
    ),
    "a truth for a version": ({**saved(), "version": True}, "the state has version True, this"),
    "without a setting that is not as by default": (
        {**saved(), "stop": {"Patience": {"monitor": "val_loss", "mode": "min"}}},
        "the state was saved by other rules: its stop rule is Patience('val_loss', mode='min')",
    ),
    "of something else": ({"format": "other"}, "expected a state from `Stopper.state_dict()`"),
    "a newer version": (
        {**saved(), "version": 2},
        "the state has version 2, this library reads version 1: upgrade earlystop",
    ),
    "no version": ({**saved(), "version": None}, "the state has version None, this library reads"),
    "truncated": (
        {key: value for key, value in saved().items() if key not in ("epoch", "stop_state")},
        "the state is damaged: it lacks epoch, stop_state",
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
    "epoch as text": ({**saved(), "epoch": "3"}, "epoch should be a whole number, got '3'"),
    "epoch as truth": ({**saved(), "epoch": True}, "epoch should be a whole number, got True"),
    "negative epoch": ({**saved(), "epoch": -1}, "epoch -1 does not fit best_epoch 1, stopped"),
    "best after the end": ({**saved(), "best_epoch": 3}, "epoch 3 does not fit best_epoch 3, st"),
    "negative best": ({**saved(), "best_epoch": -2}, "best_epoch should be at least 0, got -2"),
    "stopped as number": ({**saved(), "stopped": 1}, "stopped should be true or false, got 1"),
    "stopped without reason": ({**saved(), "stopped": True}, "reason should be a text, empty unl"),
    "best without metrics": (
        {**saved(), "best_metrics": None},
        "best_metrics should go with best_epoch 1, got None",
    ),
    "best metric as text": (
        {**saved(), "best_metrics": {"val_loss": "low"}},
        "best_metrics.val_loss should be a number, or one of ['nan', 'inf', '-inf'], got 'low'",
    ),
    "a state of another shape": (
        {**saved(), "stop_state": {"wait": 1}},
        "stop_state should have the entries reference, reference_epoch, wait, got {'wait': 1}",
    ),
    "a number of another type": (
        {**saved(), "stop_state": {"reference": 0.4, "reference_epoch": 1, "wait": 1.5}},
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


def test_a_state_from_before_a_rule_had_a_setting_is_one_of_the_default() -> None:
    stopper = es.EarlyStopping("val_loss", patience=3)
    state = saved()
    del state["stop"]["Patience"]["growth"]
    stopper.load_state_dict(state)
    assert stopper.epoch == state["epoch"]
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
def test_a_copied_stopper_goes_its_own_way(clone: Any) -> None:
    stopper = es.EarlyStopping("loss", patience=2)
    stopper.step({"loss": 1.0})
    other = clone(stopper)
    assert type(other) is es.EarlyStopping
    other.step({"loss": 2.0})
    assert (stopper.epoch, other.epoch) == (1, 2)
    assert other.step({"loss": 2.0}).stop


def test_repr_says_what_it_is_made_of() -> None:
    assert repr(es.Stopper(es.MaxEpochs(3))) == "Stopper(MaxEpochs(3))"
    assert repr(es.Stopper(es.Never(), es.Best("loss"), on_missing="skip")) == (
        "Stopper(Never(), save=Best('loss', mode='min'), on_missing='skip')"
    )


def test_the_arguments_of_early_stopping_are_those_of_keras() -> None:
    stopper = es.EarlyStopping(
        monitor="val_acc", min_delta=0.1, patience=3, mode="max", baseline=0.2, start_from_epoch=1
    )
    assert stopper.stop == es.Patience(
        "val_acc", 3, min_delta=0.1, mode="max", baseline=0.2, start_from_epoch=1
    )
    assert stopper.save == es.Best("val_acc", mode="max")
    assert es.EarlyStopping().stop == es.Patience("val_loss", 0)
