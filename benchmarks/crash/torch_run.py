"""The PyTorch training that `kills.py` kills: a loop with `Training`, saved after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # which optimizers import: once here, not in every process
from earlystop.adapters.torch import Training

import earlystop as es
from earlystop.checkpoints import checkpoint_path, read_ledger

EPOCHS, PATIENCE = 24, 6


class TorchRun:
    """A small network, in training with momentum, dropout and shuffling, saved after each epoch."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.x = torch.randn(96, 8)
        self.y = self.x[:, :1] * self.x[:, 1:2] + 0.5 * torch.randn(96, 1)
        self.model = torch.nn.Sequential(
            torch.nn.Linear(8, 256),
            torch.nn.Tanh(),
            torch.nn.Dropout(0.2),
            torch.nn.Linear(256, 256),
            torch.nn.Tanh(),
            torch.nn.Linear(256, 1),
        )

    def loss(self) -> float:
        self.model.eval()
        with torch.no_grad():
            loss = torch.nn.functional.mse_loss(self.model(self.x[64:]), self.y[64:])
        return loss.item()

    def train(self, folder: Path, tell: Callable[[bytes], object]) -> tuple[list[Any], Any]:
        """What came of the training, and the weights it left."""
        optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3)
        training = Training(
            es.EarlyStopping("loss", patience=PATIENCE),
            self.model,
            optimizer=optimizer,
            folder=folder,
            resume=True,
            rng=True,
        )
        for _ in training.epochs(EPOCHS):
            self.model.train()
            for batch in torch.randperm(64).reshape(4, 16):
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(self.model(self.x[batch]), self.y[batch])
                loss.backward()  # type: ignore[no-untyped-call]  # PyTorch gives it no types
                optimizer.step()
            value = self.loss()
            tell(b"(")
            training.step(loss=value)
            tell(b")")
        training.restore_best()
        stopper = training.stopper
        result = [stopper.epoch, stopper.reason, stopper.best, stopper.best_epoch]
        return result, self.model.state_dict()

    def check(self, folder: Path) -> None:
        """What a run that was killed has left is whole, and is what the ledger says."""
        entries = read_ledger(folder)
        for entry in entries:
            path = checkpoint_path(folder, entry)
            assert path is not None
            saved = torch.load(path, weights_only=True)
            assert saved["epoch"] == entry.epoch
            self.model.load_state_dict(saved["model"])
            assert self.loss() == entry.metrics["loss"], "the weights are not those of the ledger"
        best = [entry for entry in entries if entry.best]
        if entries:
            lowest = entries[-1].state["stopper"]["best_metrics"]["loss"]
            assert best[-1].metrics["loss"] == lowest, "the best is not the best there was"

    def check_end(self, alone: Path, folder: Path) -> None:
        """Nothing is left but what the ledger lists."""
        listed = {entry.file for entry in read_ledger(folder)}
        assert {path.name for path in folder.glob("*.pt")} == listed
