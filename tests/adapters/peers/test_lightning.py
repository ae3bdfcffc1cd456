"""Lightning's EarlyStopping and ours on the same curves."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

import earlystop as es
from tests.adapters.peers.curves import any_float, curves, grid, inf, modes, nan, ours, patience
from tests.support.lightning_trainer import lightning_trainer


def lightning(
    callback: LightningEarlyStopping, curve: list[float], dtype: torch.dtype = torch.float64
) -> int:
    trainer = lightning_trainer()
    callback.setup(trainer, None, "fit")
    for epoch, value in enumerate(curve):
        trainer.current_epoch = epoch
        trainer.callback_metrics = {"loss": torch.tensor(value, dtype=dtype)}
        callback.on_train_epoch_end(trainer, None)
        if trainer.should_stop:
            return epoch
    return -1


# Arithmetic with a 0-d float64 tensor is float64's, so any float will do here.
with_non_finite = st.one_of(any_float, grid, st.sampled_from([nan, inf, -inf]))


@given(
    curve=curves(with_non_finite),
    n=st.integers(0, 12),
    mode=modes,
    min_delta=st.sampled_from([0.0, 0.1, 1e-4, 0.125]),
)
def test_patience_stops_where_lightning_stops_without_its_finite_check(
    curve: list[float], n: int, mode: str, min_delta: float
) -> None:
    callback = LightningEarlyStopping(
        "loss", min_delta=min_delta, patience=n, mode=mode, check_finite=False
    )
    assert ours(patience(n, mode, min_delta=min_delta), curve)[0] == lightning(callback, curve)


@given(curve=curves(with_non_finite), n=st.integers(0, 12), mode=modes)
def test_lightning_with_its_finite_check_is_patience_or_non_finite(
    curve: list[float], n: int, mode: str
) -> None:
    callback = LightningEarlyStopping("loss", patience=n, mode=mode)
    assert ours(patience(n, mode) | es.NonFinite("loss"), curve)[0] == lightning(callback, curve)


@given(curve=curves(any_float), n=st.integers(1, 12), bound=any_float)
def test_lightning_s_divergence_threshold_is_diverged(
    curve: list[float], n: int, bound: float
) -> None:
    callback = LightningEarlyStopping("loss", patience=n, divergence_threshold=bound)
    assert ours(patience(n) | es.Diverged("loss", bound), curve)[0] == lightning(callback, curve)


def test_differs_from_lightning_gains_that_float32_cannot_see_count() -> None:
    curve = [1.0 - epoch * 1e-9 for epoch in range(5)]
    callback = LightningEarlyStopping("loss", patience=2)
    assert lightning(callback, curve, torch.float32) == 2
    assert ours(patience(2), curve)[0] == -1


def test_differs_from_lightning_a_target_that_is_just_reached_is_reached() -> None:
    curve = [2.0, 1.0, 0.5]
    callback = LightningEarlyStopping("loss", patience=9, stopping_threshold=1.0)
    assert lightning(callback, curve) == 2
    assert ours(es.Threshold("loss", 1.0), curve)[0] == 1
