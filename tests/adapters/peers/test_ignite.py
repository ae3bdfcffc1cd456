"""Ignite's EarlyStopping and ours on the same curves."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine
from ignite.handlers import EarlyStopping as IgniteEarlyStopping

from tests.adapters.peers.curves import curves, modes, nan, ours, patience


def ignite(curve: list[float], n: int, mode: str, **settings: Any) -> int:
    trainer = Engine(lambda engine, batch: None)
    scores = iter(curve)
    handler = IgniteEarlyStopping(
        patience=n, score_function=lambda _: next(scores), trainer=trainer, mode=mode, **settings
    )
    handler.logger.setLevel(logging.ERROR)
    stop = -1
    for epoch in range(len(curve)):
        trainer.should_terminate = False
        handler(trainer)
        if trainer.should_terminate:
            stop = epoch
            break
    return stop


@given(
    curve=curves(),
    n=st.integers(1, 12),
    mode=modes,
    min_delta=st.sampled_from([0.0, 1 / 64, 0.125]),
)
def test_patience_stops_where_cumulative_ignite_stops(
    curve: list[float], n: int, mode: str, min_delta: float
) -> None:
    expected = ignite(curve, n, mode, threshold=min_delta, cumulative=True)
    assert ours(patience(n, mode, min_delta=min_delta), curve)[0] == expected


def test_differs_from_ignite_creeping_is_not_forgiven_by_moving_the_reference() -> None:
    curve = [1.0 - 0.0625 * epoch for epoch in range(12)]
    assert ignite(curve, 3, "min", threshold=0.125) == 3
    assert ours(patience(3, min_delta=0.125), curve)[0] == -1


def test_differs_from_ignite_a_nan_is_no_improvement() -> None:
    curve = [1.0, nan, nan, nan, nan]
    assert ignite(curve, 3, "min") == -1
    assert ours(patience(3), curve)[0] == 3


def test_differs_from_ignite_patience_0_means_1() -> None:
    with pytest.raises(ValueError, match="patience"):
        ignite([1.0], 0, "min")
    assert ours(patience(0), [1.0, 1.0])[0] == 1
