"""`early_stopping` for Ultralytics, on a trainer that calls it as Ultralytics's does.

`python -m benchmarks.agreement.ultralytics_trainings` does the same with Ultralytics itself, which
cannot be installed beside the other frameworks: it asks for a torchvision that needs CUDA.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.ultralytics import early_stopping
from hypothesis import given, settings
from hypothesis import strategies as st

import earlystop as es


class Trainer:
    """The end of an epoch as in `ultralytics/engine/trainer.py` of 8.4."""

    def __init__(self, curve: list[float | None], folder: Path | None = None, resume: bool = False):
        self.curve, self.last = curve, folder and folder / "last.pt"
        self.resume, self.args = resume, types.SimpleNamespace(resume=str(self.last))
        self.callbacks: dict[str, list[Any]] = {"on_fit_epoch_end": [self._log]}
        self.best_fitness: float | None = None
        self.metrics: dict[str, Any] = {}
        self.tloss, self.start_epoch, self.logged = 0.5, 0, []
        self.bests: list[int] = []
        self.stopper: Any = None

    def add_callback(self, event: str, callback: Any) -> None:
        self.callbacks.setdefault(event, []).append(callback)

    def label_loss_items(self, losses: float) -> dict[str, float]:
        return {"train/box_loss": losses}

    def _log(self, trainer: Any) -> None:
        self.logged.append(dict(self.metrics))

    def _run(self, event: str) -> None:
        for callback in self.callbacks.get(event, []):
            callback(self)

    def train(self, until: int | None = None) -> int:
        """The last epoch, from 0; `until`: interrupted after this many."""
        if self.resume:
            saved = torch.load(self.last, weights_only=False)
            self.start_epoch, self.best_fitness = saved["epoch"] + 1, saved["best_fitness"]
        self._run("on_pretrain_routine_end")
        for epoch in range(self.start_epoch, until or len(self.curve)):
            self.fitness = self.curve[epoch]
            self.metrics = {}
            if self.fitness is not None:
                if self.best_fitness is None or self.best_fitness < self.fitness:
                    self.best_fitness = self.fitness
                self.metrics = {"val/box_loss": 1 - self.fitness}
            stops = self.stopper(epoch + 1, self.fitness)
            if self.last is not None:
                named = {"best_fitness": self.stopper.best_fitness}
                torch.save(
                    {
                        **{"epoch": epoch, "best_fitness": self.best_fitness, "stopper": named},
                        "train_metrics": {**self.metrics, "fitness": self.fitness},
                    },
                    self.last,
                )
                self._run("on_model_save")
            if self.best_fitness == self.fitness:
                self.bests.append(epoch)
            self._run("on_fit_epoch_end")
            if stops:
                break
        return epoch


def theirs(curve: list[float | None], patience: int) -> int:
    """Where Ultralytics stops: a best of 0 is replaced by any value."""
    best, best_epoch = 0.0, 0
    for epoch, fitness in enumerate(curve, 1):
        if fitness is None:
            continue
        if fitness > best or best == 0:
            best, best_epoch = fitness, epoch
        if patience and epoch - best_epoch >= patience:
            return epoch - 1
    return len(curve) - 1


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75]), min_size=1, max_size=12), st.integers(0, 4)
)
def test_it_stops_and_keeps_where_ultralytics_does(curve: list[Any], patience: int) -> None:
    trainer = Trainer(curve)
    stopper = early_stopping(trainer, patience)
    last = trainer.train()
    assert last == theirs(curve, patience)
    assert (stopper.stopped_reason != "") == (last < len(curve) - 1 or stopper.stopper.stopped)
    best = max(curve[: last + 1])
    assert trainer.bests[-1] == max(i for i, value in enumerate(curve[: last + 1]) if value == best)


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_training_that_is_resumed_ends_as_if_it_had_not_been_interrupted(
    cut: int, tmp_path: Path
) -> None:
    curve: list[Any] = [0.1, 0.5, 0.4, 0.6, 0.5, 0.5, 0.4]
    rule = es.Patience("val/box_loss", 3, min_delta=0.15)
    first = Trainer(curve, tmp_path)
    early_stopping(first, stop=rule)
    first.train(until=cut)
    second = Trainer(curve, tmp_path, resume=True)
    stopper = early_stopping(second, stop=rule)
    assert second.train() == 4
    assert stopper.stopped_reason == (
        "val/box_loss has not improved on 0.5 (epoch 2) by more than 0.15 for 3 epochs"
    )
    loggers_saw = [name for metrics in first.logged + second.logged for name in metrics]
    assert set(loggers_saw) == {"val/box_loss"}


def test_a_save_rule_says_which_epochs_become_the_best() -> None:
    trainer = Trainer([0.1, 0.5, 0.55, 0.5, 0.7, 0.7])
    early_stopping(trainer, stop=es.Never(), save=es.Best("val/box_loss", min_delta=0.1))
    trainer.train()
    assert trainer.bests == [0, 1, 4]


def test_epochs_that_are_not_validated_are_no_checks() -> None:
    trainer = Trainer([None, 0.5, None, 0.4, None, 0.3, 0.2])
    early_stopping(trainer, stop=es.Patience("fitness", 2, mode="max"))
    assert trainer.train() == 5


def test_the_epoch_that_may_be_the_last_is_told_beforehand() -> None:
    trainer = Trainer([0.5, 0.4, 0.3, 0.2, 0.1])
    stopper = early_stopping(trainer, 3)
    assert trainer.train(until=2) == 1
    assert not stopper.possible_stop
    assert trainer.train(until=3) == 2
    assert stopper.possible_stop


def test_losses_of_the_training_can_be_looked_at_and_other_names_are_refused() -> None:
    trainer = Trainer([0.5, 0.6])
    early_stopping(trainer, stop=es.Threshold("train/box_loss", 0.6, mode="min"))
    assert trainer.train() == 0
    trainer = Trainer([0.5])
    early_stopping(trainer, stop=es.Patience("val/loss", 3))
    with pytest.raises(es.MissingMetricError, match=r"'val/loss': .*val/box_loss"):
        trainer.train()


def test_a_checkpoint_without_its_state_is_told_and_one_of_other_rules_refused(
    tmp_path: Path,
) -> None:
    first = Trainer([0.5, 0.4, 0.3, 0.2], tmp_path)
    early_stopping(first, stop=es.Patience("fitness", 3, mode="max"))
    first.train(until=2)
    other = Trainer(first.curve, tmp_path, resume=True)
    early_stopping(other, stop=es.Patience("fitness", 2, mode="max"))
    with pytest.raises(es.StateError, match="changed_rules"):
        other.train()
    changed = Trainer(first.curve, tmp_path, resume=True)
    early_stopping(changed, stop=es.Patience("fitness", 2, mode="max"), changed_rules=True)
    assert changed.train() == 2
    torch.save({"epoch": 1, "best_fitness": 0.5}, tmp_path / "last.pt")
    bare = Trainer(first.curve, tmp_path, resume=True)
    early_stopping(bare, stop=es.Patience("fitness", 1, mode="max"))
    with pytest.warns(UserWarning, match="begins anew with the next epoch"):
        assert bare.train() == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trainer": "yolo"}, "must be a trainer of Ultralytics, .* got 'yolo'"),
        ({"patience": -1}, r"`early_stopping\(patience=...\)` must be"),
        ({"patience": 3, "stop": es.MaxEpochs(3)}, "takes the place of .* leave out patience"),
        ({"save": es.Best("fitness", "max")}, "goes with `stop=...`"),
    ],
)
def test_invalid_arguments_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(es.RuleError, match=message):
        early_stopping(**{"trainer": Trainer([0.5]), **arguments})
