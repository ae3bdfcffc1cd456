"""A saved run is loaded as a whole, or refused by name with everything as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.torch import Training

import earlystop as es
from tests.adapters.torch.runs import stopper


class Everything:
    """A run with a part of every kind, all of which have moved on from where they begin."""

    def __init__(self, **changed: Any) -> None:
        torch.manual_seed(1)
        self.model = changed.pop("model", None) or network()
        self.stopper = changed.pop("stopper", None) or stopper(5)
        make: dict[str, Callable[[Any], Any]] = {
            "optimizer": lambda _: torch.optim.Adam(self.model.parameters(), 0.1),
            "scheduler": lambda run: torch.optim.lr_scheduler.StepLR(run["optimizer"], 2),
            "generator": lambda _: torch.Generator().manual_seed(1),
            "ema": lambda _: network(),
            "counter": lambda _: Counter(),
            **changed,
        }
        self.parts: dict[str, Any] = {}
        for name, made in make.items():
            self.parts[name] = made(self.parts)
        self.training = Training(
            self.stopper, self.model, rng=True, clock=lambda: 0.0, **self.parts
        )

    def epoch(self, loss: float) -> None:
        self.parts["optimizer"].zero_grad()
        self.model(torch.rand(3, 2, generator=self.parts["generator"])).sum().backward()
        self.parts["optimizer"].step()
        self.parts["scheduler"].step()
        self.parts["counter"].value += 1
        self.training.step(loss=loss)

    def state(self) -> Any:
        """Everything that loading may change, copied."""
        return copy.deepcopy(
            [
                self.stopper.state_dict(),
                dict(self.model.state_dict()),
                dict(self.parts["ema"].state_dict()),
                self.parts["optimizer"].state_dict(),
                self.parts["scheduler"].state_dict(),
                self.parts["generator"].get_state(),
                self.parts["counter"].state_dict(),
                torch.get_rng_state(),
            ]
        )


def network(width: int = 2) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(2, width), torch.nn.BatchNorm1d(width), torch.nn.Linear(width, 2)
    )


class Counter:
    """A part of the user's own, which takes its state bit by bit."""

    def __init__(self) -> None:
        self.value, self.names = 0, ["a"]

    def state_dict(self) -> Any:
        return {"value": self.value, "names": self.names}

    def load_state_dict(self, state: Any) -> None:
        self.value = state["value"]
        self.names = [name.strip() for name in state["names"]]


class Stubborn(torch.nn.Linear):
    """A module that refuses after its parameters have been overwritten."""

    def _load_from_state_dict(self, state: Any, prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state, prefix, *rest)
        if state[prefix + "weight"].sum() == 99:
            raise ValueError("99 is not for me")


def change(path: Path, *keys: Any, to: Any = None) -> None:
    saved = torch.load(path, weights_only=True)
    inner = saved
    for key in keys[:-1]:
        inner = inner[key]
    if to is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = to
    torch.save(saved, path)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def refused(run: Everything, path: Path, text: str) -> None:
    """Loading is an error that says so, and the run is as it was."""
    before = run.state()
    with pytest.raises(es.StateError, match=text):
        run.training.load(path)
    assert same(run.state(), before)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    run = Everything()
    for loss in (0.5, 0.4, 0.6):
        run.epoch(loss)
    run.training.save(tmp_path / "run.pt")
    return tmp_path / "run.pt"


@pytest.fixture
def run() -> Everything:
    run = Everything()
    run.epoch(3.0)
    return run


def sgd(run: Any) -> Callable[[Any], Any]:
    return lambda _: torch.optim.SGD(run.parameters(), 0.1)


