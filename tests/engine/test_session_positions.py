"""Sessions whose framework counts epochs and steps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.engine.decision import Place
from tests.support.placed_checks import placed_checks, rules_in_units, stepped_at


@given(checks=placed_checks(), rules=rules_in_units(), shared=st.booleans(), cut=st.integers(0, 12))
def test_a_session_hands_positions_on_shared_and_resumed(
    checks: list[dict[str, Any]], rules: tuple[es.Rule, es.Rule], shared: bool, cut: int
) -> None:
    expected = stepped_at(es.Stopper(*rules), checks)
    stopper = es.Stopper(*rules)
    sessions = [es.Session(stopper) for _ in range(2 if shared else 1)]
    for number, decision in enumerate(expected):
        if number == cut:
            state = json.loads(json.dumps(sessions[0].state_dict(), allow_nan=False))
            stopper = es.Stopper(*rules)
            sessions = [es.Session(stopper) for _ in sessions]
            sessions[0].load_state_dict(state)
        place = {name: at for name, at in checks[number].items() if name != "loss"}
        values = {"loss": checks[number]["loss"]}
        for session in sessions:
            assert session.step(values, **place, at=number if shared else None) == decision
    last = expected[-1].place
    assert sessions[0].place == last
    saved = [decision.place for decision in expected if decision.save]
    assert sessions[0].best_place == (saved[-1] if saved else None)


def test_a_check_that_was_skipped_stands_where_the_one_before_it_does() -> None:
    session = es.Session(es.EarlyStopping("loss", patience=9))
    session.step({"loss": 0.5}, epoch=1, step=100)
    session.skip()
    assert session.place == Place(1, 1, 100)
    decision = session.step({"loss": 0.25}, epoch=3, step=300)
    assert (decision.check, decision.epoch, decision.step) == (2, 3, 300)
    untold = es.Session(es.EarlyStopping("loss", patience=9))
    untold.skip()
    assert str(untold.step({"loss": 0.25})) == "epoch 1: save, continue"


@pytest.mark.parametrize("wrong", [{"epoch": 0}, {"epoch": 2}, {"step": 300}, {}])
def test_a_position_that_is_wrong_changes_nothing_for_any_session(wrong: dict[str, int]) -> None:
    stopper = es.EarlyStopping("loss", patience=9)
    first, second = es.Session(stopper), es.Session(stopper)
    first.step({"loss": 0.5}, epoch=1, step=200, at=0)
    before = stopper.state_dict()
    for session in (first, second):
        with pytest.raises(es.MetricError):
            session.step({"loss": 0.25}, **wrong, at=1)
        assert stopper.state_dict() == before
    assert second.decision_at(1) is None
    right = {"epoch": 2, "step": 300, "at": 1}
    assert first.step({"loss": 0.25}, **right) == second.step({"loss": 0.25}, **right)


def test_a_position_that_is_told_is_no_missing_metric() -> None:
    rule = es.MaxSteps(1000) | es.Threshold("epoch", 9, mode="max")
    session = es.Session(es.Stopper(rule), on_missing="raise")
    with pytest.raises(es.MissingMetricError, match="'step'"):
        session.step({"loss": 0.5}, epoch=1)
    assert not session.step({"loss": 0.5}, epoch=1, step=999).stop
    assert session.step({"loss": 0.5}, epoch=2, step=1000).stop


@pytest.mark.parametrize("first", [0, 1, 5])
def test_a_framework_that_counts_from_zero_says_so_wherever_it_begins(first: int) -> None:
    session = es.Session(es.Stopper(es.MaxEpochs(first + 2)))
    session.count_from(first)
    assert session.stopper.epoch == first
    assert not session.step({}, epoch=first).stop
    assert session.stopper.epoch == first + 1
    assert session.step({}, epoch=first + 1).stop
    done = es.Session(es.Stopper(es.MaxEpochs(first + 2)))
    done.count_from(first, from_zero=False)
    assert not done.step({}, epoch=first + 1).stop
    assert done.step({}, epoch=first + 2).stop


def test_checks_without_positions_become_the_epochs_from_the_first_on() -> None:
    session = es.Session(es.EarlyStopping("loss", patience=9))
    for loss in (0.5, 0.25, 0.75):
        session.step({"loss": loss})
    session.count_from(4)
    assert (session.place, session.best_place) == (Place(2, 6), Place(1, 5))
    session.count_from(7)  # goes on where it was
    assert session.step({"loss": 0.5}, epoch=7).check == 3
    session.count_from(0)  # another run
    assert session.step({"loss": 0.5}, epoch=0).check == 4
    assert session.stopper.best_epoch == 5
