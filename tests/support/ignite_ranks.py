"""One rank of a distributed run of ignite, for tests of its adapter.

Run as `python ignite_ranks.py RANK WORLD FOLDER`; writes FOLDER/RANK.json.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
from pathlib import Path
from typing import Any

import torch.distributed as dist
from earlystop.adapters.ignite import EarlyStopping
from ignite.engine import Engine, Events

import earlystop as es

RANK, WORLD, FOLDER = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
LOSSES = [5.0, 3.0, 4.0, 4.0, 2.0, 1.0]


def run(arguments: dict[str, Any], loss: Any) -> list[Any]:
    """A run of at most 6 epochs; each rank reports another loss."""
    trainer = Engine(lambda engine, batch: None)
    evaluator = Engine(lambda engine, batch: None)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    evaluator.add_event_handler(
        Events.STARTED, lambda: evaluator.state.metrics.update(loss=loss(trainer.state.epoch - 1))
    )
    handler = EarlyStopping(trainer=trainer, **arguments)
    handler.logger.setLevel(logging.ERROR)
    trainer.logger.setLevel(logging.CRITICAL)
    evaluator.logger.setLevel(logging.CRITICAL)
    evaluator.add_event_handler(Events.COMPLETED, handler)
    try:
        epochs = trainer.run([0], max_epochs=6).epoch
    except es.EarlystopError as error:
        return [type(error).__name__, str(error)]
    return [epochs, handler.stopped_reason]


def own(epoch: int) -> float:
    return LOSSES[epoch] if RANK == 0 else float(RANK - epoch)


def main() -> None:
    dist.init_process_group(
        "gloo",
        init_method=f"file://{FOLDER}/meeting",
        rank=RANK,
        world_size=WORLD,
        timeout=datetime.timedelta(seconds=60),
    )
    by_score = {"patience": 2, "score_function": lambda engine: -engine.state.metrics["loss"]}
    results = [
        run(by_score, own),
        run({"stop": es.Patience("loss", 2)}, own),
        run({"stop": es.Patience("loss", 2)}, lambda epoch: "x" if RANK == 0 else 1.0),
    ]
    (FOLDER / f"{RANK}.json").write_text(json.dumps(results))
    dist.barrier()
    dist.destroy_process_group()


main()
