"""Loops whose reports say where they stand in the run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from earlystop.adapters.loop import EpochLoop
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.placed_checks import placed_checks, rules_in_units, stepped_at


def run(loop: EpochLoop, checks: list[dict[str, Any]]) -> list[es.Decision]:
    """The decisions of a loop on these checks, which begin at its first epoch."""
    decisions = []
    for epoch in loop:
        check = dict(checks[epoch])
        decisions.append(loop.report({"loss": check.pop("loss")}, **check))
        if epoch + 1 == len(checks):
            break
    return decisions


@given(checks=placed_checks(), rules=rules_in_units(), cut=st.integers(1, 12))
def test_a_loop_that_hands_on_positions_decides_as_a_stopper_that_is_told_them(
    checks: list[dict[str, Any]], rules: tuple[es.Rule, es.Rule], cut: int
) -> None:
    stopper = es.Stopper(*rules)
    expected = stepped_at(stopper, checks)
    kept: list[Any] = []
    whole = EpochLoop(es.Stopper(*rules), save=lambda epoch, metrics: kept.append(epoch))
    assert run(whole, checks) == expected
    assert kept == [decision.epoch for decision in expected if decision.save]
    assert whole.stopper.state_dict()["positions"] == stopper.state_dict()["positions"]
    for name in ("epoch", "step"):
        told = [check[name] for check in checks[: len(expected)] if name in check]
        assert whole.history.get(name, []) == told
    first = EpochLoop(es.Stopper(*rules))
    before = run(first, checks[:cut])
    if not first.stopper.stopped and cut < len(checks):
        second = EpochLoop(es.Stopper(*rules))
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        assert [*before, *run(second, checks)] == expected


def test_the_loop_counts_its_epochs_whatever_positions_are_reported() -> None:
    loop = EpochLoop(es.Stopper(es.Never()), max_epochs=4)
    assert [loop.report(epoch=epoch / 4, step=100 * epoch).check for epoch in loop] == [0, 1, 2, 3]
    assert loop.reason == "4 epochs have been run, as many as max_epochs allows"
    assert loop.history["epoch"] == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("wrong", [{"epoch": 1.5}, {"step": 10}, {}, {"epoch": "two"}])
def test_a_position_that_goes_back_or_is_missing_leaves_the_loop_as_it_was(
    wrong: dict[str, Any],
) -> None:
    kept: list[float] = []
    loop = EpochLoop(es.EarlyStopping("loss"), save=lambda epoch, metrics: kept.append(epoch))
    for number in loop:
        if number == 1:
            before = loop.history, loop.state_dict()["stopper"], list(kept)
            with pytest.raises(es.MetricError):
                loop.report(loss=0.1, **wrong)
            assert (loop.history, loop.state_dict()["stopper"], kept) == before
        loop.report(loss=1.0 / (number + 1), epoch=number + 2, step=10 * (number + 1))
        if number == 2:
            break
    assert kept == [2, 3, 4]


def test_an_epoch_that_could_not_be_saved_keeps_the_positions_of_those_around_it() -> None:
    def save(epoch: float, metrics: dict[str, float]) -> None:
        if metrics["step"] == 200:
            raise OSError("No space")

    loop = EpochLoop(es.EarlyStopping("loss", patience=9), max_epochs=3, save=save)
    for number in loop:
        try:
            loop.report(loss=1.0 - number / 10, step=100 * (number + 1))
        except OSError:
            assert number == 1
    assert loop.history["step"] == [100, None, 300]
    assert (loop.stopper.checks, loop.stopper.best_check, loop.stopper.best_step) == (3, 2, 300)
