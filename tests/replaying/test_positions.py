"""Positions of logged checks: what is told along them, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import earlystop as es

LOSSES = {"val_loss": [4.0, 3.0, 3.5, 3.6, 3.7]}
STOPPER = es.EarlyStopping("val_loss", patience=2)


@pytest.mark.parametrize(
    ("coordinates", "text"),
    [
        ({"step": [10, 20, 15, 30, 40]}, "'step' falls from 20 to 15 at check 2 of 'run 0': "),
        ({"step": [10, 20, 20, 30, 40]}, "'step' is 20 twice at check 2 of 'run 0': positions"),
        ({"epoch": [0, 1, 2, 1, 2]}, "'epoch' falls from 2 to 1 at check 3 of 'run 0': positions"),
    ],
)
def test_positions_that_go_back_are_refused_with_their_place(
    coordinates: dict[str, list[float]], text: str
) -> None:
    history = es.History(LOSSES, coordinates=coordinates)
    for ask in (
        lambda: es.replay(STOPPER, history),
        lambda: es.sweep(STOPPER.stop, history, patience=[1, 2]),
        lambda: es.advise(history, "val_loss", max_regret=0.1),
    ):
        with pytest.raises(es.HistoryError) as caught:
            ask()
        assert str(caught.value).startswith(text)


def test_a_unit_that_falls_or_is_not_told_is_refused_with_what_there_is() -> None:
    metrics = {**LOSSES, "tokens": [1.0, 3.0, 2.0, 4.0, 5.0]}
    history = es.History(metrics, coordinates={"epoch": [0, 1, 2, 3, 4]})
    with pytest.raises(es.HistoryError, match="'tokens' falls from 3 to 2 at check 2 of 'run 0'"):
        es.replay(es.Patience("val_loss", 2, unit="tokens"), history)
    with pytest.raises(es.HistoryError, match="'tokens' falls from 3 to 2"):
        es.replay(STOPPER, history, unit="tokens")
    with pytest.raises(es.MissingMetricError, match="no epoch reports the unit 'stp': "):
        es.replay(STOPPER, history, unit="stp")
    with pytest.raises(es.MissingMetricError, match="asks for 'step', but no epoch"):
        es.replay(es.Patience("val_loss", 2, unit="step"), history)


def test_a_position_that_a_row_does_not_tell_is_that_of_the_row_before() -> None:
    nan = math.nan
    history = es.History(LOSSES, coordinates={"epoch": [nan, 0, nan, 1, nan]})
    result = es.replay(es.Stopper(es.Never(), save=es.Best("val_loss")), history)
    assert (result.epochs.tolist(), result.saved_epoch.tolist()) == ([2], [0])
    assert result.stopped_at("epoch").tolist() == [1.0]


def test_runs_that_tell_no_position_are_counted_in_checks() -> None:
    nan = math.nan
    losses = {"val_loss": [[4.0, 3.0, 3.5, 3.6], [4.0, 3.0, 3.5, 3.6]]}
    steps = [[100, 200, 300, 400], [nan] * 4]
    history = es.History(losses, coordinates={"epoch": [[0, 0, 1, 1], [nan] * 4], "step": steps})
    result = es.replay(es.Stopper(es.MaxEpochs(2), save=es.Best("val_loss")), history)
    assert result.checks.tolist() == [3, 2]
    assert result.epochs.tolist() == [2, 2]
    assert result.saved_epoch.tolist() == [0, 1]
    assert np.isnan(result.steps).tolist() == [False, True]
    assert result.unit == "checks"


@pytest.mark.parametrize(
    "clock",
    [
        {"coordinates": {"_runtime": [60, 120, 180, 240, 300]}},
        {"coordinates": {"wall_time": [1e9 + 60 * n for n in range(1, 6)]}, "began": 60},
        {"metrics": {"elapsed_seconds": [60, 120, 180, 240, 300]}},
    ],
)
def test_time_is_told_wherever_the_log_has_it(clock: dict[str, Any]) -> None:
    metrics = {**LOSSES, **clock.get("metrics", {})}
    history = es.History(metrics, coordinates=clock.get("coordinates"))
    result = es.replay(STOPPER, history, unit="elapsed_seconds")
    began = clock.get("began", 0)
    assert result.used.tolist() == [240 - began]
    assert result.share_saved == pytest.approx(60 / (300 - began))
    limited = es.replay(es.TimeLimit(180 - began), history)
    assert limited.checks.tolist() == [3]


def test_patience_in_any_unit_is_told_live_and_over_logs() -> None:
    losses = {"val_loss": [1.0, 0.8, 0.9, 0.85, 0.82, 0.81]}
    places = {
        "step": [100, 200, 300, 400, 800, 900],
        "_runtime": [0, 3600, 7200, 10800, 14400, 15000],
    }
    history = es.History(losses, coordinates=places)
    for rule, checks in (
        (es.Patience("val_loss", 600, unit="step"), 5),
        (es.Patience("val_loss", 3 * 3600, unit="elapsed_seconds"), 5),
        (es.Patience("val_loss", 200, unit="step"), 4),
        (es.MaxSteps(300), 3),
        (es.Warmup(es.MaxSteps(1), steps=300), 4),
    ):
        result = es.replay(rule, history)
        assert result.checks.tolist() == [checks], rule
        assert result.stopped.tolist() == [True], rule
    reason = es.replay(es.Patience("val_loss", 600, unit="step"), history).decisions(0)[-1].reason
    assert reason == "val_loss has not improved on 0.8 (step 200) by more than 0 for 600 steps"


def test_positions_of_a_log_that_do_not_go_on_are_not_counted_by_and_told() -> None:
    rows = [{"epoch": n, "step": 0, "val_loss": loss} for n, loss in enumerate(LOSSES["val_loss"])]
    history = es.read_history(rows)
    assert history.report is not None
    assert "'step' does not go on (0 after 0), so nothing is counted by it" in str(history.report)
    result = es.replay(STOPPER, history)
    assert (result.unit, result.epochs.tolist(), result.stopped.tolist()) == ("epoch", [4], [True])
    assert str(result.decisions(0)[-1]).startswith("epoch 3: stop: ")


def test_runs_of_several_tools_tell_their_steps_each_by_its_own_name() -> None:
    runs = [
        [{"step": 10 * n, "val_loss": loss} for n, loss in enumerate(LOSSES["val_loss"])],
        [{"_step": 7 * n, "val_loss": loss} for n, loss in enumerate(LOSSES["val_loss"])],
        [{"Global Step": 5 * n, "val_loss": loss} for n, loss in enumerate(LOSSES["val_loss"])],
    ]
    history = es.read_history(runs)
    result = es.replay(STOPPER, history)
    assert (result.unit, result.steps.tolist()) == ("step", [30.0, 21.0, 15.0])
    assert [str(result.decisions(run)[-1])[:8] for run in range(3)] == [
        "step 30:",
        "step 21:",
        "step 15:",
    ]
