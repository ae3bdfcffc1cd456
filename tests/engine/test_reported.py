"""What the checks of a run reported, by metric, and as plain JSON data."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.engine.reported import Reported, from_record, to_record

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