def adam(*widths: int, groups: int = 1) -> Callable[[Any], Any]:
    def make(_: Any) -> Any:
        layers = [torch.nn.Linear(2, width) for width in widths]
        each = [{"params": list(layer.parameters())} for layer in layers]
        return torch.optim.Adam(each if groups > 1 else [p for g in each for p in g["params"]])

    return make


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"optimizer": sgd(network())}, r"'optimizer' \(SGD\) .*without dampening, momentum"),
        ({"optimizer": adam(2)}, "'optimizer' .*group 0 has 2 parameters, 6 were saved"),
        ({"optimizer": adam(2, 2, groups=2)}, "'optimizer' .*2 parameter groups, 1 were saved"),
        ({"optimizer": adam(3, 3, 3)}, r"'optimizer' .*parameter 0 has shape \(3, 2\)"),
        (
            {"scheduler": lambda run: torch.optim.lr_scheduler.LinearLR(run["optimizer"])},
            r"'scheduler' \(LinearLR\) .*another kind of scheduler",
        ),
        (
            {"ema": lambda _: network(3)},
            r"the part 'ema': its weights .* 0.weight has shape \(3, 2",
        ),
        ({"model": network(3), "optimizer": adam(2, 2, 2)}, r"its weights .*shape \(3, 2\), saved"),
        ({"model": network().double()}, "0.weight has type float64, saved was float32: convert"),
        ({"stopper": stopper(3)}, "was saved by other rules"),
        (
            {"new": lambda _: Counter()},
            "saved counter, ema.* this Training has .*new, .*changed_pa",
        ),
    ],
)
def test_a_run_of_another_shape_is_refused_by_name_and_nothing_changes(
    changed: Any, text: str, saved: Path
) -> None:
    refused(Everything(**changed), saved, text)


