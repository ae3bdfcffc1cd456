"""`Training(asynchronous=True)`: written in the background, and none the worse for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import earlystop.adapters.torch
import pytest
import torch
from earlystop.adapters.torch import Training, files
from earlystop.adapters.torch.background import Background

import earlystop as es
from earlystop.checkpoints import read_ledger
from tests.adapters.torch.runs import LOSSES, linear, stopper, train
from tests.support.interrupts import interrupted_everywhere

ROOT = Path(__file__).parents[3]
BACKGROUND = str(Path(earlystop.adapters.torch.__file__).parent / "background.py")


class Disk:
    """What files are written through: can be held up, or full."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.full = False
        self._write = files.write

    def write(self, path: Path, body: Any) -> None:
        assert self.free.wait(10)
        if self.full:
            raise OSError(28, "No space left on device")
        self._write(path, body)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    monkeypatch.setattr(files, "write", disk.write)
    yield disk
    disk.free.set()


def training(folder: Path, **settings: Any) -> Training:
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return Training(
        stopper(), model, folder=folder, optimizer=optimizer, asynchronous=True, **settings
    )


def step(training: Training) -> es.Decision:
    torch.nn.init.constant_(training.model.weight, training.epoch)
    return training.step(loss=LOSSES[training.epoch])


def listed(folder: Path) -> list[int]:
    return [entry.epoch for entry in read_ledger(folder)]


def reported(folder: Path) -> list[float]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_a_run_saves_what_one_does_that_waits_for_the_disk(tmp_path: Path) -> None:
    same: dict[str, Any] = {"keep_last": 3, "rng": True, "clock": lambda: 0.0}
    with Training(stopper(), linear(), folder=tmp_path / "a", **same) as one:
        decisions = train(one, one.model)
    with Training(stopper(), linear(), folder=tmp_path / "b", asynchronous=True, **same) as again:
        assert train(again, again.model) == decisions
    assert one.model.weight.item() == again.model.weight.item() == 1
    ledgers = [read_ledger(tmp_path / name) for name in "ab"]
    for first, second in zip(*ledgers, strict=True):
        assert first == second
        read = [torch.load(tmp_path / n / first.file, weights_only=True) for n in "ab"]
        assert read[0]["model"] == read[1]["model"]
    assert again.history["loss"] == one.history["loss"]


def test_a_step_returns_before_the_disk_has_it_and_what_is_written_is_what_there_was(
    tmp_path: Path, disk: Disk
) -> None:
    run = training(tmp_path)
    for epoch in range(3):
        disk.free.clear()
        step(run)
        assert epoch not in listed(tmp_path)
        torch.nn.init.constant_(run.model.weight, 99)  # the training goes on
        disk.free.set()
        assert run.checkpoints.last.epoch == epoch  # to read is to wait
        saved = torch.load(run.checkpoints.last_path, weights_only=True)
        assert saved["model"]["weight"].item() == saved["epoch"] == epoch
    assert run.restore_best(parts=True) == 1
    run.close()


def test_the_step_that_stops_the_run_waits_for_the_disk(tmp_path: Path, disk: Disk) -> None:
    run = training(tmp_path)
    while not step(run).stop:
        pass
    assert listed(tmp_path) == [1, 3]
    run.close()


def test_an_epoch_that_is_not_kept_is_not_copied_but_its_metrics_are_written(
    tmp_path: Path, disk: Disk
) -> None:
    run = training(tmp_path, keep_last=0)
    step(run), step(run)
    run.checkpoints  # noqa: B018
    disk.free.clear()
    step(run)
    assert run.restore_best() == 1
    run.close()
    assert run.history["loss"] == reported(tmp_path)


@pytest.mark.parametrize(
    "call",
    [step, Training.restore_best, Training.close, lambda run: run.__exit__(None, None, None)],
    ids=["step", "restore_best", "close", "exit"],
)
def test_the_next_call_tells_what_failed_and_names_the_epoch(
    call: Callable[[Training], Any], tmp_path: Path, disk: Disk
) -> None:
    run = training(tmp_path)
    step(run), run.checkpoints
    disk.full = True
    step(run)
    assert run.checkpoints.last.epoch == 0  # reading leaves the error to a call of all ranks
    disk.full = False
    told = r"epoch 1 could not be saved in the background: .*: No space left on device"
    with pytest.raises(es.CheckpointError, match=told):
        call(run)
    assert run.epoch == 2
    assert listed(tmp_path) == [0]
    run.close()
    with training(tmp_path, resume=True) as again:
        assert again.epoch == 1
        while not step(again).stop:
            pass
    assert again.model.weight.item() == 1


