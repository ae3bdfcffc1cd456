"""The PyTorch adapter: decisions, the best that is restored, resuming, and several ranks."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from earlystop.adapters.loop import LoopError
from earlystop.adapters.torch import Training, numbers, unwrapped
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import earlystop as es
from earlystop.checkpoints import read_ledger

ROOT = Path(__file__).parents[2]
LOSSES = [5.0, 3.0, 4.0, 4.0, 2.0, 1.0]


def linear(value: float = -1.0) -> torch.nn.Linear:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, value)
    return model


def train(training: Training, model: Any, losses: list[float] = LOSSES) -> list[es.Decision]:
    decisions = []
    for epoch in training.epochs(len(losses)):
        torch.nn.init.constant_(unwrapped(model).weight, epoch)
        decisions.append(training.step(loss=losses[epoch]))
    return decisions


def stopper(n: int = 2) -> es.Stopper:
    return es.EarlyStopping("loss", patience=n)


# One run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"best_on": "device"}, {"folder": "run"}])
def test_it_stops_and_the_best_is_restored(settings: Any, tmp_path: Path) -> None:
    if settings.get("folder"):
        settings = {"folder": tmp_path / "run"}
    model = linear()
    with Training(stopper(), model, **settings) as training:
        decisions = train(training, model)
        assert model.weight.item() == 3.0
    assert model.weight.item() == 1.0
    assert [decision.stop for decision in decisions] == [False, False, False, True]
    assert training.restore_best() == 1
    assert training.elapsed_seconds >= 0


@pytest.mark.parametrize("with_folder", [True, False])
def test_nothing_saved_is_nothing_restored(with_folder: bool, tmp_path: Path) -> None:
    model = linear()
    training = Training(stopper(), model, folder=tmp_path if with_folder else None)
    assert training.restore_best() is None
    train(training, model, [math.nan, math.nan])
    assert training.restore_best() is None
    assert model.weight.item() == 1.0


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
    """Has other buffers, of other shapes and types, whenever it is told to."""

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

    def load_state_dict(self, state: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]
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


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_left_by_an_error_the_best_is_restored(error: type[BaseException], tmp_path: Path) -> None:
    def run() -> None:
        with Training(stopper(9), model, folder=tmp_path) as training:
            train(training, model, LOSSES[:3])
            raise error

    model = linear()
    with pytest.raises(error):
        run()
    assert model.weight.item() == 1.0


def test_every_epoch_needs_one_step() -> None:
    training = Training(stopper(9), linear())
    with pytest.raises(LoopError, match="epoch 0 was stepped 0 times: call"):
        list(training.epochs(3))
    for _ in training.epochs(3):
        training.step(loss=1.0)
        training.step(loss=0.5)
        break
    epochs = training.epochs(5)
    next(epochs)
    training.step(loss=1.0)
    training.step(loss=1.0)
    with pytest.raises(LoopError, match="epoch 2 was stepped 2 times"):
        next(epochs)


def test_the_time_counts_as_a_metric(tmp_path: Path) -> None:
    now = iter(range(0, 1000, 10))
    model = linear()
    rule = es.Stopper(es.TimeLimit(25) | es.Never(), es.Best("loss"))
    training = Training(rule, model, folder=tmp_path, clock=lambda: next(now))
    training.step(loss=1.0)
    training.close()
    rule = es.Stopper(es.TimeLimit(25) | es.Never(), es.Best("loss"))
    training = Training(rule, model, folder=tmp_path, resume=True, clock=lambda: next(now))
    assert not training.step(loss=1.0).stop  # 10 before, 10 now
    assert training.step(loss=1.0).reason == "30 s have passed, the limit is 25 s"
    assert not Training(es.Stopper(es.TimeLimit(9)), model).step(elapsed_seconds=8).stop


# Metrics ----------------------------------------------------------------------------------------


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
        f"m{i}": torch.Tensor._make_subclass(Far, torch.tensor(i / 8), True) for i in range(9)
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
def test_a_tensor_counts_as_the_very_number_it_holds(dtype: torch.dtype) -> None:
    tensor = torch.tensor(0.1 if dtype.is_floating_point else 1).to(dtype)
    far = torch.Tensor._make_subclass(Far, tensor)
    exact = torch.tensor(0.1, dtype=torch.float64)
    values = numbers({"here": tensor, "there": far, "exact": exact})
    assert values == {"here": float(tensor), "there": float(tensor), "exact": 0.1}


@pytest.mark.parametrize(
    "bad", [torch.ones(1), torch.ones(2, 2), torch.tensor(1j), "0.5", None, [1.0]]
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


# Files ------------------------------------------------------------------------------------------


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


def test_the_best_few_are_kept_by_the_metric_of_the_save_rule(tmp_path: Path) -> None:
    model = linear()
    training = Training(
        stopper(9), model, folder=tmp_path, keep_best=3, keep_last=0, name="{epoch}-{loss:.1f}.pt"
    )
    train(training, model, [5.0, 3.0, 4.0, 4.0, 6.0])
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == [
        "1-3.0.pt",
        "2-4.0.pt",
        "3-4.0.pt",
    ]


def test_what_could_not_be_loaded_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    class Odd:
        def state_dict(self) -> Any:
            return {"x": np.float64(1.0), "y": Path("x")}

        def load_state_dict(self, state: Any) -> None:
            raise AssertionError

    with (
        Training(stopper(), linear(), folder=tmp_path, odd=Odd()) as training,
        pytest.raises(es.StateError, match="cannot be loaded safely"),
    ):
        training.step(loss=1.0)
    assert read_ledger(tmp_path) == ()


def test_a_file_that_would_execute_something_is_not_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    with Training(stopper(), linear(), folder=tmp_path / "run") as training:
        training.step(loss=1.0)
    torch.save({"model": Evil()}, tmp_path / "run" / "0000.pt")
    with pytest.raises(es.StateError, match="damaged, or unsafe"):
        Training(stopper(), linear(), folder=tmp_path / "run", resume=True)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "damaged"),
        (b"half of a file", "damaged"),
        ({"format": "x"}, "was not written by a Training"),
        ({"format": "earlystop.Training", "version": 9}, "has version 9"),
    ],
)
def test_a_damaged_file_is_a_clear_error(content: Any, text: str, tmp_path: Path) -> None:
    with Training(stopper(), linear(), folder=tmp_path) as training:
        training.step(loss=1.0)
    if isinstance(content, bytes):
        (tmp_path / "0000.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "0000.pt")
    with pytest.raises(es.StateError, match=text):
        Training(stopper(), linear(), folder=tmp_path, resume=True)


class Full:
    """A file on a disk that has no room left."""

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        pass


def test_a_full_disk_is_told_as_such_and_the_step_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import earlystop.adapters.torch as adapter

    noting: Any = adapter._Noting
    model = linear()
    with Training(stopper(), model, folder=tmp_path) as training:
        train(training, model, LOSSES[:2])
        with monkeypatch.context() as patch:
            patch.setattr(adapter, "_Noting", lambda file: noting(Full()))
            with pytest.raises(es.CheckpointError, match="be written: No space left on device"):
                training.step(loss=1.0)
        assert training.stopper.epoch == 2
        assert training.restore_best() == 1
        torch.nn.init.constant_(model.weight, 2.0)
        assert training.step(loss=1.0).save
        torch.nn.init.constant_(model.weight, 3.0)
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", lambda path: 1 / 0)  # once the epoch is saved
            with pytest.raises(ZeroDivisionError):
                training.step(loss=0.5)
        assert training.stopper.epoch == 4
    assert model.weight.item() == 3.0


def test_a_best_that_somebody_deleted_is_an_error(tmp_path: Path) -> None:
    model = linear()
    training = Training(stopper(9), model, folder=tmp_path)
    train(training, model, LOSSES[:3])
    training.close()
    (tmp_path / "0001.pt").unlink()
    training = Training(stopper(9), model, folder=tmp_path, resume=True)
    with pytest.raises(es.CheckpointError, match="the best, epoch 1, is not in the folder"):
        training.restore_best()


# Going on ---------------------------------------------------------------------------------------


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


def test_interrupted_after_any_epoch_a_run_ends_as_if_it_never_was(tmp_path: Path) -> None:
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
def test_a_run_is_resumed_by_the_same_or_not_at_all(
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

    def begun() -> tuple[Training, Any]:
        model = linear()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return Training(stopper(), model, rng=True, optimizer=optimizer), model

    def trained(training: Training, model: Any, epochs: int) -> list[Any]:
        decisions = []
        for epoch in training.epochs(epochs):
            model.zero_grad()
            (model(torch.rand(1)) ** 2).sum().backward()
            training._parts["optimizer"].step()
            decisions.append((training.step(loss=losses[epoch]), model.weight.item()))
        return decisions

    torch.manual_seed(1)
    whole, model = begun()
    wanted = trained(whole, model, 7)
    assert whole.restore_best() == 3
    best = model.weight.item()
    torch.manual_seed(1)
    first, model = begun()
    before = trained(first, model, cut)
    first.save(tmp_path / "state.pt")
    torch.manual_seed(2)
    second, model = begun()
    second.load(tmp_path / "state.pt")
    assert before + trained(second, model, 7) == wanted
    assert second.restore_best() == 3
    assert model.weight.item() == best
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_file_that_was_not_saved_so_is_refused(tmp_path: Path) -> None:
    training = Training(stopper(), linear(), folder=tmp_path / "run")
    training.step(loss=1.0)
    training.save(tmp_path / "state.pt")
    other = Training(stopper(), linear())
    with pytest.raises(es.StateError, match=r"was not written by `Training\.save`"):
        other.load(training.checkpoints.best_path)
    with pytest.raises(LoopError, match="would leave the folder with checkpoints of another run"):
        training.load(tmp_path / "state.pt")
    with pytest.raises(es.StateError, match="this Training has other"):
        Training(stopper(), linear(), other=linear()).load(tmp_path / "state.pt")
    with pytest.raises(es.StateError, match="was saved by other rules"):
        Training(stopper(3), linear()).load(tmp_path / "state.pt")
    (tmp_path / "state.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(es.StateError, match="is damaged, or unsafe"):
        other.load(tmp_path / "state.pt")
    with pytest.raises(es.CheckpointError, match="cannot be read"):
        other.load(tmp_path / "there is none.pt")


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


def test_checkpoints_of_something_else_are_refused(tmp_path: Path) -> None:
    saved = {"format": "earlystop.Training", "version": 1, "model": 0, "parts": 0, "rng": 0}
    with es.Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(lambda path: torch.save(saved, path), epoch=0)
    with pytest.raises(es.StateError, match="by something else"):
        Training(stopper(), linear(), folder=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("arguments", "settings", "text"),
    [
        ((es.Patience("loss"), linear()), {}, "`Training\\(stopper\\)` must be a Stopper"),
        ((stopper(), "model"), {}, "`Training\\(model\\)` must be a torch.nn.Module, got 'model'"),
        ((stopper(), linear()), {"best_on": "disk"}, "best_on=...\\)` must be one of"),
        ((stopper(), linear()), {"ranks": "all"}, "ranks=...\\)` must be one of"),
        (
            (stopper(), linear()),
            {"optimizer": 3},
            "`Training\\(optimizer=...\\)` must have `state_",
        ),
        ((stopper(), linear()), {"resume": True}, "needs a folder"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: Any, settings: Any, text: str) -> None:
    with pytest.raises(es.RuleError, match=text):
        Training(*arguments, **settings)


def test_a_sharded_model_is_refused() -> None:
    model = linear()
    model.weight.full_tensor = lambda: None
    with pytest.raises(es.RuleError, match="weight is sharded over the ranks"):
        Training(stopper(), model)


# Several ranks ----------------------------------------------------------------------------------

EXPECTED = [
    "epoch 0: save, continue",
    "epoch 1: save, continue",
    "epoch 2: continue",
    "epoch 3: stop: loss has not improved on 3 (epoch 1) by more than 0 for 2 epochs",
]


@pytest.fixture(scope="module", params=[2, 4])
def ranks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What each rank of a real run came to, and None if one did not end."""
    folder, world = tmp_path_factory.mktemp("ranks"), request.param
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests" / "support" / "ranks.py")]
    processes = [
        subprocess.Popen([*command, str(rank), str(world), str(folder)], env=environment)
        for rank in range(world)
    ]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0] * world
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(world)]


