"""Ours and Lightning's own class stop, keep and name alike: on drawn metrics, and in real fits."""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from earlystop.adapters.lightning import EarlyStopping
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

from tests.adapters.lightning.fits import Curve, fit, trainer_for
from tests.adapters.peers.curves import any_float, curves, grid, inf, nan
from tests.support.lightning_trainer import lightning_trainer

bounds = st.none() | grid
arguments = st.fixed_dictionaries(
    {
        "min_delta": st.sampled_from([0.0, 0.1, 1e-4, 0.125, -0.05]),
        "patience": st.integers(0, 6),
        "mode": st.sampled_from(["min", "max"]),
        "check_finite": st.booleans(),
        "stopping_threshold": bounds,
        "divergence_threshold": bounds,
    }
)


def driven(callback: Any, curve: list[float], dtype: torch.dtype) -> dict[str, Any]:
    """What a callback came to that was called at the end of each epoch until it stopped."""
    trainer = lightning_trainer()
    trainer.fit_loop = SimpleNamespace(total_batch_idx=-1, batch_idx=0)
    trainer.num_training_batches = 1
    trainer.global_rank, trainer.world_size, trainer.global_step = 0, 1, 0
    trainer.current_epoch = 0
    callback.setup(trainer, None, "fit")
    callback.on_fit_start(trainer, None)
    for epoch, value in enumerate(curve):
        trainer.current_epoch, trainer.global_step = epoch, epoch + 1
        trainer.fit_loop.total_batch_idx = epoch
        trainer.callback_metrics = {"loss": torch.tensor(value, dtype=dtype)}
        callback.on_train_epoch_end(trainer, None)
        if trainer.should_stop:
            break
    return {
        "stopped": trainer.should_stop and epoch,
        "stopped_epoch": callback.stopped_epoch,
        "reason": callback.stopping_reason.name,
        "wait": callback.wait_count,
        "best": None if math.isnan(callback.best_score) else float(callback.best_score),
        "type": callback.best_score.dtype,
    }


@given(
    curve=curves(st.one_of(any_float, grid, st.sampled_from([nan, inf, -inf]))),
    given_=arguments,
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=300)
def test_ours_stops_where_and_why_lightning_s_does_with_any_of_its_arguments(
    curve: list[float], given_: dict[str, Any], dtype: torch.dtype
) -> None:
    ours = driven(EarlyStopping("loss", **given_), curve, dtype)
    theirs = driven(LightningEarlyStopping("loss", **given_), curve, dtype)
    assert ours == theirs


VALIDATIONS: list[dict[str, Any]] = [
    {},
    {"val_check_interval": 0.5},
    {"check_val_every_n_epoch": 2},
    {"check_val_every_n_epoch": None, "val_check_interval": 6},
    {"min_epochs": 9},
]


@pytest.mark.parametrize("seed", range(10))
def test_ours_ends_real_fits_where_lightning_s_does(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    curve = [max(0.3, 1 - i / 25) + draw.randrange(64) / 320 for i in range(400)]
    how = VALIDATIONS[seed % len(VALIDATIONS)]
    arguments = {"patience": draw.randint(1, 3), "min_delta": draw.choice([0.0, 0.05])}
    seen = []
    for cls in (EarlyStopping, LightningEarlyStopping):
        callback = cls("val_loss", **arguments)
        trainer = trainer_for(tmp_path, callback, max_epochs=15, **how)
        fit(trainer, Curve(curve))
        seen.append(
            [trainer.global_step, trainer.current_epoch, callback.stopping_reason.name]
            + ([] if "min_epochs" in how else [callback.stopped_epoch, callback.wait_count])
            + ([] if "min_epochs" in how else [float(callback.best_score)])
        )
    assert seen[0] == seen[1]
