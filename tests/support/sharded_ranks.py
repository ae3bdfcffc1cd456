"""One rank of a run with a sharded model, for tests of the PyTorch adapter.

Run as `python sharded_ranks.py RANK WORLD FOLDER CASE ...`; writes FOLDER/CASE-RANK.json for each.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from earlystop.adapters.torch import Training
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import earlystop as es

RANK, WORLD, FOLDER = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
LOSSES = [5.0, 3.0, 4.0, 2.0, 2.5]


class Run:
    """A small training in which everything matters: momenta, a schedule, uneven shards."""

    def __init__(self, folder: Path | None, seed: int = 0) -> None:
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
            init_method=f"file://{FOLDER}/meeting-{WORLD}",
            rank=RANK,
            world_size=WORLD,
            timeout=datetime.timedelta(seconds=60),
        )
    cases: dict[str, Callable[[], Any]]
    cases = {"resumed": resumed, "errors": errors, "reread": reread}
    for case in sys.argv[4:]:
        (FOLDER / f"{case}-{RANK}.json").write_text(json.dumps(cases[case]()))
    if WORLD > 1:
        dist.barrier()
        dist.destroy_process_group()


main()
