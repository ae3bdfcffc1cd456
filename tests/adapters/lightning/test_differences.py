"""Where the callback differs from Lightning's on purpose: each is documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.lightning import EarlyStopping
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

import earlystop as es
from tests.adapters.lightning.fits import BATCHES, Curve, checkpoints, fit, trainer_for

BOTH: tuple[Any, Any] = (EarlyStopping, LightningEarlyStopping)
TURNING = [abs(i // BATCHES - 2) / 10 + 0.5 for i in range(400)]  # the best epoch is 2
AGAIN = [*TURNING[: 4 * BATCHES], *[0.1] * 400]  # better again after epoch 3


def test_differs_a_fit_that_has_stopped_stays_so_where_min_epochs_trains_on(
    tmp_path: Path,
) -> None:
    found = []
    for cls in BOTH:
        callback = cls("val_loss", patience=1)
        trainer = trainer_for(tmp_path, callback, min_epochs=6)
        fit(trainer, Curve(AGAIN))
        found.append((trainer.current_epoch, callback.stopped_epoch, float(callback.best_score)))
    assert found == [(6, 3, 0.5), (6, 5, pytest.approx(0.1))]


def test_differs_a_checkpoint_of_a_fit_that_has_stopped_trains_nothing(tmp_path: Path) -> None:
    epochs = []
    for number, cls in enumerate(BOTH):
        folder = tmp_path / str(number)
        saved = checkpoints(folder)
        how: dict[str, Any] = {"enable_checkpointing": True}
        fit(trainer_for(folder, saved, cls("val_loss", patience=2), **how), Curve(TURNING))
        trainer = trainer_for(folder, cls("val_loss", patience=2))
        fit(trainer, Curve(TURNING), ckpt_path=max(folder.glob("*.ckpt"), key=_step))
        epochs.append(trainer.current_epoch)
    assert epochs == [5, 6]


def test_differs_a_fit_from_the_beginning_begins_anew(tmp_path: Path) -> None:
    epochs = []
    for cls in BOTH:
        callback = cls("val_loss", patience=2)
        for _ in range(2):
            trainer = trainer_for(tmp_path, callback)
            fit(trainer, Curve(TURNING))
        epochs.append(trainer.current_epoch)
    assert epochs == [5, 1]


def test_differs_a_checkpoint_of_other_rules_is_refused(tmp_path: Path) -> None:
    for number, cls in enumerate(BOTH):
        folder = tmp_path / str(number)
        saved = checkpoints(folder)
        first = cls("val_loss", patience=2)
        fit(trainer_for(folder, saved, first, enable_checkpointing=True), Curve(TURNING))
        path = min(folder.glob("*.ckpt"), key=_step)
        other = cls("val_loss", patience=9)
        if cls is EarlyStopping:
            with pytest.raises(es.StateError, match="changed_rules"):
                fit(trainer_for(folder, other), Curve(TURNING), ckpt_path=path)
        else:
            fit(trainer_for(folder, other), Curve(TURNING), ckpt_path=path)
            assert other.patience == 2


def test_differs_a_negative_patience_is_an_error() -> None:
    assert LightningEarlyStopping("val_loss", patience=-1).patience == -1
    with pytest.raises(es.RuleError, match="below 0"):
        EarlyStopping("val_loss", patience=-1)


def _step(path: Path) -> int:
    return int(path.stem.rpartition("step=")[2])
