"""Writes the stoppers, loops and PyTorch runs that this version saves, for later ones to load.

    python tests/support/saved_data.py tests/data/0.1.0

Run it once per version, before the release, and commit what it wrote; files of a released version
never change. It uses public names only, so that it runs with any version. Tests go on with the runs
below: add runs, but do not change the ones that are here. `checkpoint_runs.py` and `keras_runs.py`
write the other things that are saved.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from earlystop.adapters.loop import EpochLoop
from earlystop.adapters.torch import Training

import earlystop as es

# Stoppers -----------------------------------------------------------------------------------------

_LOSS = [4.0, 2.0, math.nan, 1.0, math.inf, 1.5, 1.25, 0.5, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125]
_ACCURACY = [0.5, 0.25, 0.75, math.nan, -math.inf, 0.75, 0.5, 0.875, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]


class StopperRun(NamedTuple):
    """Two rules, what they do without a metric, and the metrics of all epochs."""

    stop: es.Rule
    save: es.Rule
    on_missing: str = "raise"
    lacking: tuple[int, ...] = ()  # epochs without "val_loss"
    places: bool = False  # whether the checks come with an epoch and a step

    def stopper(self) -> es.Stopper:
        on_missing: Any = self.on_missing
        return es.Stopper(self.stop, self.save, on_missing=on_missing)

    def metrics(self) -> list[dict[str, float]]:
        epochs = []
        for epoch, (loss, accuracy) in enumerate(zip(_LOSS, _ACCURACY, strict=True)):
            metrics = {"loss": 1 / (epoch + 1), "val_loss": loss, "accuracy": accuracy}
            metrics["elapsed_seconds"] = 1.5 * (epoch + 1)
            if self.places:
                metrics |= {"epoch": epoch // 2, "step": 50 * (epoch + 1)}
            if epoch in self.lacking:
                del metrics["val_loss"]
            epochs.append(metrics)
        return epochs


_BEST = es.Best("val_loss")
_TAKEN = es.Improvement(margin_on="reference", ties=True, first="taken", signed=True)

STOPPERS = {
    "patience": StopperRun(es.Patience("val_loss", 4, min_delta=0.25, growth=0.5), _BEST),
    "patience_max": StopperRun(
        es.Patience("accuracy", 3, mode="max", baseline=0.625, start_from_epoch=1),
        es.Best("accuracy", mode="max"),
    ),
    "skipping": StopperRun(es.Patience("val_loss", 3), _BEST, "skip", (0, 3, 7, 8, 9)),
    "threshold": StopperRun(es.Threshold("val_loss", 0.5), es.Every(3)),
    "consecutive": StopperRun(es.ConsecutiveIncreases("val_loss", 2, strip=2), es.Always()),
    "plateau": StopperRun(es.Plateau("val_loss", 3, 0.0625), _BEST),
    "generalization_loss": StopperRun(es.GeneralizationLoss("val_loss", 90.0), _BEST),
    "progress_quotient": StopperRun(es.ProgressQuotient("val_loss", "loss", 0.5, 3), _BEST),
    "diverged": StopperRun(es.Diverged("accuracy", 0.25, mode="max"), es.Never()),
    "non_finite": StopperRun(es.NonFinite("val_loss"), es.Never()),
    "time_limit": StopperRun(es.TimeLimit(16.0), _BEST),
    "max_epochs": StopperRun(es.MaxEpochs(13), es.Best("loss") & es.Every(2)),
    "positions": StopperRun(
        es.Patience("val_loss", 400, unit="step", start_from_epoch=1) | es.MaxSteps(600),
        es.Best("val_loss") | es.Every(2, unit="epoch"),
        places=True,
    ),
    "improvement": StopperRun(
        es.Lasting(es.Patience("val_loss", 1, gate=0.75, cooldown=1, improvement=_TAKEN), 2)
        | es.Patience("accuracy", 5, mode="max", improvement=es.Improvement(nan="skipped")),
        es.Best("val_loss", min_delta=-0.25, improvement=_TAKEN),
    ),
    "adaptive": StopperRun(
        es.AdaptivePatience("val_loss", 4) | es.Warmup(es.MaxEpochs(11), checks=2), _BEST
    ),
    "top_k": StopperRun(
        es.Filtered(es.Patience("val_loss", 3), by=es.Every(2)), es.TopK("accuracy", 3)
    ),
    "never_stops": StopperRun(es.Never(), es.Best("val_loss", min_delta=0.5)),
    "smoothed": StopperRun(
        es.Smoothed(es.Patience("val_loss", 3), "val_loss", alpha=0.5),
        es.Smoothed(es.Best("val_loss"), "val_loss", window=2),
    ),
    "composed": StopperRun(
        es.Warmup(es.Patience("val_loss", 2) & ~es.Threshold("accuracy", 0.75, mode="max"), 5)
        | es.MaxEpochs(14)
        | es.NonFinite("loss"),
        es.Best("val_loss") | es.Every(5),
    ),
}


def write_stopper(path: Path, run: StopperRun) -> None:
    """Write the states after some of the epochs, and the decisions on all of them."""
    stopper = run.stopper()
    states, decisions = [stopper.state_dict()], []
    for metrics in run.metrics():
        if stopper.stopped:
            break
        decisions.append(list(stopper.step(metrics))[:4])
        states.append(stopper.state_dict())
    wanted = {0, 1, 4, len(states) // 2, len(states) - 1}
    chosen = [state for epoch, state in enumerate(states) if epoch in wanted]
    write_json(path, {"states": chosen, "decisions": decisions})


# EpochLoop ----------------------------------------------------------------------------------------


class LoopRun:
    """A loop that ends by patience or by time, whichever settings say; 10 seconds an epoch."""

    losses = (5.0, 3.0, 4.0, 2.0, 4.0, 4.0, 1.0)

    def __init__(self, patience: int, seconds: float, kept: Any = None) -> None:
        rule = es.Patience("loss", patience) | es.TimeLimit(seconds)
        self.now = 0.0
        self.restored: list[Any] = []
        keeps = {} if kept is None else {"kept": kept}
        self.loop = EpochLoop(
            es.Stopper(rule, es.Best("loss")),
            max_epochs=len(self.losses),
            save=lambda epoch, metrics: epoch,
            restore=self.restored.append,
            clock=lambda: self.now,
            **keeps,
        )

    def train(self, epochs: int = len(losses)) -> list[Any]:
        """The decisions up to this epoch, or the end."""
        decisions = []
        for epoch in self.loop:
            self.now += 10.0
            decisions.append(list(self.loop.report(loss=self.losses[epoch])))
            if epoch + 1 == epochs:
                break
        return decisions


LOOPS: dict[str, dict[str, Any]] = {
    "patience": {"patience": 2, "seconds": 1000.0},
    "time": {"patience": 9, "seconds": 45.0},
}


def write_loop(path: Path, settings: dict[str, Any]) -> None:
    """Write the state after three epochs, and the decisions on all of them."""
    interrupted, whole = LoopRun(**settings), LoopRun(**settings)
    interrupted.train(3)
    state = interrupted.loop.state_dict()
    found = {"state": state, "kept": interrupted.loop.kept, "decisions": whole.train()}
    write_json(path, found)


# Training -----------------------------------------------------------------------------------------


class TrainingRun:
    """A model whose weights go through exact numbers, so that they are equal on all machines."""

    losses = (5.0, 3.0, 4.0, 2.0, 4.0, 4.0, 1.0)

    def __init__(self, **settings: Any) -> None:
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        self.now = 0.0
        self.model = torch.nn.Linear(2, 1)
        for parameter in self.model.parameters():
            torch.nn.init.constant_(parameter, 1.0)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5, momentum=0.5)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 2, 0.5)
        self.training = Training(
            es.EarlyStopping("loss", patience=2),
            self.model,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            clock=lambda: self.now,
            **settings,
        )

    def train(self, epochs: int = len(losses)) -> list[Any]:
        """The decisions, weights and random numbers up to this epoch, or the end."""
        told = []
        for epoch in self.training.epochs(epochs):
            self.now += 10.0
            for parameter in self.model.parameters():
                parameter.grad = torch.full_like(parameter, epoch + 1.0)
            self.optimizer.step()
            self.scheduler.step()
            drawn = [random.random(), float(np.random.random()), torch.rand(1).item()]
            decision = list(self.training.step(loss=self.losses[epoch]))
            told.append({"decision": decision, "weight": self.model.bias.item(), "drawn": drawn})
        return told

    def train_within_epochs(self, checks: int = len(losses)) -> list[Any]:
        """The decisions and weights up to this check, or the end; two checks an epoch."""
        told = []
        for epoch in self.training.epochs(len(self.losses)):
            first = max(round(2 * (self.training.stopper.epoch - epoch)), 0)
            for check in range(2 * epoch + first, 2 * epoch + 2):
                self.now += 5.0
                for parameter in self.model.parameters():
                    parameter.grad = torch.full_like(parameter, check + 1.0)
                self.optimizer.step()
                place = {"epoch": (check + 1) / 2, "step": 10 * (check + 1)}
                decision = list(self.training.step(loss=self.losses[check], **place))
                told.append({"decision": decision, "weight": self.model.bias.item()})
                if self.training.stopper.stopped or check + 1 == checks:
                    return told
        return told


WITHIN_EPOCHS = "{epoch:.1f}-{step:03d}.pt"


def write_training_within_epochs(folder: Path) -> None:
    """Write the folder of a run that ends within an epoch, and what the whole run comes to."""
    run = TrainingRun(folder=folder / "run", name=WITHIN_EPOCHS)
    run.train_within_epochs(3)
    run.training.close()
    for lock in (folder / "run").glob(".*"):
        lock.unlink()
    write_json(folder / "checks.json", TrainingRun().train_within_epochs())


def write_training(folder: Path) -> None:
    """Write a run's folder, a file of `Training.save`, and what the run came to."""
    run = TrainingRun(folder=folder / "run")
    run.train(3)
    run.training.close()
    for lock in (folder / "run").glob(".*"):
        lock.unlink()
    run = TrainingRun(rng=True)
    run.train(4)
    run.training.save(folder / "state.pt")
    write_json(folder / "epochs.json", TrainingRun().train())


# --------------------------------------------------------------------------------------------------


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, numbers that JSON lacks as texts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n")


def main(folder: Path) -> None:
    writers: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {
        "stopper": (write_stopper, STOPPERS),
        "loop": (write_loop, LOOPS),
    }
    for kind, (write, runs) in writers.items():
        for name, run in runs.items():
            write(folder / kind / f"{name}.json", run)
    write_training(folder / "training")
    write_training_within_epochs(folder / "training_within_epochs")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
