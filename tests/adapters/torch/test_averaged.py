"""An average of the model's weights: validated, kept as the best, restored, and resumed with."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.torch import Training
from earlystop.adapters.torch.averaged import Averaged
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

import earlystop as es
from tests.adapters.torch.runs import linear, stopper


class Plain:
    """An average as people write it: a copy of the model, and how often it was updated."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.ema, self.updates = copy.deepcopy(model), 0

    def update_parameters(self, model: torch.nn.Module) -> None:
        self.updates += 1
        with torch.no_grad():
            for mine, value in zip(self.ema.parameters(), model.parameters(), strict=True):
                mine.lerp_(value, 0.5 / self.updates)

    def __call__(self, x: Any) -> Any:
        return self.ema(x)

    def state_dict(self) -> Any:
        return {"ema": self.ema.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: Any) -> None:
        self.ema.load_state_dict(state["ema"])
        self.updates = state["updates"]


class Flat(Plain):
    """The same, with a state of one level."""

    def state_dict(self) -> Any:
        weights = {f"ema.{name}": value for name, value in self.ema.state_dict().items()}
        return {**weights, "updates": self.updates}

    def load_state_dict(self, state: Any) -> None:
        self.updates = state["updates"]
        self.ema.load_state_dict(
            {name[4:]: value for name, value in state.items() if name != "updates"}
        )


def network() -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(1, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
    )


def ema(model: Any) -> AveragedModel:
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.6))


KINDS = {
    "swa": AveragedModel,
    "ema": ema,
    "with buffers": lambda model: AveragedModel(model, use_buffers=True),
    "of a compiled model": lambda model: AveragedModel(torch.compile(model)),
    "flat": Flat,
}


class Run:
    """A small training that validates an average of its model."""

    def __init__(self, folder: Path | None, kind: str) -> None:
        torch.manual_seed(0)
        self.x = torch.linspace(-1, 1, 24).reshape(-1, 1)
        self.model = network()
        self.averaged = KINDS[kind](self.model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.3, momentum=0.9)
        self.training = Training(
            stopper(4),
            self.model,
            averaged=self.averaged,
            folder=folder,
            resume=folder is not None,
            rng=folder is not None,
            optimizer=self.optimizer,
        )

    def loss(self, model: Any) -> torch.Tensor:
        return torch.nn.functional.mse_loss(model(self.x), self.x**2)

    def epoch(self) -> tuple[es.Decision, float]:
        self.model.train()
        for _ in range(2):
            self.optimizer.zero_grad()
            self.loss(lambda x: self.model(x + 0.1 * torch.randn_like(x))).backward()
            self.optimizer.step()
            self.averaged.update_parameters(self.model)
        if isinstance(self.averaged, AveragedModel):
            update_bn([self.x], self.averaged)
        loss = self.validated(self.averaged)
        return self.training.step(loss=loss), loss

    def validated(self, model: Any) -> float:
        getattr(model, "ema", model).eval()
        with torch.no_grad():
            return self.loss(model).item()


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_run_ends_with_the_average_of_one_never_interrupted(
    kind: str, tmp_path: Path
) -> None:
    whole = Run(None, kind)
    expected = [whole.epoch() for _ in whole.training.epochs(6)]
    best = whole.training.restore_best()
    told: list[Any] = []
    while len(told) < len(expected):
        run = Run(tmp_path, kind)
        told.append(run.epoch())
        run.training.close()
    assert told == expected
    last = Run(tmp_path, kind)
    assert last.training.restore_best() == best
    assert best is not None
    for run in (whole, last):
        assert run.validated(run.model) == expected[best][1]
        assert run.validated(run.averaged) == expected[best][1]


@pytest.mark.parametrize("kind", KINDS)
def test_files_hold_the_average_under_the_model_s_own_names(kind: str, tmp_path: Path) -> None:
    run = Run(tmp_path, kind)
    losses = [run.epoch()[1] for _ in range(3)]
    path = run.training.checkpoints.best_path
    saved = torch.load(path, weights_only=True)
    model = network()
    model.load_state_dict(saved["model"])
    assert run.validated(model) == min(losses)
    assert list(saved["model"]) == list(saved["parts"]["averaged"]["weights"])
    run.training.close()


def test_a_file_takes_the_average_the_weights_and_the_best_elsewhere(tmp_path: Path) -> None:
    run = Run(None, "swa")
    for _ in range(3):
        run.epoch()
    run.training.save(tmp_path / "state.pt")
    other = Run(None, "swa")
    other.training.load(tmp_path / "state.pt")
    assert same(other.model.state_dict(), run.model.state_dict())
    assert same(other.averaged.state_dict(), run.averaged.state_dict())
    assert other.training.restore_best() == run.training.restore_best()
    assert same(other.model.state_dict(), run.averaged.module.state_dict())


