"""Metrics that are tensors, on whichever device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from earlystop.adapters.torch import Training, numbers
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import earlystop as es
from tests.adapters.torch.runs import linear, stopper


class Transfers(TorchDispatchMode):
    """Counts how often a tensor's value is asked for one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append(str(func))
        return func(*args, **(kwargs or {}))


class Far(torch.Tensor):
    """A tensor that is on another device."""

    is_cpu = False


def test_tensors_of_a_device_are_fetched_all_at_once() -> None:
    metrics: dict[str, Any] = {
        f"m{i}": torch.tensor(i / 8, requires_grad=True).as_subclass(Far) for i in range(9)
    }
    metrics["plain"] = 0.25
    with Transfers() as transfers:
        values = numbers(metrics)
    assert values == {**{f"m{i}": i / 8 for i in range(9)}, "plain": 0.25}
    assert list(values) == list(metrics)
    assert not any("_local_scalar_dense" in call for call in transfers.calls)
    assert sum("stack" in call or "cat" in call for call in transfers.calls) == 1


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool]
)
def test_a_tensor_is_read_as_exactly_the_number_it_holds(dtype: torch.dtype) -> None:
    tensor = torch.tensor(0.1 if dtype.is_floating_point else 1).to(dtype)
    far = tensor.as_subclass(Far)
    exact = torch.tensor(0.1, dtype=torch.float64)
    values = numbers({"here": tensor, "there": far, "exact": exact})
    assert values == {"here": float(tensor), "there": float(tensor), "exact": 0.1}


@pytest.mark.parametrize(
    "bad", [torch.ones(2), torch.ones(2, 2), torch.tensor(1j), "0.5", None, [1.0]]
)
def test_what_is_not_one_real_number_is_refused(bad: Any) -> None:
    training = Training(stopper(), linear())
    with pytest.raises(es.MetricError, match="'loss' must be one real number"):
        training.step(loss=bad)
    with pytest.raises(es.MetricError, match="reported twice in one call: loss"):
        training.step({"loss": 1.0}, loss=1.0)
    with pytest.raises(es.MetricError, match="as a mapping"):
        training.step(0.5)
    assert training.step({"loss": 1.0}, acc=np.float32(0.5)).save


def test_a_name_that_is_not_a_string_is_refused() -> None:
    with pytest.raises(es.MetricError, match="names of metrics must be strings, got 3"):
        Training(stopper(), linear()).step({3: 1.0, "loss": 1.0})


def on_meta() -> Any:
    return torch.tensor(0.5, device="meta")


def fake() -> Any:
    with FakeTensorMode():
        return torch.ones(())


def fake_elsewhere() -> Any:
    with FakeTensorMode():
        return torch.ones((), device="cuda")


def nested() -> Any:
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def jagged() -> Any:
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)


VALUELESS = [on_meta, fake, fake_elsewhere, nested, jagged, torch.nn.UninitializedParameter]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("make", VALUELESS)
def test_a_tensor_without_a_value_is_refused_by_the_name_of_its_metric(make: Any) -> None:
    far = torch.tensor(0.5).as_subclass(Far)
    training = Training(stopper(), linear())
    with pytest.raises(
        es.MetricError, match="the metric 'val_loss' must be one real number, got a"
    ):
        training.step({"loss": 0.5, "far": far, "val_loss": make(), "farther": far})
    assert training.epoch == 0


def test_a_tensor_inside_vmap_is_refused_by_the_name_of_its_metric() -> None:
    def loss(x: Any) -> Any:
        return torch.tensor(numbers({"val_loss": x.sum()})["val_loss"])

    with pytest.raises(es.MetricError, match=r"the metric 'val_loss' .* has no value \("):
        torch.vmap(loss)(torch.ones(3, 2))


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_a_sparse_and_a_quantized_number_are_numbers() -> None:
    quantized = torch.quantize_per_tensor(torch.tensor(0.5), 0.25, 0, torch.quint8)
    assert numbers({"a": torch.tensor(0.5).to_sparse(), "b": quantized}) == {"a": 0.5, "b": 0.5}


def test_an_error_of_a_device_is_not_blamed_on_a_metric() -> None:
    class Broken(Far):
        def detach(self) -> Any:
            raise RuntimeError("device-side assert triggered")

    with pytest.raises(RuntimeError, match="device-side assert") as raised:
        numbers({"loss": torch.tensor(0.5).as_subclass(Broken)})
    assert not isinstance(raised.value, es.EarlystopError)
