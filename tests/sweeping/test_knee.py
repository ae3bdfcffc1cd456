"""The knee of the trade-off."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.strategies import histories
from tests.sweeping.swept import sweep


@given(histories(), st.sampled_from(["min", "max"]))
def test_the_knee_lies_below_the_line_from_the_cheapest_to_the_least_regret(
    history: es.History, mode: Any
) -> None:
    rule = es.Patience("val_loss", mode=mode)
    table = sweep(rule, history, patience=range(1, 8), min_delta=[0.0, 0.5])
    epochs, regret = table.mean_epochs, table.mean_regret
    finite = np.isfinite(regret)
    if table.knee is None:
        return
    assert finite[table.knee]
    cheapest = min(zip(epochs[finite], regret[finite], strict=True))
    least = min(zip(regret[finite], epochs[finite], strict=True))[::-1]
    high, wide = cheapest[1] - least[1], least[0] - cheapest[0]
    assert high > 0
    assert wide > 0

    def below(row: int) -> float:
        used = (epochs[row] - cheapest[0]) / wide
        given_up = (regret[row] - least[1]) / high
        return float(1 - used - given_up)

    with np.errstate(over="ignore"):
        found = below(table.knee)
        assert found > 0
        assert found == max(below(row) for row in np.flatnonzero(finite).tolist())


def test_the_knee_of_a_bend_is_its_corner() -> None:
    curve = [9.0, 5.0, 4.0, 4.5, 4.5, 3.0, *[3.1] * 20, 2.9]
    history = es.History({"loss": [curve]})
    table = sweep(es.Patience("loss"), history, patience=range(1, 30))
    assert table.knee is not None
    assert table.settings[table.knee] == {"patience": 3}
    assert table.monitors == ("loss",)


@pytest.mark.parametrize("curve", [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0], [np.nan, np.nan]])
def test_settings_that_do_not_differ_have_no_knee(curve: list[float]) -> None:
    table = sweep(es.Patience("loss"), es.History({"loss": curve}), patience=range(1, 5))
    assert table.knee is None