def same(one: Any, other: Any) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_names_of_layers_that_look_like_a_wrapper_s_are_told_apart() -> None:
    model = torch.nn.Module()
    model.module = torch.nn.Module()
    model.x = model.module.x = torch.nn.Parameter(torch.zeros(1))
    assert list(Averaged(AveragedModel(model), model).weights()) == ["x", "module.x"]
    assert list(Averaged(torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)).weights()) == [
        "weight",
        "bias",
    ]


class Twice(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.online, self.ema = linear(), linear()


@pytest.mark.parametrize(
    ("average", "error", "text"),
    [
        (0.999, es.RuleTypeError, "must have `state_dict` and `load_state_dict`"),
        (Plain(linear()), es.RuleError, "its state has ema, updates, the model weight"),
        (torch.nn.Linear(2, 1, bias=False), es.RuleError, r"shape torch.Size\(\[1, 2\]\), that of"),
        (
            AveragedModel(torch.nn.Conv1d(1, 1, 1, bias=False)),
            es.RuleError,
            "its weight has the sha",
        ),
        (Twice(), es.RuleError, r"several copies of the model, as 'ema.', 'online.': pass the one"),
    ],
)
def test_what_is_no_average_of_the_model_is_refused(average: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        Training(stopper(), linear(), averaged=average)


def test_a_run_is_resumed_with_the_average_it_had_or_refused(tmp_path: Path) -> None:
    for name, first, second in (("with", True, False), ("without", False, True)):
        model = linear()
        arguments = [{"averaged": AveragedModel(model)} if has else {} for has in (first, second)]
        with Training(stopper(), model, folder=tmp_path / name, **arguments[0]) as training:
            training.step(loss=1.0)
        with pytest.raises(es.StateError, match="averaged"):
            Training(stopper(), model, folder=tmp_path / name, resume=True, **arguments[1])


def test_one_of_several_models_can_have_an_average(tmp_path: Path) -> None:
    models = {"generator": linear(1.0), "discriminator": linear(2.0)}
    average = ema(models["generator"])
    with Training(stopper(9), models, averaged={"generator": average}, folder=tmp_path) as training:
        for epoch in range(3):
            for model in models.values():
                torch.nn.init.constant_(model.weight, float(epoch))
            average.update_parameters(models["generator"])
            training.step(loss=1.0 / (epoch + 1))
        before = average.module.weight.item()
        assert 0.0 < before < 2.0
    assert [model.weight.item() for model in models.values()] == [before, 2.0]
    models = {"generator": linear(1.0), "discriminator": linear(2.0)}
    again = ema(models["generator"])
    Training(stopper(9), models, averaged={"generator": again}, folder=tmp_path, resume=True)
    assert [model.weight.item() for model in models.values()] == [2.0, 2.0]
    assert again.module.weight.item() == before
    for wrong in (average, {}, {"critic": average}):
        with pytest.raises(es.RuleTypeError, match="by the names of their models, generator, dis"):
            Training(stopper(9), models, averaged=wrong)


def test_with_its_part_the_model_goes_back_to_its_weights_in_training(tmp_path: Path) -> None:
    model = linear(8.0)
    average = ema(model)
    average.update_parameters(model)
    training = Training(stopper(9), model, averaged=average, folder=tmp_path)
    torch.nn.init.constant_(model.weight, 4.0)
    training.step(loss=1.0)
    torch.nn.init.constant_(model.weight, 2.0)
    average.update_parameters(model)
    training.step(loss=2.0)
    training.restore_best(parts=["averaged"])
    assert (model.weight.item(), average.module.weight.item(), average.n_averaged) == (4.0, 8.0, 1)
    training.restore_best()
    assert (model.weight.item(), average.module.weight.item()) == (8.0, 8.0)
    training.close()


def test_an_average_may_begin_in_a_run_that_had_none(tmp_path: Path) -> None:
    model = linear(8.0)
    with Training(stopper(9), model, folder=tmp_path) as training:
        training.step(loss=1.0)
    other = linear(1.0)
    average = AveragedModel(other)
    Training(
        stopper(9), other, averaged=average, folder=tmp_path, resume=True, changed_parts=True
    ).close()
    assert (other.weight.item(), average.module.weight.item(), average.n_averaged) == (8.0, 8.0, 0)
