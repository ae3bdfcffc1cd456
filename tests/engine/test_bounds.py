"""A choice that holds a value within a constant is one array operation, with the same results."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.engine.bounds import with_bounds
from earlystop.engine.recording import record
from earlystop.language.traced_metrics import TracedMetrics
from earlystop.ops import where

CONSTANTS = st.sampled_from([0.0, -0.0, 1.0, -2.5])
VALUES = st.sampled_from([0.0, -0.0, 1.0, 0.5, -2.5, 3.0, math.inf, -math.inf, math.nan])


class Held(es.Rule):
    """Fires on a value that is at least 1 when it is held between two constants."""

    monitor: str
    least: float = 0.5
    most: float = 2.0

    class State(NamedTuple):
        held: float

    def init(self) -> State:
        return self.State(0.0)

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        value = metrics[self.monitor] + 0.0 * state.held
        held = where(value < self.least, self.least, value)
        held = where(held > self.most, self.most, held)
        return self.State(held), held >= 1.0

    def reason(self, state: Any, metrics: Any, epoch: Any) -> str:
        return f"held at {state.held}"


@given(CONSTANTS, CONSTANTS, st.lists(VALUES, min_size=1, max_size=6))
def test_holding_a_value_within_constants_replays_as_it_steps(
    least: float, most: float, values: list[float]
) -> None:
    rule = Held("loss", least, most)
    # Many runs, so that they are stepped side by side.
    replayed = es.replay(rule, es.History({"loss": np.tile(values, (200, 1))}))
    stopper = es.Stopper(rule)
    stepped = next((i + 1 for i, x in enumerate(values) if stopper.step({"loss": x}).stop), None)
    assert set(replayed.epochs.tolist()) == {stepped or len(values)}


@pytest.mark.parametrize(("least", "ufunc"), [(0.5, "maximum"), (0.0, "where")])
def test_a_bound_is_one_operation_unless_it_is_zero(least: float, ufunc: str) -> None:
    def metrics_on(trace: Any) -> TracedMetrics:
        return TracedMetrics(trace, ("loss",), certain=frozenset({"loss"}))

    lines = with_bounds(record((Held("loss", least),), metrics_on).lines)
    kinds = [line.ufunc for line in lines if line.ufunc in ("where", "maximum", "minimum")]
    assert kinds == [ufunc, "minimum"]
