"""The stopper: its walks through any order of calls, its decisions, what it is made of."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import earlystop as es
from tests.support.random_rules import METRICS
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


def test_decisions_are_immutable_and_have_no_truth_value() -> None:
    decision = es.Stopper(es.Never()).step({})
    assert decision == es.Decision(0, False, False, "")
    assert str(decision) == "epoch 0: continue"
    with pytest.raises(AttributeError):
        decision.stop = True
    with pytest.raises(TypeError, match=r"ask for its `\.stop`"):
        bool(decision)


def test_best_is_the_best_value_seen_even_where_min_delta_ignores_it() -> None:
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


def test_a_rule_explains_the_very_epoch_it_fires_on() -> None:
    class FiresLate(es.Rule):
        def step(self, state, metrics, epoch):
            return state, epoch >= 2

        def reason(self, state, metrics, epoch):
            return f"it is epoch {epoch}"

    stopper = es.Stopper(FiresLate())
    assert [stopper.step({}).reason for _ in range(3)] == ["", "", "it is epoch 2"]


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
            {"stop": "Never()"},
            "`Stopper(stop=...)` must be a rule, such as Patience('val_loss', 10), got "
            "'Never()': Rule.from_text reads rules",
        ),
        (
            {"stop": [es.Never(), es.NonFinite()]},
            "`Stopper(stop=...)` must be a rule, such as Patience('val_loss', 10), got "
            "[Never(), NonFinite()]: join rules by | or &",
        ),
        (
            {"stop": es.Never},
            "`Stopper(stop=...)` must be a rule, such as Patience('val_loss', 10), got "
            "<class 'earlystop.rules.schedule.Never'>, the class: make a rule of it, Never(...)",
        ),
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


def test_repr_shows_the_rules() -> None:
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


def test_a_setting_that_early_stopping_does_not_allow_is_refused_in_its_name() -> None:
    with pytest.raises(es.RuleError, match=r"`EarlyStopping\(patience=...\)` must be a whole numb"):
        es.EarlyStopping("loss", patience=-1)
