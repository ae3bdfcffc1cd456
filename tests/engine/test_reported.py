"""What the checks of a run reported, by metric, and as plain JSON data."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.engine.decision import Place
from earlystop.engine.reported import Reported, from_record, to_record, with_place
from tests.support.placed_checks import placed_checks

NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name != "epoch")
METRICS = st.dictionaries(
    NAMES | st.sampled_from(["loss", "elapsed_seconds"]), st.floats(), max_size=3
)


@given(st.lists(METRICS, max_size=5))
def test_every_metric_has_a_value_or_none_at_every_check(checks: list[dict[str, float]]) -> None:
    reported = Reported()
    for metrics in checks:
        reported.add(metrics)
    columns = reported.columns()
    assert set(columns) == {name for metrics in checks for name in metrics}
    for name, column in columns.items():
        expected = [metrics.get(name) for metrics in checks]
        assert repr(column) == repr(expected)  # a NaN is not equal to itself


@given(st.lists(st.tuples(st.integers(1, 5), METRICS), max_size=5))
def test_checks_come_back_from_json_with_their_numbers(checks: list[tuple[int, Any]]) -> None:
    number, numbered = -1, []
    for gap, metrics in checks:
        number += gap
        numbered.append((number, metrics))
    reported = Reported(numbered)
    state = json.loads(json.dumps(reported.state_dict(), allow_nan=False))
    again = Reported.from_state(state, "in a test")
    assert repr(again.columns()) == repr(reported.columns())
    for column in again.columns().values():
        assert len(column) == number + 1


@given(checks=placed_checks())
def test_checks_come_back_from_json_with_their_positions(checks: list[dict[str, Any]]) -> None:
    reported = Reported()
    for check in checks:
        reported.add(check)
    state = json.loads(json.dumps(reported.state_dict(), allow_nan=False))
    assert [next(iter(record)) for record in state["reported"]] == ["check"] * len(checks)
    columns = Reported.from_state(state, "in a test").columns()
    assert columns == {name: [check[name] for check in checks] for name in checks[0]}


def test_checks_before_the_first_with_an_epoch_are_epochs() -> None:
    reported = Reported([(0, {"loss": 0.5}), (2, {"loss": 0.25}), (3, {"epoch": 2.5})])
    assert reported.columns()["epoch"] == [0, None, 2, 2.5]


def test_a_metric_named_as_the_number_of_a_check_is_refused_where_that_is_told() -> None:
    assert with_place({"check": 0.5}, None) == {"check": 0.5}
    record = to_record(3, {"check": 0.5})
    assert from_record(record, "here") == (3, {"check": 0.5})
    with pytest.raises(es.MetricError, match="must not be named 'check'"):
        with_place({"check": 0.5}, Place(3, 1.5))


def test_the_columns_are_copies() -> None:
    reported = Reported([(0, {"loss": 0.5})])
    reported.columns()["loss"].append(0.0)
    assert reported.columns() == {"loss": [0.5]}


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ([], 'should be an object with an "epoch", got'),
        ({}, 'should be an object with an "epoch", got'),
        ({"epoch": 0.5}, "epoch should be a whole number, got 0.5"),
        ({"epoch": True}, "epoch should be a whole number, got True"),
        ({"epoch": -1}, "epoch should be at least 0, got -1"),
        ({"check": 0.5, "epoch": 1}, "check should be a whole number, got 0.5"),
        ({"check": -1, "epoch": 1}, "check should be at least 0, got -1"),
        ({"check": 1, "step": None}, "step should be a number"),
        ({"epoch": 1, "loss": None}, "loss should be a number, or one of"),
        ({"epoch": 1, "loss": "low"}, "loss should be a number, or one of"),
    ],
)
def test_what_is_no_check_is_refused_with_its_place(record: Any, text: str) -> None:
    with pytest.raises(es.StateError, match=f"check 3.*{text}"):
        from_record(record, "check 3")
    with pytest.raises(es.StateError, match=f"check 1 in a file.*{text}"):
        Reported.from_state({"reported": [to_record(0, {"loss": math.nan}), record]}, "in a file")
    with pytest.raises(es.StateError, match="the checks in a file are damaged"):
        Reported.from_state({"reported": {}}, "in a file")
    assert Reported.from_state({}, "of an older version").columns() == {}
