"""The weights: the best in memory, and their names whatever wraps the model."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.torch import Training
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import earlystop as es
from tests.adapters.torch.runs import linear, stopper, train


def test_what_is_kept_in_memory_does_not_change_with_the_model() -> None:
    class WithExtra(torch.nn.Linear):
        extra: Any = None

        def get_extra_state(self) -> Any:
            return self.extra

        def set_extra_state(self, state: Any) -> None:
            self.extra = state

    model = WithExtra(1, 1)
    model.extra = [1]
    training = Training(stopper(), model)
    training.step(loss=1.0)
    model.extra.append(2)
    torch.nn.init.constant_(model.weight, 7.0)
    training.restore_best()
    assert model.extra == [1]
    assert model.weight.item() != 7.0


def test_the_best_in_memory_is_whole_whenever_a_copy_is_interrupted() -> None:
    """The room of the best before the last is written over: never the best itself."""
    model = torch.nn.Sequential(linear(), torch.nn.BatchNorm1d(1), linear())
    training = Training(stopper(9), model)

    def fill(value: float) -> None:
        for tensor in model.state_dict().values():
            tensor.fill_(value)

    for epoch, loss in enumerate([5.0, 4.0, 3.0]):
        fill(epoch)
        training.step(loss=loss)

    class Interrupting(TorchDispatchMode):
        seen = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            self.seen += "copy" in str(func)
            if self.seen == 3:
                raise KeyboardInterrupt
            return func(*args, **(kwargs or {}))

    fill(3)
    with pytest.raises(KeyboardInterrupt), Interrupting():
        training.step(loss=2.0)
    assert training.restore_best() == 2
    assert {tensor.item() for tensor in model.state_dict().values()} == {2}
    fill(4)
    assert training.step(loss=1.0).save
    fill(5)
    assert training.restore_best() == 3
    assert {tensor.item() for tensor in model.state_dict().values()} == {4}


class Changing(torch.nn.Module):
    """Has other buffers, of other shapes and types, whenever a test sets them."""

    def become(self, buffers: dict[str, torch.Tensor], extra: Any, version: int) -> None:
        self._buffers.clear()
        self.extra, self._version = extra, version
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)

    def get_extra_state(self) -> Any:
        return {"extra": [self.extra]}

    def set_extra_state(self, state: Any) -> None:
        self.restored = state["extra"][0]

    def _load_from_state_dict(self, state: Any, prefix: str, told: Any, *rest: Any) -> None:
        self.told = told["version"]
        super()._load_from_state_dict(state, prefix, told, *rest)


BUFFERS = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(
        torch.full,
        st.sampled_from([(), (2,), (1, 2), (2, 1)]),
        st.integers(-9, 9).map(lambda n: n / 2),
        dtype=st.sampled_from([torch.float32, torch.float64, torch.int64]),
    ),
)


@given(states=st.lists(st.tuples(BUFFERS, st.integers(), st.integers(1, 3)), max_size=6))
def test_the_best_in_memory_is_all_of_the_model_as_it_was_then(states: Any) -> None:
    model = Changing()
    training = Training(stopper(9), model)
    for epoch, (buffers, extra, version) in enumerate(states):
        model.become({name: tensor.clone() for name, tensor in buffers.items()}, extra, version)
        assert training.step(loss=-epoch).save
        for tensor in model.buffers():
            tensor.fill_(77)
        model.extra = 77
        assert training.restore_best() == epoch
        restored = dict(model.named_buffers())
        assert restored.keys() == buffers.keys()
        for name, tensor in buffers.items():
            assert restored[name].dtype is tensor.dtype
            assert torch.equal(restored[name], tensor)
        assert (model.restored, model.told) == (extra, version)


class Telling(torch.nn.Module):
    """Tells a state of any sort, and keeps what it is given."""

    def state_dict(self, *_: Any, **__: Any) -> Any:
        return self.told

    def load_state_dict(self, state: Any, *_: Any, **__: Any) -> Any:
        self.given = state


class Own(torch.Tensor):
    pass


def test_the_best_in_memory_is_of_the_type_that_the_newest_was() -> None:
    model = Telling()
    training = Training(stopper(9), model)
    for epoch, kind in enumerate([torch.Tensor, torch.Tensor, Own, torch.Tensor, Own, Own]):
        model.told = {"a": torch.full((2,), float(epoch)).as_subclass(kind)}
        training.step(loss=-epoch)
        training.restore_best()
        assert type(model.given["a"]) is kind
        assert model.given["a"].tolist() == [epoch, epoch]


def test_the_best_in_memory_is_in_the_order_and_with_the_attributes_of_the_newest() -> None:
    model = Telling()
    training = Training(stopper(9), model)
    for epoch, (names, attributes) in enumerate(
        [("ab", {"x": 1}), ("ab", {"x": 2}), ("ba", {}), ("ba", {"y": 3}), ("ba", {})]
    ):
        model.told = OrderedDict((name, torch.ones(1)) for name in names)
        vars(model.told).update(attributes)
        training.step(loss=-epoch)
        training.restore_best()
        assert list(model.given) == list(names)
        assert vars(model.given) == attributes


@pytest.mark.parametrize("inside", [[True, False, False, False], [False, True, True, False, False]])
def test_the_best_in_memory_may_come_from_inference_mode_and_from_outside(
    inside: list[bool],
) -> None:
    model = linear()
    training = Training(stopper(9), model)
    for epoch, is_inference in enumerate(inside):
        torch.nn.init.constant_(model.weight, epoch)
        with torch.inference_mode(is_inference):
            training.step(loss=-epoch)
    torch.nn.init.zeros_(model.weight)
    assert training.restore_best() == len(inside) - 1
    assert model.weight.item() == len(inside) - 1


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_the_best_in_memory_may_hold_nested_tensors() -> None:
    model = Telling()
    training = Training(stopper(9), model)
    for epoch in range(4):
        parts = [torch.full((n,), float(epoch)) for n in (1, 2)]
        model.told = {"a": torch.nested.nested_tensor(parts)}
        training.step(loss=-epoch)
    training.restore_best()
    assert [part.tolist() for part in model.given["a"].unbind()] == [[3], [3, 3]]


def test_a_file_has_the_weights_under_their_own_names(tmp_path: Path) -> None:
    inside = linear()
    model = torch.nn.DataParallel(torch.compile(inside))
    ema = torch.compile(linear())
    with Training(stopper(), model, folder=tmp_path, ema=ema) as training:
        assert training.model is inside
        train(training, model)
        assert training.checkpoints is not None
        saved = torch.load(training.checkpoints.best_path, weights_only=True)
    assert {name: value.item() for name, value in saved["model"].items()} == {"weight": 1.0}
    assert list(saved["parts"]["ema"]) == ["weight"]
    assert inside.weight.item() == 1.0
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["0001.pt", "0003.pt"]


@pytest.mark.parametrize("in_folder", [True, False])
def test_parts_that_are_compiled_keep_their_names_too(in_folder: bool, tmp_path: Path) -> None:
    """A file of a model of which a part was compiled is one of the model, and the other way."""

    def network(compiled: bool) -> torch.nn.Sequential:
        part: Any = torch.compile(linear()) if compiled else linear()
        return torch.nn.Sequential(part, linear())

    for compiled in (True, False):
        model, other = network(compiled), network(not compiled)
        folder = tmp_path / str(compiled) if in_folder else None
        training = Training(stopper(9), model, folder=folder)
        for epoch, loss in enumerate([2.0, 1.0, 3.0]):
            for weight in model.parameters():
                torch.nn.init.constant_(weight, epoch)
            training.step(loss=loss)
        training.save(tmp_path / "state.pt")
        assert training.restore_best() == 1
        assert [weight.item() for weight in model.parameters()] == [1.0, 1.0]
        training.close()
        saved = torch.load(tmp_path / "state.pt", weights_only=True)
        assert list(saved["model"]) == list(saved["best"]) == ["0.weight", "1.weight"]
        again = Training(stopper(9), other)
        again.load(tmp_path / "state.pt")
        assert [weight.item() for weight in other.parameters()] == [2.0, 2.0]
        assert again.restore_best() == 1
        assert [weight.item() for weight in other.parameters()] == [1.0, 1.0]


@pytest.mark.parametrize("model", [torch.nn.Linear(2, 1, bias=False), torch.nn.Linear(1, 1)])
def test_weights_of_another_model_are_refused_and_the_stopper_is_as_it_was(
    model: Any, tmp_path: Path
) -> None:
    training = Training(stopper(), linear(), folder=tmp_path / "run")
    training.step(loss=1.0)
    training.save(tmp_path / "state.pt")
    training.close()
    fresh = stopper()
    with pytest.raises(es.StateError, match="its weights are not of this model"):
        Training(fresh, model, folder=tmp_path / "run", resume=True)
    with pytest.raises(es.StateError, match="its weights are not of this model"):
        Training(fresh, model).load(tmp_path / "state.pt")
    assert (fresh.epoch, fresh.best) == (0, None)
