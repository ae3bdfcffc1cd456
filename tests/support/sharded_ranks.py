"""One rank of a run with a sharded model, for tests of the PyTorch adapter.

Run as `python sharded_ranks.py RANK WORLD FOLDER CASE ...`; writes FOLDER/CASE-RANK.json for each.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from earlystop.adapters.torch import Training
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import earlystop as es
from earlystop.checkpoints import read_ledger

RANK, WORLD, FOLDER = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
LOSSES = [5.0, 3.0, 4.0, 2.0, 2.5]


class Run:
    """A small training in which everything matters: momenta, a schedule, uneven shards."""

    def __init__(self, folder: Path | None, seed: int = 0, **settings: Any) -> None:
        torch.manual_seed(seed)
        self.model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 1))
        if WORLD > 1:
            mesh = init_device_mesh("cpu", (WORLD,))
            fully_shard(self.model[0], mesh=mesh)
            fully_shard(self.model, mesh=mesh)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 2, 0.5)
        self.training = Training(
            es.EarlyStopping("loss", patience=9),
            self.model,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            folder=folder,
            resume=folder is not None,
            clock=lambda: 0.0,
            **settings,
        )

    def epoch(self) -> str:
        epoch = self.training.epoch
        x = torch.arange(12.0).reshape(4, 3) / (12 + epoch)
        self.optimizer.zero_grad()
        self.model(x).square().mean().backward()
        self.optimizer.step()
        self.scheduler.step()
        return str(self.training.step(loss=LOSSES[epoch]))

    def weights(self) -> list[Any]:
        """All weights, whole."""
        values = self.model.state_dict().values()
        return [(v.full_tensor() if hasattr(v, "full_tensor") else v).tolist() for v in values]

    def spoil(self) -> Callable[[], None]:
        """Set the weights to zero; returns what takes it back."""
        shards = [parameter.detach().to_local() for parameter in self.model.parameters()]
        before = [shard.clone() for shard in shards]
        for shard in shards:
            shard.zero_()
        return lambda: [s.copy_(b) for s, b in zip(shards, before, strict=True)] and None


def resumed() -> Any:
    """A run that is interrupted after every epoch, beside one that never is."""
    whole = Run(None)
    expected = [(whole.epoch(), whole.weights()) for _ in LOSSES]
    told = []
    for seed, _ in enumerate(LOSSES):
        run = Run(FOLDER / "run", seed)  # other weights to begin with
        told.append((run.epoch(), run.weights()))
        run.training.close()
    assert told == expected
    last = Run(FOLDER / "run", 77)
    best = [last.training.restore_best(), last.weights()]
    last.training.close()
    assert best == [whole.training.restore_best(), whole.weights()] == [3, expected[3][1]]
    return expected


def errors() -> Any:
    """What fails on one rank fails on all, and leaves what there was."""
    import torch.distributed.checkpoint.filesystem as filesystem

    run = Run(FOLDER / "failed")
    told = [run.epoch()]
    original = filesystem.FileSystemWriter.write_data
    if RANK == WORLD - 1:

        def full(*arguments: Any) -> Any:
            raise OSError(28, "No space left on device")

        filesystem.FileSystemWriter.write_data = full
    try:
        run.epoch()
    except es.CheckpointError as error:
        told.append(str(error))
    filesystem.FileSystemWriter.write_data = original
    names = sorted(path.name for path in (FOLDER / "failed").iterdir())
    dist.barrier()
    told.append(run.epoch())
    try:
        run.training.save(FOLDER / "one.pt")
    except RuntimeError as error:
        told.append(str(error))
    run.training.close()
    return told, names, sorted(path.name for path in (FOLDER / "failed" / "0001.pt").iterdir())


def in_place_of_writing(write_data: Callable[..., Any]) -> Callable[[], None]:
    """Call something else with the function that writes the shards; returns what ends this."""
    import torch.distributed.checkpoint.filesystem as filesystem

    writer, original = filesystem.FileSystemWriter, filesystem.FileSystemWriter.write_data
    writer.write_data = lambda *arguments: write_data(lambda: original(*arguments))
    return lambda: setattr(writer, "write_data", original)


def refused(write: Callable[[], Any]) -> Any:
    raise OSError(28, "No space left on device")


def listed(folder: str) -> list[int]:
    return [entry.epoch for entry in read_ledger(FOLDER / folder)]


def background() -> Any:
    """A run that writes in the background, interrupted after epochs 1 and 3, beside another."""
    whole = Run(FOLDER / "whole")
    expected = [(whole.epoch(), whole.weights()) for _ in LOSSES]
    told, seen = [], []
    for seed, epochs in enumerate([2, 2, 1]):
        run = Run(FOLDER / "background", seed, asynchronous=True)
        for _ in range(epochs):
            written = threading.Event()
            end = in_place_of_writing(lambda write, until=written: until.wait(60) and write())
            decision = run.epoch()
            told.append((decision, run.weights()))
            dist.barrier()
            seen.append(listed("background"))
            dist.barrier()
            mend = run.spoil()  # what is written is what there was
            written.set()
            _ = run.training.checkpoints
            end()
            mend()
        run.training.close()
        dist.barrier()
        seen.append(listed("background"))
    best = [(each.training.restore_best(), each.weights()) for each in (whole, run)]
    whole.training.close()
    assert told == expected
    assert best[0] == best[1]
    return seen


def background_errors() -> Any:
    """What fails on one rank in the background fails in the next call on all of them."""
    run = Run(FOLDER / "late", asynchronous=True)
    told, epochs = [run.epoch()], []

    def failing() -> None:
        run.training._folder.wait()
        end = in_place_of_writing(refused) if RANK == WORLD - 1 else lambda: None
        told.append(run.epoch())
        _ = run.training.checkpoints
        end()

    def call(action: Callable[[], Any]) -> None:
        try:
            told.append(action())
        except es.CheckpointError as error:
            told.append(str(error))
        dist.barrier()
        epochs.append((run.training.epoch, listed("late")))

    failing()
    call(run.epoch)
    call(run.epoch)
    failing()
    call(run.training.restore_best)
    call(run.training.restore_best)
    failing()
    call(run.training.close)
    call(run.training.close)
    return told, epochs


def killed() -> Any:
    """All ranks are killed while one of them has written its shards, and another has not."""
    run = Run(FOLDER / "killed", asynchronous=True)
    run.epoch()
    run.epoch()
    run.training._folder.wait()
    written = threading.Event()

    def write(write_data: Callable[[], Any]) -> Any:
        if RANK == 0:
            write_data()
        written.set()
        threading.Event().wait()

    in_place_of_writing(write)
    run.epoch()
    assert written.wait(60)
    (FOLDER / f"ready-{RANK}").touch()
    while not all((FOLDER / f"ready-{rank}").exists() for rank in range(WORLD)):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def after_kill() -> Any:
    """The run that was killed goes on as one that was not."""
    whole = Run(None)
    expected = [(whole.epoch(), whole.weights()) for _ in LOSSES]
    run = Run(FOLDER / "killed", 5, asynchronous=True)
    begins = run.training.epoch
    assert [(run.epoch(), run.weights()) for _ in LOSSES[begins:]] == expected[begins:]
    best = [(each.training.restore_best(), each.weights()) for each in (whole, run)]
    assert best[0] == best[1]
    run.training.close()
    return begins


def reread() -> Any:
    """The run of another number of ranks, or of none."""
    run = Run(FOLDER / "run", 99)
    last = run.weights()
    momenta = run.optimizer.state_dict()["state"][0]["exp_avg"]
    run.training.restore_best()
    run.training.close()
    return run.training.epoch, last, run.weights(), list(momenta.shape)


def main() -> None:
    torch.set_num_threads(1)
    if WORLD > 1:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{FOLDER}/meeting-{WORLD}-{sys.argv[4]}",
            rank=RANK,
            world_size=WORLD,
            timeout=datetime.timedelta(seconds=60),
        )
    cases: dict[str, Callable[[], Any]]
    of_background = (background, background_errors, killed, after_kill)
    cases = {case.__name__: case for case in (resumed, errors, reread, *of_background)}
    for case in sys.argv[4:]:
        (FOLDER / f"{case}-{RANK}.json").write_text(json.dumps(cases[case]()))
    if WORLD > 1:
        dist.barrier()
        dist.destroy_process_group()


main()
