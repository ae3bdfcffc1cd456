"""Interrupts of a `Training`: a step is taken whole or not at all, and PyTorch is left whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import earlystop.adapters.torch
import pytest
import torch
from earlystop.adapters.torch import Training

import earlystop as es
from tests.adapters.torch.runs import linear, stopper
from tests.support.interrupts import interrupted_everywhere

ADAPTER = Path(earlystop.adapters.torch.__file__).parent
ENGINE = Path(es.__file__).parent / "engine"
# The files that hold what changes; those below them only compute.
CHANGING = (
    *(str(ADAPTER / f"{name}.py") for name in ("training", "contents", "weights")),
    *(str(ENGINE / f"{name}.py") for name in ("stopper", "session")),
)
LOSSES = [5.0, 3.0, 4.0, 2.0]


def fill(training: Training, value: float) -> None:
    torch.nn.init.constant_(training.model.weight, value)


def step(training: Training) -> es.Decision:
    return training.step(loss=LOSSES[training.epoch])


@pytest.mark.parametrize("epoch", [1, 2, 3], ids=["saves", "does not save", "saves again"])
def test_wherever_a_step_is_interrupted_the_best_in_memory_is_of_the_epoch_that_the_stopper_names(
    epoch: int,
) -> None:
    def begun() -> Training:
        training = Training(stopper(9), linear())
        for n in range(epoch):
            fill(training, n)
            step(training)
        fill(training, epoch)
        return training

    for training in interrupted_everywhere(begun, step, CHANGING):
        assert training.epoch in (epoch, epoch + 1)
        best = training.restore_best()
        assert best == training.stopper.best_epoch
        assert training.model.weight.item() == best
        if training.epoch == epoch:
            fill(training, epoch)
            step(training)
        fill(training, 9)
        assert training.restore_best() == (3 if epoch == 3 else 1)
        assert training.model.weight.item() == training.stopper.best_epoch


IN_A_PROCESS = """
import sys, tempfile, torch
from pathlib import Path
from earlystop.adapters.torch import files
from tests.support.interrupts import interrupted_everywhere

weights = {"weight": torch.zeros(300_000)}
path = Path(tempfile.mkdtemp(), "file")
count = 0
for _ in interrupted_everywhere(
    lambda: path, lambda path: files.write(path, weights), torch.serialization.__file__
):
    count += 1
assert count > 50, count
files.write(path, weights)
print("whole")
"""


def test_wherever_the_writing_of_a_file_is_interrupted_the_process_goes_on() -> None:
    """A process of its own, as PyTorch would end it."""
    command: Any = [sys.executable, "-c", IN_A_PROCESS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "whole", done.stderr[-500:]