def test_a_run_goes_on_after_an_epoch_that_could_not_be_saved_and_its_metrics_stay(
    tmp_path: Path, disk: Disk
) -> None:
    run = training(tmp_path, keep_last=9)
    step(run), run.checkpoints
    disk.full = True
    step(run), run.checkpoints
    disk.full = False
    with pytest.raises(es.CheckpointError, match="epoch 1"):
        step(run)
    step(run)
    run.close()
    assert listed(tmp_path) == [0, 2]
    with pytest.warns(es.CheckpointWarning, match="the best of this run, epoch 1, is no longer"):
        again = training(tmp_path, resume=True)
    assert again.history["loss"] == LOSSES[:3]
    again.close()


def test_a_step_that_stops_and_cannot_be_saved_is_taken_back_and_can_be_repeated(
    tmp_path: Path, disk: Disk
) -> None:
    run = training(tmp_path)
    for _ in range(3):
        step(run)
    run.checkpoints  # noqa: B018
    disk.full = True
    with pytest.raises(es.CheckpointError, match="epoch 3 could not be saved"):
        step(run)
    assert run.epoch == 3
    disk.full = False
    assert step(run).stop
    run.close()
    assert listed(tmp_path) == [1, 3]
    assert reported(tmp_path) == LOSSES[:4]


RUN = """
import sys, time, torch, earlystop as es
from pathlib import Path
from earlystop.adapters.torch import files
from tests.adapters.torch.test_background import step, training
folder, how = Path(sys.argv[1]), sys.argv[2]
run = training(folder)
step(run), step(run), run.checkpoints
write = files.write
def slowly(path, body):
    path.write_bytes(b"half")
    (folder.parent / "begun").touch()
    time.sleep(0.3 if how == "end" else 60)
    write(path, body)
files.write = slowly
step(run)
if how == "fork":
    import os
    if os.fork() == 0:
        run.close()
        sys.exit()
    os.wait()
    os._exit(0)
"""


def process(folder: Path, how: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), how], env=environment)


def test_a_kill_while_a_checkpoint_is_written_leaves_those_before_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    killed = process(folder, "kill")
    while not (tmp_path / "begun").exists():
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    assert listed(folder) == [1]
    assert (folder / ".new-0002.pt").exists()
    with training(folder, resume=True) as run:
        assert run.epoch == 2
        assert not step(run).stop
        assert step(run).stop
    assert run.model.weight.item() == 1


@pytest.mark.parametrize(("how", "epochs"), [("end", [1, 2]), ("fork", [1])])
def test_the_end_of_the_process_waits_for_the_disk_and_that_of_its_fork_does_not(
    how: str, epochs: list[int], tmp_path: Path
) -> None:
    assert process(tmp_path / "run", how).wait(30) == 0
    assert listed(tmp_path / "run") == epochs


def test_wherever_it_is_interrupted_an_action_is_run_once_or_never_and_can_be_waited_for() -> None:
    ran: list[int] = []

    def begin(background: Background) -> None:
        background.start(lambda: ran.append(1), 0)
        background.wait()

    for background in interrupted_everywhere(Background, begin, BACKGROUND):
        background.close()
        background.close()
        assert len(ran) <= 1
        ran.clear()
        background.start(lambda: ran.append(2), 1)
        background.close()
        assert ran == [2]
        ran.clear()


def test_without_threads_it_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import _thread

    def start_new_thread(*arguments: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
    run = training(tmp_path)
    step(run)
    assert listed(tmp_path) == [0]
    run.close()


def test_it_needs_a_folder_and_is_a_bool(tmp_path: Path) -> None:
    with pytest.raises(es.RuleError, match=r"`Training\(asynchronous=...\)` needs a folder"):
        Training(stopper(), linear(), asynchronous=True)
    with pytest.raises(es.RuleTypeError, match="asynchronous"):
        Training(stopper(), linear(), folder=tmp_path, asynchronous="yes")
