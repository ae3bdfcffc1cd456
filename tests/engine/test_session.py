"""What all adapters share: metrics, one decision per check, time, and state."""

from __future__ import annotations

import copy
import gc
import json
import math
import pickle
import warnings
import weakref
from typing import Any

import pytest

import earlystop as es
from earlystop.engine.session import forget_decision
from earlystop.engine.stopwatch import Stopwatch


class Clock:
    """Shows what it is set to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def timed(stopper: es.Stopper, clock: Clock) -> es.Session:
    stopwatch = Stopwatch(clock)
    stopwatch.start()
    return es.Session(stopper, stopwatch=stopwatch)


# Time -------------------------------------------------------------------------------------------


def test_a_stopwatch_stands_still_until_it_is_started_and_after_it_is_stopped() -> None:
    clock = Clock()
    stopwatch = Stopwatch(clock)
    clock.now += 5
    assert stopwatch.seconds == 0
    stopwatch.start()
    clock.now += 5
    assert stopwatch.seconds == 5
    stopwatch.stop()
    clock.now += 5
    assert stopwatch.seconds == 5
    stopwatch.start()
    clock.now += 5
    assert stopwatch.seconds == 10


def test_the_elapsed_time_is_added_unless_it_was_reported() -> None:
    clock = Clock()
    session = timed(es.EarlyStopping("loss"), clock)
    clock.now += 7
    assert session.collect({"loss": 1}) == {"loss": 1.0, "elapsed_seconds": 7.0}
    assert session.collect({"elapsed_seconds": 2}) == {"elapsed_seconds": 2.0}
    assert session.collect() == {"elapsed_seconds": 7.0}


def test_without_a_stopwatch_time_counts_from_the_beginning() -> None:
    session = es.Session(es.Stopper(es.TimeLimit(1e-9)))
    assert session.step(session.collect()).stop
    session.finish()
    assert session.elapsed_seconds == session.elapsed_seconds > 0


# Metrics ----------------------------------------------------------------------------------------


def test_metrics_come_as_a_mapping_as_keywords_or_both() -> None:
    session = es.Session(es.EarlyStopping("loss"))
    values = session.collect({"loss": 1}, {"accuracy": True, "elapsed_seconds": 0})
    assert values == {"loss": 1.0, "accuracy": 1.0, "elapsed_seconds": 0.0}
    with pytest.raises(es.MetricError, match="reported twice in one call: loss"):
        session.collect({"loss": 1}, {"loss": 1})
    with pytest.raises(es.MetricError, match="as a mapping from name to value"):
        session.collect(0.5)


def test_a_framework_may_turn_its_own_values_into_floats() -> None:
    session = es.Session(
        es.EarlyStopping("loss"),
        to_floats=lambda metrics: {name: float(value[0]) for name, value in metrics.items()},
    )
    assert session.collect({"loss": [0.5]})["loss"] == 0.5


@pytest.mark.parametrize("stopper", [es.Patience("loss", 2), None, es.EarlyStopping])
def test_anything_but_a_stopper_is_refused_by_the_name_the_user_knows(stopper: Any) -> None:
    with pytest.raises(es.RuleTypeError) as caught:
        es.Session(stopper, "MyCallback")
    assert str(caught.value) == (
        "`MyCallback(stopper)` must be a Stopper, such as EarlyStopping('val_loss'), "
        f"got {stopper!r}"
    )


# Epochs that lack a metric ----------------------------------------------------------------------


def test_an_epoch_without_validation_does_not_count_and_warns_once() -> None:
    stopper = es.Stopper(es.Patience("val_loss", 1), on_missing="skip")
    session = es.Session(stopper, "Callback", on_missing="auto")
    with pytest.warns(UserWarning, match="Callback: no metric 'val_loss'.*do not count"):
        session.step({"loss": 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not session.step({"loss": 1.0}).stop
    session.step({"loss": 1.0, "val_loss": 1.0})
    session.finish()


def test_a_metric_that_no_epoch_reported_is_an_error_at_the_end() -> None:
    stopper = es.Stopper(es.Patience("val_loss", 1), on_missing="skip")
    session = es.Session(stopper, "Callback", on_missing="auto", advice="pass validation data")
    with pytest.warns(UserWarning, match="do not count"):
        session.step({"loss": 1.0, "elapsed_seconds": 1.0})
    with pytest.raises(es.MissingMetricError) as caught:
        session.finish()
    assert str(caught.value) == (
        "Callback: no epoch reported the metric 'val_loss': pass validation data; "
        "available metrics: loss; did you mean 'loss'?"
    )


@pytest.mark.parametrize(
    ("metrics", "on_missing"),
    [
        ({"loss": 1.0, "val_los": 1.0}, "auto"),  # the epoch was validated
        ({"loss": 1.0}, "raise"),
    ],
)
def test_a_metric_missing_by_mistake_is_an_error_and_nothing_changes(
    metrics: dict[str, float], on_missing: Any
) -> None:
    stopper = es.Stopper(es.Patience("val_loss", 1), on_missing="skip")
    session = es.Session(stopper, "Callback", on_missing=on_missing)
    with pytest.raises(es.MissingMetricError, match="Callback: no metric 'val_loss': available"):
        session.step(metrics)
    assert stopper.epoch == 0


def test_an_epoch_that_lacks_more_than_validation_metrics_is_an_error() -> None:
    rule = es.Patience("val_loss", 1) & es.Patience("loss", 1)
    session = es.Session(es.Stopper(rule, on_missing="skip"), "Callback", on_missing="auto")
    with pytest.raises(
        es.MissingMetricError, match="Callback: no metric 'loss': available metrics: acc"
    ):
        session.step({"acc": 1.0})


def test_a_missing_metric_may_be_skipped_or_left_to_the_stopper() -> None:
    stopper = es.Stopper(es.Patience("val_loss", 1), on_missing="skip")
    session = es.Session(stopper, on_missing="skip")
    assert not session.step({"loss": 1.0}).stop
    session.finish()
    with pytest.raises(es.MissingMetricError, match="no metric 'val_loss' at epoch 0"):
        es.Session(es.EarlyStopping("val_loss")).step({"loss": 1.0})


def test_a_resumed_run_remembers_which_metrics_were_reported() -> None:
    stopper = es.Stopper(es.Patience("val_loss", 9), on_missing="skip")
    session = es.Session(stopper, on_missing="auto")
    session.load_state_dict(session.state_dict())
    session.step({"loss": 1.0})  # no warning
    session.finish()


def test_an_unknown_on_missing_is_refused() -> None:
    unknown: Any = "ignore"
    with pytest.raises(es.RuleError) as caught:
        es.Session(es.EarlyStopping("loss"), "Callback", on_missing=unknown)
    assert str(caught.value) == (
        "`Callback(on_missing=...)` must be one of 'auto', 'raise', 'skip', got 'ignore'"
    )


# One decision per check -------------------------------------------------------------------------


def test_sessions_that_share_a_stopper_step_it_once_a_check() -> None:
    stopper = es.EarlyStopping("loss", patience=2)
    stopping, saving = es.Session(stopper), es.Session(stopper)
    for epoch, loss in enumerate([3.0, 2.0, 2.0, 2.0]):
        assert saving.decision_at(epoch) is None
        decision = stopping.step({"loss": loss}, at=epoch)
        assert saving.decision_at(epoch) is decision
        assert saving.step({"loss": loss}, at=epoch) is decision
        assert stopping.decision_at(epoch) is None
        assert decision.epoch == epoch
    assert decision.stop


def test_a_session_shares_the_decisions_of_the_stopper_that_it_has_now() -> None:
    before, now = es.EarlyStopping("loss", patience=2), es.EarlyStopping("loss", patience=3)
    session, of_before, of_now = es.Session(before), es.Session(before), es.Session(now)
    session.stopper = now
    decision = session.step({"loss": 1.0}, at=0)
    assert of_now.step({"loss": 2.0}, at=0) is decision
    assert of_before.decision_at(0) is None
    assert (before.checks, now.checks) == (0, 1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda them: pickle.loads(pickle.dumps(them))])
def test_copies_of_sessions_share_the_decisions_of_their_own_stopper(copied: Any) -> None:
    stopper = es.EarlyStopping("loss", patience=2)
    sessions = es.Session(stopper), es.Session(stopper)
    sessions[0].step({"loss": 1.0}, at=0)
    one, other = copied(sessions)
    decision = one.step({"loss": 2.0}, at=1)
    assert other.step({"loss": 2.0}, at=1) is decision
    assert es.Session(one.stopper).decision_at(1) is decision
    assert sessions[1].decision_at(1) is None
    forget_decision(one.stopper)
    assert other.decision_at(1) is None


def test_the_check_of_another_run_is_another_check() -> None:
    stopper = es.EarlyStopping("loss", patience=2)
    es.Session(stopper).step({"loss": 1.0}, at=0)
    stopper.reset()
    forget_decision(stopper)
    assert es.Session(stopper).decision_at(0) is None
    assert es.Session(stopper).step({"loss": 3.0}, at=0).save


def test_a_shared_stopper_is_not_kept_alive() -> None:
    stopper = es.EarlyStopping("loss")
    es.Session(stopper).step({"loss": 1.0}, at=0)
    alive = weakref.ref(stopper)
    del stopper
    gc.collect()
    assert alive() is None


# State ------------------------------------------------------------------------------------------


def test_resumed_from_json_it_goes_on_with_decisions_and_time() -> None:
    clock = Clock()
    first = timed(es.EarlyStopping("loss", patience=2), clock)
    first.step({"loss": 1.0})
    clock.now += 30
    first.step({"loss": 2.0})
    state = json.loads(json.dumps(first.state_dict(), allow_nan=False))
    second = timed(es.EarlyStopping("loss", patience=2), clock)
    second.load_state_dict({**state, "entry_of_an_adapter": 1})
    clock.now += 5
    assert second.elapsed_seconds == 35
    assert second.step({"loss": 2.0}).stop
    assert first.state_dict(elapsed_seconds=12.5)["elapsed_seconds"] == 12.5


def test_a_state_replaces_the_time_of_the_state_before() -> None:
    session = timed(es.EarlyStopping("loss"), Clock())
    at_the_beginning = session.state_dict()
    for seconds in (30.0, 40.0, 0.0):
        session.load_state_dict({**at_the_beginning, "elapsed_seconds": seconds})
        assert session.elapsed_seconds == seconds


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, "the state is damaged: it lacks elapsed_seconds, stopper"),
        ({"elapsed_seconds": 1.0}, "the state is damaged: it lacks stopper"),
        ({"elapsed_seconds": "nan", "stopper": {}}, "elapsed_seconds should be a time of at lea"),
        ({"elapsed_seconds": "inf", "stopper": {}}, "elapsed_seconds should be a time of at lea"),
        ({"elapsed_seconds": -1.0, "stopper": {}}, "elapsed_seconds should be a time of at least"),
        ({"elapsed_seconds": True, "stopper": {}}, "elapsed_seconds should be a number"),
        ({"elapsed_seconds": 1.0, "stopper": {}}, "expected a state from `Stopper.state_dict()`"),
    ],
)
def test_a_bad_state_is_refused_and_changes_nothing(state: Any, text: str) -> None:
    session = timed(es.EarlyStopping("loss"), Clock())
    session.step({"loss": 1.0})
    before = session.state_dict()
    with pytest.raises(es.StateError) as caught:
        session.load_state_dict(state)
    assert str(caught.value).startswith(text)
    assert session.state_dict() == before


def test_a_step_can_be_taken_back() -> None:
    session = timed(es.EarlyStopping("loss", patience=1), Clock())
    session.step({"loss": 1.0})
    before, state = session.snapshot(), session.state_dict()
    assert session.step({"loss": math.nan}).stop
    session.stopwatch.earlier = 9.0
    session.restore(before)
    assert session.state_dict() == state
    assert session.step({"loss": 0.5}).save


def test_repr_says_whose_session_it_is() -> None:
    session = es.Session(es.Stopper(es.MaxEpochs(3)), "MyCallback")
    assert repr(session) == "Session(Stopper(MaxEpochs(3)), 'MyCallback')"


def test_a_step_that_was_undone_is_not_the_decision_of_another_session() -> None:
    stopper = es.EarlyStopping("loss", patience=2)
    one, other = es.Session(stopper), es.Session(stopper)
    before = one.snapshot()
    one.step({"loss": 0.5}, at=0)
    one.restore(before)
    assert other.decision_at(0) is None
    other.step({"loss": 0.9}, at=0)
    assert (stopper.epoch, stopper.best) == (1, 0.9)
