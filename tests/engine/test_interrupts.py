"""An interrupt between any two instructions: stoppers, sessions and stopwatches change whole."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from earlystop.engine.stopwatch import Stopwatch
from tests.support import interrupts

interrupted_everywhere = functools.partial(interrupts.interrupted_everywhere, everywhere=True)
# The files that hold what changes, and what is compiled from rules; those below them only compute.
ENGINE = Path(es.__file__ or "").parent / "engine"
CHANGING = (
    *(str(ENGINE / f"{name}.py") for name in ("stopper", "session", "stopwatch")),
    "<earlystop",
)
LOSSES = [5.0, 3.0, 4.0, 4.0]


def stopper_at(check: int) -> es.Stopper:
    stopper = es.Stopper(es.Patience("loss", 2), es.Best("loss"))
    for loss in LOSSES[:check]:
        stopper.step({"loss": loss})
    return stopper


def session_at(check: int) -> es.Session:
    return es.Session(stopper_at(check), stopwatch=Stopwatch(clock=lambda: 0.0))


@pytest.mark.parametrize("check", range(4), ids=["first", "saves", "goes on", "stops"])
def test_wherever_a_step_is_interrupted_it_is_taken_whole_or_not_at_all(check: int) -> None:
    before, after = (stopper_at(n).state_dict() for n in (check, check + 1))
    for stopper in interrupted_everywhere(
        lambda: stopper_at(check), lambda stopper: stopper.step({"loss": LOSSES[check]}), CHANGING
    ):
        assert stopper.state_dict() in (before, after)


@pytest.mark.parametrize("name", ["restore", "load_state_dict", "reset"])
def test_wherever_a_change_of_position_is_interrupted_it_is_made_whole_or_not_at_all(
    name: str,
) -> None:
    given = {
        "restore": [stopper_at(4).snapshot()],
        "load_state_dict": [stopper_at(4).state_dict()],
        "reset": [],
    }[name]
    after = stopper_at(4 if given else 0).state_dict()
    for stopper in interrupted_everywhere(
        lambda: stopper_at(2), lambda stopper: getattr(stopper, name)(*given), CHANGING
    ):
        assert stopper.state_dict() in (stopper_at(2).state_dict(), after)


def test_wherever_a_shared_step_is_interrupted_the_stopper_steps_once() -> None:
    def pair() -> tuple[es.Session, es.Session]:
        first = session_at(1)
        return first, es.Session(first.stopper)

    def step(sessions: Any) -> None:
        sessions[0].step({"loss": 3.0}, at=7)

    for first, second in interrupted_everywhere(pair, step, CHANGING):
        if first.stopper.epoch == 1:
            first.step({"loss": 3.0}, at=7)
        assert second.step({"loss": 3.0}, at=7) == es.Decision(1, False, True, "")
        assert first.stopper.epoch == 2


def test_wherever_loading_is_interrupted_the_state_and_the_time_are_of_one_run() -> None:
    state = {**session_at(3).state_dict(), "elapsed_seconds": 9.0}
    for session in interrupted_everywhere(
        lambda: session_at(1), lambda session: session.load_state_dict(state), CHANGING
    ):
        assert (session.stopper.epoch, session.elapsed_seconds) in [(1, 0.0), (3, 9.0)]


def test_wherever_stopping_a_stopwatch_is_interrupted_it_counts_no_time_twice() -> None:
    now = 0.0

    def begun() -> Stopwatch:
        nonlocal now
        stopwatch = Stopwatch(clock=lambda: now)
        stopwatch.start()
        now += 10.0
        return stopwatch

    for stopwatch in interrupted_everywhere(begun, Stopwatch.stop, CHANGING):
        assert stopwatch.seconds == 10.0
        stopwatch.stop()
        assert stopwatch.seconds == 10.0


def test_a_skipped_check_is_one_without_metrics() -> None:
    session = session_at(1)
    unseen = es.Stopper(es.Patience("loss", 2), es.Best("loss"), on_missing="skip")
    unseen.step({"loss": LOSSES[0]})
    session.skip()
    unseen.step({})
    assert session.stopper.state_dict() == unseen.state_dict()
