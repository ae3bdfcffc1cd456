"""The knee of the trade-off."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.sweeping.knee import find_knee
from tests.support.strategies import histories
from tests.sweeping.swept import sweep


@given(histories(), st.sampled_from(["min", "max"]))
def test_the_knee_is_the_cheapest_setting_that_avoids_all_but_a_hundredth(
    history: es.History, mode: Any
) -> None:
    rule = es.Patience("val_loss", mode=mode)
    table = sweep(rule, history, patience=range(1, 8), min_delta=[0.0, 0.5])
    used, regret = table.mean_used, table.mean_regret
    finite = np.isfinite(regret)
    if not finite.any():
        assert table.knee is None
        return
    shares = regret / (regret[finite].max() or 1.0)
    _, cheapest = min(zip(used[finite], shares[finite], strict=True))
    least = shares[finite].min()
    if table.knee is None:
        assert cheapest == least
        return
    left = (shares - least) / (cheapest - least)
    assert left[table.knee] <= 0.01
    cheaper = finite & (used < used[table.knee])
    assert cheaper.any()
    assert (left[cheaper] > 0.01 - 1e-12).all()


# What a person would say, looking at the table: (mean checks used, mean regret).
TABLES: dict[str, tuple[list[float], list[float], int | None]] = {
    "where the regret has all but gone, not where it begins to fall": (
        [10.0, 18.7, 19.7, 31.7, 40.3, 48.0, 52.7, 57.7, 60.0],
        [0.4477, 0.1636, 0.1636, 0.0729, 0.017, 0.0006, 0.0006, 0.0, 0.0],
        5,
    ),
    "the corner of a sharp bend": ([5, 10, 50], [1.0, 0.001, 0.0], 1),
    "the end of a straight line": ([10, 20, 30, 40], [0.3, 0.2, 0.1, 0.0], 3),
    "none where the cheapest loses nothing": ([10, 20, 30], [0.0, 0.0, 0.0], None),
    "none where longer runs lose as much": ([10, 20, 30], [0.2, 0.2, 0.2], None),
    "of equally cheap settings the better": ([10, 20, 20, 30], [1.0, 0.009, 0.0, 0.0], 2),
    "what is lost before a first value does not count": ([1, 9, 20], [np.inf, 0.5, 0.0], 2),
    "values near the largest float": ([1, 9, 20], [1.7e308, 1e300, 0.0], 1),
}


@pytest.mark.parametrize("what", TABLES)
def test_the_knee_is_where_a_person_would_see_it(what: str) -> None:
    used, regret, knee = TABLES[what]
    assert find_knee(np.array(used, float), np.array(regret)) == knee


@pytest.mark.parametrize("curve", [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0], [np.nan, np.nan]])
def test_settings_that_do_not_differ_have_no_knee(curve: list[float]) -> None:
    table = sweep(es.Patience("loss"), es.History({"loss": curve}), patience=range(1, 5))
    assert table.knee is None
