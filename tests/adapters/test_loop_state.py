"""The state of an `EpochLoop`: how it resumes, and what it refuses to load."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.loop import EpochLoop, LoopError

import earlystop as es
from tests.support.data import saved_files
from tests.support.saved_data import LOOPS, LoopRun

LOSSES = [5.0, 3.0, 4.0, 4.0, 2.0, 1.0]


def timed_loop() -> EpochLoop:
    """A loop whose clock goes on by a second whenever it is read."""
    stopper = es.Stopper(es.Patience("loss", 2) | es.TimeLimit(99), es.Best("loss"))
    ticks = itertools.count(100.0)
    return EpochLoop(stopper, clock=lambda: next(ticks))


def test_a_resumed_loop_goes_on_with_epoch_decisions_and_time() -> None:
    whole = timed_loop()
    for epoch in whole:
        whole.report(loss=LOSSES[epoch])
    first = timed_loop()
    for epoch in first:
        first.report(loss=LOSSES[epoch])
        if epoch == 1:
            state = json.loads(json.dumps(first.state_dict(), allow_nan=False))
            break
    second = timed_loop()
    second.load_state_dict(state)
    epochs = []
    for epoch in second:
        epochs.append(epoch)
        second.report(loss=LOSSES[epoch])
    assert epochs == [2, 3]
    assert second.reason == whole.reason
    assert second.history["elapsed_seconds"][0] > first.history["elapsed_seconds"][-1]


@pytest.mark.parametrize("path", saved_files("loop/*.json"))
def test_a_loop_goes_on_from_a_state_of_any_version_as_if_never_interrupted(path: Path) -> None:
    written = json.loads(path.read_text())
    settings = LOOPS[path.stem]
    whole, resumed = LoopRun(**settings), LoopRun(**settings, kept=written["kept"])
    decisions = whole.train()
    assert [decision[:3] for decision in decisions] == [
        decision[:3] for decision in written["decisions"]
    ]
    resumed.loop.load_state_dict(written["state"])
    begins = resumed.loop.stopper.epoch
    assert begins == 3
    assert resumed.train() == decisions[begins:]
    assert resumed.restored == whole.restored == [whole.loop.stopper.best_epoch]
    assert resumed.loop.state_dict() == whole.loop.state_dict()


def test_a_state_is_loaded_before_the_loop_begins() -> None:
    loop = EpochLoop(es.EarlyStopping("loss"), max_epochs=1)
    state = loop.state_dict()
    for _ in loop:
        loop.report(loss=1.0)
    with pytest.raises(LoopError, match="before the loop begins"):
        loop.load_state_dict(state)


def loop_with(patience: int, **settings: Any) -> EpochLoop:
    stopper = es.EarlyStopping("loss", patience=patience)
    return EpochLoop(stopper, clock=lambda: 0.0, **settings)


@pytest.mark.parametrize("at", ["construction", "loading"])
def test_a_run_that_had_stopped_goes_on_with_more_patience(at: str) -> None:
    losses = [5.0, 3.0, 4.0, 4.0, 2.0, 2.5, 2.5, 2.5]
    first, whole = loop_with(1), loop_with(3)
    for loop in (first, whole):
        for epoch in loop:
            loop.report(loss=losses[epoch])
    assert first.stopper.epoch == 3
    restored: list[Any] = []
    given: Any = {"restore": restored.append, "save": lambda epoch, metrics: epoch, "kept": 1}
    if at == "loading":
        resumed = loop_with(3, **given)
        resumed.load_state_dict(first.state_dict(), changed_rules=True)
    else:
        resumed = loop_with(3, **given, changed_rules=True)
        resumed.load_state_dict(first.state_dict())
    epochs = []
    for epoch in resumed:
        epochs.append(epoch)
        resumed.report(loss=losses[epoch])
    assert epochs == [3, 4, 5, 6, 7]
    assert restored == [4]
    assert resumed.reason == whole.reason
    assert resumed.stopper.state_dict() == whole.stopper.state_dict()


def test_numbers_that_stop_the_run_at_once_begin_no_epoch() -> None:
    first, resumed = loop_with(2), loop_with(1, changed_rules=True)
    for epoch in first:
        first.report(loss=LOSSES[epoch])
    resumed.load_state_dict(first.state_dict())
    with pytest.raises(LoopError, match="has stopped already"):
        next(iter(resumed))


def test_other_numbers_are_refused_unless_asked_for() -> None:
    loop = loop_with(3, changed_rules=True)
    with pytest.raises(es.StateError, match="changed_rules=True"):
        loop.load_state_dict(loop_with(2).state_dict(), changed_rules=False)
    with pytest.raises(es.StateError, match="changed_rules=True"):
        loop_with(3).load_state_dict(loop_with(2).state_dict())


def test_a_run_that_had_all_its_epochs_goes_on_with_a_larger_max_epochs() -> None:
    first, second = loop_with(9, max_epochs=2), loop_with(9, max_epochs=4)
    for epoch in first:
        first.report(loss=LOSSES[epoch])
    second.load_state_dict(first.state_dict())
    epochs = []
    for epoch in second:
        epochs.append(epoch)
        second.report(loss=LOSSES[epoch])
    assert epochs == [2, 3]


WRITTEN = EpochLoop(es.EarlyStopping("loss")).state_dict()


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (3, 'expected a state from `EpochLoop.state_dict()` ("format": "earlystop.EpochLoop"), '),
        ({}, "expected a state from `EpochLoop.state_dict()` ("),
        ({**WRITTEN, "version": 9}, "the state has version 9, this library reads version 1: upgr"),
        ({**WRITTEN, "version": True}, "the state has version True, this library reads version 1"),
        (
            {key: value for key, value in WRITTEN.items() if key != "elapsed_seconds"},
            "the state is damaged: it lacks elapsed_seconds",
        ),
        (
            {key: WRITTEN[key] for key in ("format", "version")},
            "the state is damaged: it lacks elapsed_seconds, stopper",
        ),
        (
            {**WRITTEN, "elapsed_seconds": "x"},
            "elapsed_seconds should be a number, or one of ['nan', 'inf', '-inf'], got 'x'",
        ),
        ({**WRITTEN, "elapsed_seconds": "nan"}, "elapsed_seconds should be a time of at least 0"),
        ({**WRITTEN, "stopper": None}, "expected a state from `Stopper.state_dict()`"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state: Any, text: str) -> None:
    loop = EpochLoop(es.EarlyStopping("loss"))
    with pytest.raises(es.StateError) as caught:
        loop.load_state_dict(state)
    assert str(caught.value).startswith(text)
    assert (loop.stopper.epoch, loop.elapsed_seconds) == (0, 0.0)
