"""The PyTorch run that `interrupts.py` interrupts: `Training`, in a folder and in memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import torch
from earlystop.adapters.torch import Training

from benchmarks.crash.interrupted_runs import check_position, loss, rules
from earlystop._files.names import LEDGER, LOCK, METRICS
from earlystop.checkpoints import checkpoint_path, read_ledger

__all__ = ["TrainingRun"]


class TrainingRun:
    """Steps a `Training`; one in a folder is closed and resumed now and then.

    The weights of an epoch are its number, throughout.
    """

    name = "Training"

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder if seed % 3 else None
        self.generator = random.Random(seed)
        self.model = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.BatchNorm1d(32))
        self.training: Training | None = None
        self.longest_delay, self.closes_first = 4.5e-2, seed % 4 == 0
        if self.closes_first:
            self.longest_delay = 4e-4
            training = self.open()
            for _ in range(1 + seed // 4 % 5):
                self.step(training)

    def open(self) -> Training:
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        in_folder = self.folder is not None
        self.training = Training(
            rules(), self.model, folder=self.folder, resume=in_folder, optimizer=optimizer
        )
        return self.training

    def close(self) -> None:
        if self.training is not None:
            self.training.close()
            self.training = None

    def act(self, goes_on: Callable[[], bool]) -> None:
        if self.closes_first:
            self.close()
        while goes_on():
            training = self.training or self.open()
            if training.stopper.stopped:
                training.restore_best()
                self.training = None if self.folder is None else training
                if self.folder is not None:
                    return
                continue
            self.step(training)
            if self.folder is not None and self.generator.random() < 0.2:
                self.close()

    def fill(self, epoch: int) -> None:
        with torch.no_grad():
            for tensor in self.model.state_dict().values():
                tensor.fill_(epoch)

    def step(self, training: Training) -> None:
        epoch = training.epoch
        self.fill(epoch)
        training.step(loss=loss(epoch))

    def check(self) -> None:
        if self.folder is None:
            if self.training is not None:
                self.check_in_memory(self.training)
            return
        if self.training is not None:
            checkpoints = self.training.checkpoints
            check_position(self.training.stopper)
            self.check_folder(self.training, self.folder)
            if checkpoints is not None and not self.training.stopper.stopped:
                try:
                    self.step(self.training)
                except OSError as error:
                    assert "closed" in str(error), error  # noqa: PT017  # what was interrupted did
                self.check_folder(self.training, self.folder)
            self.close()
        training = self.open()
        self.check_folder(training, self.folder)
        if not training.stopper.stopped:
            self.step(training)
        self.check_folder(training, self.folder)
        listed = {entry.file for entry in read_ledger(self.folder)}
        names = {path.name for path in self.folder.iterdir()} - {LEDGER, LOCK, METRICS}
        assert names == listed, f"left over: {names - listed}, missing: {listed - names}"
        self.check_best(training)
        self.close()

    def check_in_memory(self, training: Training) -> None:
        check_position(training.stopper)
        self.check_best(training)
        if not training.stopper.stopped:
            self.step(training)
            check_position(training.stopper)
            self.check_best(training)

    def check_best(self, training: Training) -> None:
        """Restore the best: its weights are of the epoch that the stopper names."""
        best = training.stopper.best_epoch
        assert training.restore_best() == best, "another epoch was restored"
        if best is not None:
            values = {tensor.float().mean().item() for tensor in self.model.state_dict().values()}
            assert values == {float(best)}, f"epoch {best} has the weights {values}"

    def check_folder(self, training: Training, folder: Path) -> None:
        check_position(training.stopper)
        entries = read_ledger(folder)
        last = entries[-1].check if entries else -1
        assert last == training.epoch - 1, f"epoch {last} is saved, the next is {training.epoch}"
        for entry in entries:
            path = checkpoint_path(folder, entry)
            assert path is not None
            saved = torch.load(path, weights_only=True)
            values = {tensor.float().mean().item() for tensor in saved["model"].values()}
            assert (saved["epoch"], values) == (entry.epoch, {float(entry.epoch)})
