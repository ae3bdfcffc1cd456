"""Choices between two arrays copy what a masked copy would, whatever the condition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlystop.engine.choosing import choose, others, places


@given(
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.floats(min_value=0, max_value=1),
    st.booleans(),
)
def test_choices_copy_where_the_condition_holds(
    some: list[bool], rarity: float, whole: bool
) -> None:
    condition = np.array(some) & (np.random.default_rng(0).random(len(some)) >= rarity)
    value: Any = np.arange(1.0, len(some) + 1) if whole else 7.0
    target = -np.arange(1.0, len(some) + 1)
    wanted = np.where(condition, value, target)
    opposite, before = target.copy(), condition.copy()
    choose(places(condition), value, target)
    choose(others(~condition), value, opposite)
    np.testing.assert_array_equal(target, wanted)
    np.testing.assert_array_equal(opposite, wanted)
    np.testing.assert_array_equal(condition, before)


@pytest.mark.parametrize("value", [np.float64(7.0), np.array(7.0), 7])
def test_one_number_is_chosen_for_all_lanes(value: Any) -> None:
    target = np.zeros(4)
    choose(places(np.array([True, False, True, False])), value, target)
    assert target.tolist() == [7, 0, 7, 0]
