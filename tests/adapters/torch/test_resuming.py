"""Going on with a run from its folder, or from a file, as if it had never been interrupted."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from earlystop.adapters.torch import Training

import earlystop as es
from tests.adapters.torch.runs import LOSSES, linear, stopper, train
from tests.support.data import saved_files
from tests.support.saved_data import WITHIN_EPOCHS, TrainingRun

ROOT = Path(__file__).parents[3]


class Run:
    """A small training in which everything matters: momentum, a schedule, dropout, shuffling."""

    def __init__(self, folder: Path | None) -> None:
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        self.x = torch.linspace(-1, 1, 24).reshape(-1, 1)
        self.model = torch.nn.Sequential(
            torch.nn.Linear(1, 8),
            torch.nn.BatchNorm1d(8),
            torch.nn.Dropout(0.3),
            torch.nn.Linear(8, 1),
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.05)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 8)
        self.generator = torch.Generator().manual_seed(1)
        data = torch.utils.data.TensorDataset(self.x, self.x**2)
        self.loader = torch.utils.data.DataLoader(
            data, batch_size=8, shuffle=True, generator=self.generator
        )
        self.training = Training(
            stopper(4),
            self.model,
            folder=folder,
            resume=folder is not None,
            rng=folder is not None,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            generator=self.generator,
        )

    def epoch(self) -> es.Decision:
        self.model.train()
        for x, y in self.loader:
            noise = random.random() + np.random.random()
            self.optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(self.model(x + 0.01 * noise), y)
            loss.backward()
            self.optimizer.step()
        self.scheduler.step()
        self.model.eval()
        with torch.no_grad():
            loss = torch.nn.functional.mse_loss(self.model(self.x), self.x**2)
        return self.training.step(loss=loss)


def test_a_run_interrupted_after_any_epoch_ends_as_if_never_interrupted(tmp_path: Path) -> None:
    whole = Run(None)
    expected = [whole.epoch() for _ in whole.training.epochs(12)]
    whole.training.restore_best()
    decisions = []
    while True:
        run = Run(tmp_path)
        if run.training.stopper.stopped or run.training.epoch == 12:
            break
        decisions.append(run.epoch())
        if run.training.epoch % 2 and not run.training.stopper.stopped and run.training.epoch < 12:
            decisions.append(run.epoch())
        run.training.close()
        del run
    assert decisions == expected
    assert run.training.restore_best() == whole.training.stopper.best_epoch
    assert run.training.stopper.best == whole.training.stopper.best
    for name, value in whole.model.state_dict().items():
        assert torch.equal(run.model.state_dict()[name], value), name


def test_a_run_with_only_the_best_on_disk_goes_on_from_it(tmp_path: Path) -> None:
    model = linear()
    with Training(stopper(9), model, folder=tmp_path, keep_last=0) as training:
        train(training, model, LOSSES[:4])
    with Training(stopper(9), model, folder=tmp_path, keep_last=0, resume=True) as training:
        assert training.epoch == 2
        train(training, model, LOSSES)
        assert training.stopper.best_epoch == 5


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({}, {"stopper": stopper(3)}, "saved by other rules"),
        ({"ema": linear()}, {}, "saved ema next to the model, this Training has nothing"),
        ({}, {"ema": linear()}, "saved nothing next to the model, this Training has ema"),
        ({}, {"rng": True}, "saved no random state"),
        ({"resume": True}, {"resume": False}, "pass resume=True"),
    ],
)
def test_a_run_is_resumed_with_the_same_arguments_or_refused(
    first: Any, second: Any, text: str, tmp_path: Path
) -> None:
    with Training(stopper(), linear(), folder=tmp_path, **first) as training:
        training.step(loss=1.0)
    settings = {"stopper": stopper(), "resume": True, **second}
    for _ in range(2):  # the folder is let go
        with pytest.raises(es.EarlystopError, match=text):
            Training(model=linear(), folder=tmp_path, **settings)


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_run_saved_to_a_file_goes_on_as_if_never_interrupted(cut: int, tmp_path: Path) -> None:
    losses = [5.0, 3.0, 4.0, 2.0, 4.0, 4.0, 1.0]

    def begin(seed: int) -> tuple[Training, Any, Any]:
        torch.manual_seed(seed)
        model = linear()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return Training(stopper(), model, rng=True, optimizer=optimizer), model, optimizer

    def go_on(training: Training, model: Any, optimizer: Any, epochs: int = 7) -> list[Any]:
        decisions = []
        for epoch in training.epochs(epochs):
            model.zero_grad()
            (model(torch.rand(1)) ** 2).sum().backward()
            optimizer.step()
            decisions.append((training.step(loss=losses[epoch]), model.weight.item()))
        return decisions

    whole, model, optimizer = begin(seed=1)
    expected = go_on(whole, model, optimizer)
    assert whole.restore_best() == 3
    best = model.weight.item()
    first, model, optimizer = begin(seed=1)
    before = go_on(first, model, optimizer, cut)
    first.save(tmp_path / "state.pt")
    second, model, optimizer = begin(seed=2)
    second.load(tmp_path / "state.pt")
    assert before + go_on(second, model, optimizer) == expected
    assert second.restore_best() == 3
    assert model.weight.item() == best
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("folder", saved_files("training"))
def test_a_run_s_folder_of_any_version_goes_on_as_if_never_interrupted(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "run", tmp_path / "run")
    whole = TrainingRun()
    expected = without_random_numbers(whole.train())
    run = TrainingRun(folder=tmp_path / "run", resume=True)
    assert run.training.epoch == 3
    assert run.training.elapsed_seconds == 30.0
    assert without_random_numbers(run.train()) == expected[3:]
    check_the_end(run, whole, folder)


@pytest.mark.parametrize("folder", saved_files("training"))
def test_a_run_s_file_of_any_version_goes_on_as_if_never_interrupted(folder: Path) -> None:
    whole = TrainingRun()
    expected = whole.train()
    run = TrainingRun(rng=True)
    run.training.load(folder / "state.pt")
    assert run.training.epoch == 4
    assert run.train() == expected[4:]
    check_the_end(run, whole, folder)


@pytest.mark.parametrize("folder", saved_files("training_within_epochs"))
def test_a_folder_of_any_version_goes_on_within_its_epoch(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "run", tmp_path / "run")
    whole = TrainingRun()
    expected = whole.train_within_epochs()
    written = json.loads((folder / "checks.json").read_text())
    assert json.loads(json.dumps(expected)) == written
    run = TrainingRun(folder=tmp_path / "run", resume=True, name=WITHIN_EPOCHS)
    assert (run.training.epoch, run.training.stopper.epoch) == (1, 1.5)
    assert run.training.elapsed_seconds == 15.0
    assert run.train_within_epochs() == expected[3:]
    assert run.training.stopper.state_dict() == whole.training.stopper.state_dict()
    assert run.training.history == whole.training.history


def without_random_numbers(epochs: list[Any]) -> list[Any]:
    return [(epoch["decision"], epoch["weight"]) for epoch in epochs]


def check_the_end(run: TrainingRun, whole: TrainingRun, folder: Path) -> None:
    written = json.loads((folder / "epochs.json").read_text())
    assert run.training.restore_best() == whole.training.restore_best() == 3
    assert run.model.bias.item() == whole.model.bias.item() == written[3]["weight"]
    assert run.training.stopper.epoch == len(written)
    assert run.training.stopper.state_dict() == whole.training.stopper.state_dict()
    assert run.training.elapsed_seconds == whole.training.elapsed_seconds


def test_a_run_with_a_folder_can_be_taken_elsewhere_with_its_best(tmp_path: Path) -> None:
    model = linear()
    training = Training(stopper(9), model, folder=tmp_path / "run")
    train(training, model, LOSSES[:3])
    training.save(tmp_path / "state.pt")
    other = linear()
    elsewhere = Training(stopper(9), other)
    elsewhere.load(tmp_path / "state.pt")
    assert (elsewhere.epoch, other.weight.item()) == (3, 2.0)
    assert elsewhere.restore_best() == 1
    assert other.weight.item() == 1.0


@pytest.mark.parametrize("in_folder", [True, False])
def test_a_run_that_has_stopped_goes_on_with_more_patience(in_folder: bool, tmp_path: Path) -> None:
    losses = [3.0, 4.0, 4.0, 2.0, 4.0]
    settings: Any = {"folder": tmp_path / "run"} if in_folder else {}
    first = Training(stopper(2), linear(), **settings)
    assert train(first, linear(), losses)[-1].epoch == 2
    first.save(tmp_path / "run.pt")
    first.close()

    def resumed(n: int, **changed: Any) -> Training:
        if in_folder:
            return Training(stopper(n), linear(), resume=True, **settings, **changed)
        training = Training(stopper(n), linear(), **changed)
        training.load(tmp_path / "run.pt")
        return training

    with pytest.raises(es.StateError, match=r"was saved by other rules.*changed_rules=True"):
        resumed(9)
    again = resumed(2, changed_rules=True)
    assert list(again.epochs(9)) == []
    again.close()
    again = resumed(9, changed_rules=True)
    assert [decision.epoch for decision in train(again, linear(), losses)] == [3, 4]
    assert again.stopper.best_epoch == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_run_killed_again_and_again_ends_as_if_left_alone() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.crash.kills", "--kills", "20"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "    20 kills\n" in done.stdout
    assert "runs that ended as if left alone" in done.stdout
    assert "nothing was lost" in done.stdout
