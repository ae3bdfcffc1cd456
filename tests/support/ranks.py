"""One rank of a distributed run, for tests of the PyTorch adapter: runs every case, writes results.

Run as `python ranks.py RANK WORLD FOLDER`; writes FOLDER/RANK.json.
"""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from earlystop.adapters.torch import Training

import earlystop as es

RANK, WORLD, FOLDER = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
LOSSES = [5.0, 3.0, 4.0, 4.0, 2.0, 1.0]


def wrapped() -> Any:
    return torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1, bias=False))


def weight(model: Any) -> float:
    return float(model.module.weight.item())


def train(training: Training, model: Any, report: Any) -> list[str]:
    decisions = []
    for epoch in training.epochs(len(LOSSES)):
        with torch.no_grad():
            model.module.weight.fill_(epoch)
        torch.rand(RANK + 1)  # every rank draws numbers of its own
        decisions.append(str(training.step(report(epoch))))
    return decisions


def first_decides() -> Any:
    """Every rank reports something else."""
    model = wrapped()
    folder = FOLDER / "first"
    with Training(es.EarlyStopping("loss", patience=2), model, folder=folder) as training:
        decisions = train(
            training, model, lambda epoch: {"loss": LOSSES[epoch] if RANK == 0 else RANK - epoch}
        )
    return decisions, weight(model), training.checkpoints is not None


def mean_decides() -> Any:
    """The means are LOSSES; no rank's own are."""
    model = wrapped()
    shift = RANK - (WORLD - 1) / 2
    with Training(es.EarlyStopping("loss", patience=2), model, ranks="mean") as training:
        decisions = train(training, model, lambda epoch: {"loss": LOSSES[epoch] + 9 * shift})
    return decisions, weight(model), training.stopper.best


def errors_reach_all() -> Any:
    texts = []
    for ranks, report in (
        ("first", {"loss": "x"} if RANK == 0 else {"loss": 1.0}),
        ("first", {"los": 1.0} if RANK == 0 else {"loss": 1.0}),
        ("mean", {"loss": "x"} if RANK == 1 else {"loss": 1.0}),
        ("mean", {"loss": 1.0, "acc": 1.0} if RANK == 1 else {"loss": 1.0}),
    ):
        training = Training(es.EarlyStopping("loss"), wrapped(), ranks=ranks)
        try:
            training.step(report)
        except es.EarlystopError as error:
            texts.append(f"{type(error).__name__}: {error}")
    try:  # there is a run in this folder
        Training(es.EarlyStopping("loss"), wrapped(), folder=FOLDER / "first")
    except es.CheckpointError as error:
        texts.append(str(error))
    training = Training(es.EarlyStopping("loss"), wrapped(), folder=FOLDER / "gone")
    if RANK == 0:
        (FOLDER / "gone" / "metrics.jsonl").mkdir()  # where a file is to be written
    try:
        training.step(loss=1.0)
    except es.CheckpointError as error:
        texts.append(str(error))
    training.close()
    return texts


def resumed() -> Any:
    """Interrupted after every epoch; each rank goes on with random numbers of its own."""
    torch.manual_seed(RANK)
    whole = [torch.rand(1).item() for _ in range(4)]
    drawn, decisions = [], []
    while True:
        model = wrapped()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        training = Training(
            es.EarlyStopping("loss", patience=2),
            model,
            optimizer=optimizer,
            folder=FOLDER / "resumed",
            resume=True,
            rng=True,
        )
        if training.epoch == 0:
            torch.manual_seed(RANK)  # making the model has drawn numbers
        left = list(training.epochs(1 << 20)) if training.stopper.stopped else [training.epoch]
        if not left:
            best = training.restore_best()
            training.close()
            return decisions, drawn == whole, best, weight(model)
        with torch.no_grad():
            model.module.weight.fill_(training.epoch)
        drawn.append(torch.rand(1).item())
        decisions.append(str(training.step(loss=LOSSES[training.epoch])))
        training.close()
        torch.rand(5)  # lost with the process


def main() -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{FOLDER}/meeting",
        rank=RANK,
        world_size=WORLD,
        timeout=datetime.timedelta(seconds=60),
    )
    results = {
        case.__name__: case() for case in (first_decides, mean_decides, errors_reach_all, resumed)
    }
    (FOLDER / f"{RANK}.json").write_text(json.dumps(results))
    dist.barrier()
    dist.destroy_process_group()


main()
