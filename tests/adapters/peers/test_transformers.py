"""The EarlyStoppingCallback of transformers and ours on the same curves."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState

from tests.adapters.peers.curves import any_float, curves, modes, ours, patience


def transformers(curve: list[float], n: int, mode: str, threshold: float = 0.0) -> int:
    callback = EarlyStoppingCallback(n, threshold)
    arguments: Any = SimpleNamespace(
        metric_for_best_model="loss", greater_is_better=mode == "max", load_best_model_at_end=True
    )
    state, control = TrainerState(), TrainerControl()
    is_better = np.greater if mode == "max" else np.less
    for epoch, value in enumerate(curve):
        callback.on_evaluate(arguments, state, control, metrics={"eval_loss": value})
        if control.should_training_stop:
            return epoch
        # The Trainer moves the best after its callbacks.
        if state.best_metric is None or is_better(value, state.best_metric):
            state.best_metric = value
    return -1


@given(curve=curves(any_float), n=st.integers(1, 12), mode=modes)
def test_patience_stops_where_transformers_stops(curve: list[float], n: int, mode: str) -> None:
    assert ours(patience(n, mode), curve)[0] == transformers(curve, n, mode)


def test_differs_from_transformers_patience_0_waits_for_an_epoch_without_improvement() -> None:
    curve = [3.0, 2.0, 1.0, 1.0]
    assert transformers(curve, 0, "min") == 0
    assert ours(patience(0), curve)[0] == 3


def test_differs_from_transformers_a_nan_first_counts_as_a_check_without_improvement() -> None:
    curve = [math.nan, 1.0, 1.0]
    assert transformers(curve[:1], 1, "min") == -1
    assert ours(patience(1), curve)[0] == 0


def test_differs_from_transformers_creeping_is_not_forgiven_by_moving_the_reference() -> None:
    curve = [1.0 - 0.0625 * epoch for epoch in range(12)]
    assert transformers(curve, 3, "min", threshold=0.125) == 3
    assert ours(patience(3, min_delta=0.125), curve)[0] == -1