@pytest.mark.parametrize(
    ("keys", "to", "text"),
    [
        (("model",), None, "lacks model"),
        (("model",), [1], "'model' should be a dict, got"),
        (("model", "0.weight"), None, "0.weight of the model was not saved"),
        (("model", "new"), torch.ones(1), "the model has no new, which was saved"),
        (("model", "0.weight"), "text", "0.weight should be a tensor, saved was 'text'"),
        (("parts",), None, "lacks parts"),
        (("parts",), [1], "'parts' should be a dict"),
        (
            ("parts", "optimizer"),
            None,
            "saved counter, ema, generator, scheduler next to the model",
        ),
        (("parts", "optimizer"), 3, "the part 'optimizer' "),
        (("parts", "optimizer"), {}, "the part 'optimizer' .*param_groups"),
        (("parts", "optimizer", "param_groups", 0, "params"), 3, "the part 'optimizer' "),
        (("parts", "optimizer", "param_groups", 0, "betas"), None, "'optimizer' .*without betas"),
        (("parts", "optimizer", "state", 0, "exp_avg"), torch.ones(7), "'optimizer' .*its exp_avg"),
        (("parts", "scheduler"), [3], "the part 'scheduler' "),
        (("parts", "scheduler", "base_lrs"), [1.0, 2.0], "'scheduler' .*1 parameter groups, 2"),
        (("parts", "generator"), "text", "the part 'generator' "),
        (("parts", "generator"), torch.ones(3), "the part 'generator' "),
        (("parts", "ema"), {"0.weight": 1}, "the part 'ema': its weights are not of this model"),
        (("parts", "ema"), "text", "the part 'ema': its weights are not of this model"),
        (("parts", "counter", "names"), None, "the part 'counter' .*KeyError: 'names'"),
        (("parts", "counter", "names"), [3], "the part 'counter' .*AttributeError"),
        (("rng",), None, "lacks rng"),
        (("rng",), "text", "'rng' should be a list or None"),
        (("rng",), [1, 2], "saved 2 ranks' random state"),
        (("rng",), [1], "its random state is damaged"),
        (("rng", 0, "torch"), torch.ones(3), "its random state is damaged"),
        (("rng", 0, "python"), "text", "its random state is damaged"),
        (("state",), "text", "'state' should be a dict or None"),
        (("state", "stopper"), None, "lacks stopper"),
        (("state", "stopper"), 3, "the run in "),
        (("best",), None, "lacks best"),
        (("best",), 3, "'best' should be a dict or None"),
        (("best",), {"1.weight": torch.ones(1)}, "its weights are not of this model"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused_and_nothing_changes(
    keys: Any, to: Any, text: str, saved: Path, run: Everything
) -> None:
    change(saved, *keys, to=to)
    refused(run, saved, text)


def test_a_model_that_refuses_half_way_is_taken_back(tmp_path: Path) -> None:
    first = Everything(model=Stubborn(2, 2))
    first.training.save(tmp_path / "run.pt")
    change(tmp_path / "run.pt", "model", "weight", to=torch.tensor([[99.0, 0.0], [0.0, 0.0]]))
    second = Everything(model=Stubborn(2, 2))
    second.epoch(1.0)
    refused(second, tmp_path / "run.pt", "its weights are not of this model: 99 is not for me")


def test_an_interrupted_load_is_taken_back(saved: Path, run: Everything) -> None:
    def interrupted(scheduler: Any, state: Any) -> None:
        raise KeyboardInterrupt

    before = run.state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(run.parts["scheduler"]), "load_state_dict", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.training.load(saved)
        patch.undo()
    assert same(run.state(), before)


def test_a_whole_file_is_loaded_and_the_run_goes_on_as_the_saved_one(
    saved: Path, run: Everything
) -> None:
    other = Everything()
    other.training.load(saved)
    run.training.load(saved)
    for each in (other, run):
        torch.manual_seed(7)
        for loss in (0.3, 0.35):
            each.epoch(loss)
    assert same(run.state(), other.state())


def test_a_folder_that_does_not_fit_leaves_everything_as_it_was(tmp_path: Path) -> None:
    def optimizer(model: Any) -> Any:
        return torch.optim.SGD(model.parameters(), 0.1)

    model = network()
    with Training(stopper(), model, folder=tmp_path, optimizer=optimizer(model)) as training:
        training.step(loss=1.0)
    fresh, other = stopper(), network()
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(es.StateError, match="the run in the folder: the part 'optimizer' "):
        Training(fresh, other, folder=tmp_path, resume=True, optimizer=optimizer(other[0]))
    assert (fresh.epoch, fresh.best) == (0, None)
    assert same(dict(other.state_dict()), dict(before))


def test_a_lazy_model_takes_the_shapes_that_were_saved(tmp_path: Path) -> None:
    Training(stopper(), torch.nn.Linear(3, 2)).save(tmp_path / "run.pt")
    lazy = torch.nn.LazyLinear(2)
    Training(stopper(), lazy).load(tmp_path / "run.pt")
    assert tuple(lazy.weight.shape) == (2, 3)


class Two:
    """Two ranks, of which the other one has met a problem."""

    size, rank = 2, 0

    def share(self, value: Any) -> Any:
        return value

    def gather(self, value: Any) -> list[Any]:
        problem = "the part 'optimizer' does not fit" if value is None else None
        return [value, problem if value is None else value]


def test_what_does_not_fit_on_one_rank_is_refused_on_all(
    saved: Path, run: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_rng = torch.load(saved, weights_only=True)["rng"]
    change(saved, "rng", to=saved_rng * 2)
    before = run.state()
    monkeypatch.setattr(run.training._session, "ranks", Two())
    monkeypatch.setattr("earlystop.adapters.torch.training.read_on_first", lambda _, read: read())
    with pytest.raises(es.StateError, match="on rank 1: the part 'optimizer' does not fit"):
        run.training.load(saved)
    assert same(run.state(), before)


def test_an_optimizer_that_cannot_tell_its_state_yet_is_loaded_all_the_same(saved: Path) -> None:
    class Gathered(torch.optim.Adam):
        def state_dict(self) -> Any:
            raise RuntimeError("Optimizer state has not been consolidated on this rank.")

        def load_state_dict(self, state: Any) -> None:
            super().load_state_dict(state)

    made: list[Any] = []

    def gathered(_: Any) -> Any:
        made.append(Gathered([p for layer in network() for p in layer.parameters()], 0.7))
        return made[0]

    run = Everything(
        optimizer=gathered,
        scheduler=lambda run: torch.optim.lr_scheduler.StepLR(run["optimizer"], 2),
    )
    run.training.load(saved)
    assert made[0].param_groups[0]["lr"] == pytest.approx(0.01)
