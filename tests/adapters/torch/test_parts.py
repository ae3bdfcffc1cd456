"""Parts of a run: new ones, those left out, lists and dicts; several models; the best of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.torch import Training

import earlystop as es
from tests.adapters.torch.runs import linear, stopper


def sgd(model: Any, lr: float = 0.5) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr, momentum=0.5)


def lr_of(optimizer: torch.optim.Optimizer) -> Any:
    return optimizer.param_groups[0]["lr"]


def run(model: Any, losses: list[float], **settings: Any) -> Training:
    training = Training(stopper(9), model, **settings)
    for loss in losses:
        training.step(loss=loss)
    return training


def test_none_is_no_part(tmp_path: Path) -> None:
    model = linear()
    run(model, [1.0], folder=tmp_path, optimizer=sgd(model), scheduler=None, extra=[None]).close()
    again = run(model, [], folder=tmp_path, resume=True, optimizer=sgd(model), other=None)
    assert again.epoch == 1


def test_lists_and_dicts_of_parts_are_saved_by_their_names(tmp_path: Path) -> None:
    model = linear()

    def parts(first: float) -> Any:
        rates = [first + n for n in range(4)]
        a, b, c, d = (sgd(model, rate) for rate in rates)
        return {"optimizers": [a, b], "parts": {"gen": c, "more": (None, d)}}

    run(model, [1.0], folder=tmp_path, **parts(1.0)).close()
    saved = torch.load(tmp_path / "0000.pt", weights_only=True)
    assert list(saved["parts"]) == ["optimizers.0", "optimizers.1", "parts.gen", "parts.more.1"]
    again = parts(7.0)
    run(model, [], folder=tmp_path, resume=True, **again)
    found = [*again["optimizers"], again["parts"]["gen"], again["parts"]["more"][1]]
    assert [lr_of(each) for each in found] == [1.0, 2.0, 3.0, 4.0]


def test_a_part_added_later_begins_as_it_is_and_one_left_out_is_passed_over(tmp_path: Path) -> None:
    model = linear()
    old = sgd(model, 1.0)
    run(model, [1.0], folder=tmp_path, kept=old, gone=sgd(model)).close()
    kept, new = sgd(model, 2.0), sgd(model, 3.0)
    parts = {"kept": kept, "new": new}
    with pytest.raises(es.StateError, match=r"saved gone, kept .* has kept, new: .* changed_parts"):
        run(model, [], folder=tmp_path, resume=True, **parts)
    assert (lr_of(kept), lr_of(new)) == (2.0, 3.0)
    again = run(model, [2.0], folder=tmp_path, resume=True, changed_parts=True, **parts)
    assert (lr_of(kept), lr_of(new), again.epoch) == (1.0, 3.0, 2)
    with pytest.raises(es.StateError, match="the best, epoch 0: it was saved without new"):
        again.restore_best(parts=True)
    assert again.restore_best(parts="kept") == 0
    again.close()
    run(model, [], folder=tmp_path, resume=True, **parts)  # from now on they are the parts


def test_a_scheduler_added_later_works_with_the_saved_optimizer(tmp_path: Path) -> None:
    model = linear()
    run(model, [1.0], folder=tmp_path, optimizer=sgd(model, 0.25)).close()
    optimizer = sgd(model, 0.5)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.75, total_steps=9)
    parts = {"optimizer": optimizer, "scheduler": scheduler}
    run(model, [], folder=tmp_path, resume=True, changed_parts=True, **parts)
    optimizer.step()
    scheduler.step()


class Gan:
    """Two models, each with an optimizer."""

    def __init__(self, value: float, **settings: Any) -> None:
        self.generator, self.critic = linear(value), torch.nn.Linear(1, 1)
        self.optimizers = {"generator": sgd(self.generator), "critic": sgd(self.critic)}
        models = {"generator": self.generator, "critic": torch.compile(self.critic)}
        self.training = Training(stopper(9), models, optimizer=self.optimizers, **settings)

    def epoch(self, value: float, loss: float) -> None:
        for each in (self.generator.weight, self.critic.weight, self.critic.bias):
            torch.nn.init.constant_(each, value)
        self.training.step(loss=loss)

    def values(self) -> list[float]:
        weights = (self.generator.weight, self.critic.weight, self.critic.bias)
        return [weight.item() for weight in weights]


@pytest.mark.parametrize("in_folder", [True, False])
def test_several_models_are_saved_resumed_and_restored_together(
    in_folder: bool, tmp_path: Path
) -> None:
    settings: Any = {"folder": tmp_path / "run", "resume": True} if in_folder else {}
    first = Gan(0.0, **settings)
    first.epoch(1.0, loss=0.5)
    first.epoch(2.0, loss=0.9)
    first.training.save(tmp_path / "run.pt")
    first.training.close()
    second = Gan(7.0, **settings)
    if not in_folder:
        second.training.load(tmp_path / "run.pt")
    assert second.values() == [2.0, 2.0, 2.0]
    assert second.training.restore_best() == 0
    assert second.values() == [1.0, 1.0, 1.0]
    assert repr(second.training).endswith("{'generator': Linear, 'critic': Linear})")
    saved = torch.load(tmp_path / "run.pt", weights_only=True)
    assert {name: list(saved["model"][name]) for name in saved["model"]} == {
        "generator": ["weight"],
        "critic": ["weight", "bias"],
    }


def test_other_models_are_refused_by_name_and_none_is_changed(tmp_path: Path) -> None:
    gan = Gan(1.0)
    gan.training.save(tmp_path / "run.pt")
    one, critic = linear(5.0), torch.nn.Linear(2, 1)
    for models, text in [
        (
            {"generator": one, "critic": critic},
            r"'critic': its weights .*weight has shape \(1, 2\)",
        ),
        ({"generator": one}, "saved the weights of generator, critic, the models of .* generator"),
        (one, "its weights are not of this model: weight of the model was not saved"),
    ]:
        training = Training(stopper(9), models, optimizer=gan.optimizers)
        with pytest.raises(es.StateError, match=text):
            training.load(tmp_path / "run.pt")
        assert (one.weight.item(), training.epoch) == (5.0, 0)
    run(one, [1.0]).save(tmp_path / "one.pt")
    with pytest.raises(es.StateError, match="saved the weights of weight, the models of"):
        Training(stopper(9), {"generator": one}).load(tmp_path / "one.pt")


def best_and_after(folder: Path) -> tuple[Training, Any, dict[str, Any]]:
    """A run whose best was at a learning rate of 1, weights of 1 and an EMA of 1; now it is 2."""
    model, ema = linear(1.0), linear(1.0)
    parts: dict[str, Any] = {"optimizer": {"a": sgd(model, 1.0), "b": sgd(model, 1.0)}, "ema": ema}
    training = Training(stopper(9), model, folder=folder, **parts)
    training.step(loss=0.5)
    for each in (model, ema):
        torch.nn.init.constant_(each.weight, 2.0)
    for optimizer in parts["optimizer"].values():
        optimizer.param_groups[0]["lr"] = 2.0
    training.step(loss=0.9)
    return training, model, parts


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (False, [1.0, 2.0, 2.0, 2.0]),
        (True, [1.0, 1.0, 1.0, 1.0]),
        ("ema", [1.0, 2.0, 2.0, 1.0]),
        ("optimizer", [1.0, 1.0, 1.0, 2.0]),
        (["optimizer.a", "ema"], [1.0, 1.0, 2.0, 1.0]),
        ([], [1.0, 2.0, 2.0, 2.0]),
    ],
)
def test_the_best_is_restored_with_the_parts_that_are_asked_for(
    which: Any, expected: list[float], tmp_path: Path
) -> None:
    training, model, parts = best_and_after(tmp_path)
    assert training.restore_best(parts=which) == 0
    rates = [lr_of(optimizer) for optimizer in parts["optimizer"].values()]
    assert [model.weight.item(), *rates, parts["ema"].weight.item()] == expected
    assert training.epoch == 2


def test_parts_that_cannot_be_restored_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    training, model, parts = best_and_after(tmp_path)
    with pytest.raises(es.RuleError, match=r"no part is named 'optimiser': .* did you mean 'opt"):
        training.restore_best(parts="optimiser")
    with pytest.raises(es.RuleTypeError, match="must be True, False or names, got 3"):
        training.restore_best(parts=3)
    parts["optimizer"]["b"].add_param_group({"params": [torch.ones(1)]})
    with pytest.raises(es.StateError, match="the best, epoch 0: the part 'optimizer"):
        training.restore_best(parts=True)
    assert (model.weight.item(), lr_of(parts["optimizer"]["a"])) == (2.0, 2.0)
    in_memory = run(model, [1.0], optimizer=parts["optimizer"]["a"])
    with pytest.raises(es.RuleError, match=r"needs `Training\(folder=...\)`"):
        in_memory.restore_best(parts=True)
