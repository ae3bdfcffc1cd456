"""An interrupt between any two instructions: sessions and stopwatches change whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import earlystop as es
from earlystop.engine.stopwatch import Stopwatch
from tests.support.interrupts import interrupted_everywhere

LIBRARY = (str(Path(es.__file__ or "").parent), "<earlystop")  # and what is compiled from rules
LOSSES = [5.0, 3.0, 4.0, 4.0]


def stopper_at(check: int) -> es.Stopper:
    stopper = es.Stopper(es.Patience("loss", 2), es.Best("loss"))
    for loss in LOSSES[:check]:
        stopper.step({"loss": loss})
    return stopper


def session_at(check: int) -> es.Session:
    return es.Session(stopper_at(check), stopwatch=Stopwatch(clock=lambda: 0.0))


def test_wherever_a_shared_step_is_interrupted_the_stopper_steps_once() -> None:
    def pair() -> tuple[es.Session, es.Session]:
        first = session_at(1)
        return first, es.Session(first.stopper)

    def step(sessions: Any) -> None:
        sessions[0].step({"loss": 3.0}, at=7)

    for first, second in interrupted_everywhere(pair, step, LIBRARY):
        if first.stopper.epoch == 1:
            first.step({"loss": 3.0}, at=7)
        assert second.step({"loss": 3.0}, at=7) == es.Decision(1, False, True, "")
        assert first.stopper.epoch == 2


def test_wherever_loading_is_interrupted_the_state_and_the_time_are_of_one_run() -> None:
    state = {**session_at(3).state_dict(), "elapsed_seconds": 9.0}
    for session in interrupted_everywhere(
        lambda: session_at(1), lambda session: session.load_state_dict(state), LIBRARY
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

    for stopwatch in interrupted_everywhere(begun, Stopwatch.stop, LIBRARY):
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
