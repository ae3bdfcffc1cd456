"""What runs cost: hours, prices, and the words for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop._text import duration
from earlystop.replaying.position_columns import row_positions
from earlystop.replaying.price import Price
from earlystop.replaying.text import hours_text, places_of

LOSSES = [0.9, 0.7, 0.8, 0.85, 0.6]  # with a patience of 2, it stops after check 3


def replayed(*, metrics: Any = None, coordinates: Any = None) -> es.Replay:
    history = es.History({"val_loss": LOSSES, **(metrics or {})}, coordinates=coordinates or {})
    return es.replay(es.EarlyStopping("val_loss", patience=2), history)


@pytest.mark.parametrize(
    ("metrics", "coordinates"),
    [
        ({"elapsed_seconds": [3600, 7200, 10800, 14400, 18000]}, {}),
        ({}, {"_runtime": [3600, 7200, 10800, 14400, 18000]}),
        ({}, {"wall_time": [1.7e9 + 3600 * k for k in range(5)]}),
        ({}, {"timestamp": [1.7e9 + 3600 * k for k in range(5)]}),
    ],
)
def test_hours_are_told_by_any_log_that_has_time(metrics: Any, coordinates: Any) -> None:
    result = replayed(metrics=metrics, coordinates=coordinates)
    first = 1.0 if metrics or "_runtime" in coordinates else 0.0  # a clock begins with the log
    assert (result.hours.tolist(), result.hours_logged.tolist()) == ([3 + first], [4 + first])
    assert result.summary()["hours"] == 3 + first
    assert result.to_dict()["hours_logged"] == [4 + first]


def test_a_log_without_time_tells_no_hours() -> None:
    result = replayed(coordinates={"step": [1, 2, 3, 4, 5]})
    assert result.summary()["hours"] is None
    assert math.isnan(result.hours[0])
    assert "hours" not in result.to_dict()


def test_a_time_that_falls_is_no_time_and_no_error() -> None:
    seconds = [[0, 3600, 7200], [0, 7200, 3600]]
    history = es.History({"val_loss": [[3.0, 2.0, 1.0]] * 2}, coordinates={"_runtime": seconds})
    result = es.replay(es.EarlyStopping("val_loss"), history)
    assert result.hours_logged[0] == 2
    assert math.isnan(result.hours_logged[1])
    assert result.summary()["hours_logged"] == 2
    assert hours_text(result).endswith("saved, of the 1 run that report it")
    with pytest.raises(es.HistoryError, match="falls"):
        es.replay(es.EarlyStopping("val_loss"), history, unit="elapsed_seconds")


@pytest.mark.parametrize(
    ("text", "price", "of_four_hours"),
    [
        ("2.5/h", Price(2.5), "10.00"),
        ("$2.5/h", Price(2.5, "$"), "$10.00"),
        ("€ 1,000/h", Price(1000, "€"), "€4,000.00"),
        ("2.5 EUR/h", Price(2.5, "", "EUR"), "10.00 EUR"),
        ("EUR 2.5 / hour", Price(2.5, "EUR"), "EUR 10.00"),
        ("2.5€/hr", Price(2.5, "", "€"), "10.00 €"),
        (".5 USD per hour", Price(0.5, "", "USD"), "2.00 USD"),
    ],
)
def test_a_price_has_any_currency_before_or_after_it(
    text: str, price: Price, of_four_hours: str
) -> None:
    assert Price.from_text(text) == price
    assert price.text(4) == of_four_hours


@given(st.floats(0, 1e9))
def test_a_duration_has_no_sixty_of_anything(seconds: float) -> None:
    text = duration(seconds)
    assert not {"60 s", "60 min"} & {" ".join(text.split()[-2:]), " ".join(text.split()[:2])}


def test_places_are_told_of_some_runs_as_well() -> None:
    steps = [[10, 20, 30], [5, 10, 15]]
    history = es.History({"val_loss": [[3.0, 2.0, 1.0]] * 2}, coordinates={"step": steps})
    positions = es.replay(es.EarlyStopping("val_loss"), history).replayed.positions
    assert places_of(positions, np.array([2, -1])) == ["step 30", "-"]
    assert places_of(positions, np.array([0]), [1]) == ["step 5"]


def test_positions_of_rows_are_told_in_whatever_order_they_are() -> None:
    nothing = math.nan
    steps = [[30, 10, 10], [nothing, 7, nothing]]
    log = es.History({"a": [[1.0, 2.0, 3.0]] * 2}, coordinates={"step": steps})
    found = row_positions(log, "step")
    assert found is not None
    assert found.tolist() == [30, 10, 10, 7, 7, 7]
    assert row_positions(log, "epoch") is None
