"""Real fits of a tiny model, whose metric is a curve that the test gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

__all__ = ["BATCHES", "Curve", "checkpoints", "fit", "trainer_for"]

BATCHES = 4  # in an epoch


class Curve(pl.LightningModule):
    """Logs, after batch n of the run, the n-th value of a curve."""

    def __init__(self, curve: Any, dtype: torch.dtype = torch.float32, **logged: Any) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.curve, self.dtype_, self.logged = curve, dtype, logged

    def training_step(self, batch: Any, index: int) -> Any:
        return self.layer(batch[0]).square().mean()

    def validation_step(self, batch: Any, index: int) -> None:
        pass

    def on_validation_epoch_end(self) -> None:
        value = 0.0  # better than all, in the sanity check and in `validate`
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            value = float(self.curve[self.trainer.fit_loop.total_batch_idx])
        self.log("val_loss", torch.tensor(value, dtype=self.dtype_), **self.logged)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.01)


def data(size: int = BATCHES) -> Any:
    return DataLoader(TensorDataset(torch.ones(size, 1)), batch_size=1)


def trainer_for(folder: Path, *callbacks: Any, cls: Any = pl.Trainer, **settings: Any) -> Any:
    quiet = {
        **{"logger": False, "enable_progress_bar": False, "enable_model_summary": False},
        **{"accelerator": "cpu", "enable_checkpointing": False, "num_sanity_val_steps": 1},
    }
    settings = {"max_epochs": 30, "default_root_dir": folder, **quiet, **settings}
    return cls(callbacks=list(callbacks), **settings)


def fit(trainer: Any, model: Any, **settings: Any) -> None:
    trainer.fit(model, data(), data(1), **settings)


def checkpoints(folder: Path, **settings: Any) -> Any:
    """Lightning's own ModelCheckpoint, which keeps all that it saves."""
    name = "{epoch}-{step}"
    return pl.callbacks.ModelCheckpoint(
        dirpath=folder, filename=name, save_top_k=-1, enable_version_counter=False, **settings
    )