def test_all_ranks_decide_as_the_first_and_it_alone_writes(ranks: list[Any]) -> None:
    for rank, told in enumerate(ranks):
        assert told["first_decides"] == [EXPECTED, 1.0, rank == 0]


def test_all_ranks_decide_on_the_mean(ranks: list[Any]) -> None:
    for told in ranks:
        assert told["mean_decides"] == [EXPECTED, 1.0, 3.0]


def test_an_error_of_one_rank_is_raised_on_all_and_none_waits(ranks: list[Any]) -> None:
    for rank, told in enumerate(ranks):
        wrong, missing, wrong_mean, names, there, written = told["errors_reach_all"]
        assert wrong.startswith("MetricError: rank 0: the metric 'loss' must be one real number")
        assert missing.startswith("MissingMetricError: no metric 'loss' at epoch 0")
        assert wrong_mean.startswith("MetricError: rank 1: the metric 'loss' must be one")
        assert "rank 1 reports acc, elapsed_seconds, loss, rank 0 elapsed_seconds, loss" in names
        assert "holds the checkpoints of an earlier run (last epoch 3, best epoch 1)" in there
        assert "cannot be written" in written
        assert ("rank 0 failed" in written) == (rank > 0)


def test_ranks_that_are_interrupted_go_on_with_their_own_random_numbers(ranks: list[Any]) -> None:
    for told in ranks:
        assert told["resumed"] == [EXPECTED, True, 1, 1.0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_killed_again_and_again_a_run_loses_nothing_and_ends_as_if_left_alone() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "benchmarks" / "kill.py"), "--kills", "20"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "    20 kills\n" in done.stdout
    assert "runs that ended as if left alone" in done.stdout
    assert "nothing was lost" in done.stdout
