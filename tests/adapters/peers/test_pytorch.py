"""PyTorch's ReduceLROnPlateau and ours on the same curves: both wait for an improvement."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.peers.curves import any_float, curves, modes, ours, patience


def reduce_on_plateau(curve: list[float], **settings: Any) -> int:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
    for epoch, value in enumerate(curve):
        scheduler.step(value)
        if optimizer.param_groups[0]["lr"] < 1.0:
            return epoch
    return -1


@given(curve=curves(any_float), n=st.integers(0, 12), mode=modes)
def test_pytorch_s_plateau_scheduler_waits_one_epoch_longer_for_the_same_patience(
    curve: list[float], n: int, mode: str
) -> None:
    expected = reduce_on_plateau(curve, patience=n, mode=mode, threshold=0.0)
    assert ours(patience(n + 1, mode), curve)[0] == expected


def test_differs_from_pytorch_a_relative_gain_below_zero_is_still_a_gain() -> None:
    curve = [-1.0, -0.95, -0.95, -0.95, -0.95]  # worse and worse, within 10 % of the best
    assert reduce_on_plateau(curve, patience=1, threshold=0.1, threshold_mode="rel") == -1
    assert ours(patience(2, min_delta=0.1, relative=True), curve)[0] == 2
