"""Several ranks: real processes that decide together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.torch.ranks import TorchRanks

ROOT = Path(__file__).parents[3]


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


def test_all_ranks_decide_as_rank_0_does_and_only_rank_0_writes(ranks: list[Any]) -> None:
    for rank, seen in enumerate(ranks):
        assert seen["first_decides"] == [EXPECTED, 1.0, rank == 0]


def test_all_ranks_decide_on_the_mean(ranks: list[Any]) -> None:
    for seen in ranks:
        assert seen["mean_decides"] == [EXPECTED, 1.0, 3.0]


def test_an_error_on_one_rank_is_raised_on_all_so_no_rank_deadlocks(ranks: list[Any]) -> None:
    for rank, seen in enumerate(ranks):
        wrong, missing, wrong_mean, names, there, written = seen["errors_reach_all"]
        assert wrong.startswith("MetricError: rank 0: the metric 'loss' must be one real number")
        assert missing.startswith("MissingMetricError: no metric 'loss' at epoch 0")
        assert wrong_mean.startswith("MetricError: rank 1: the metric 'loss' must be one")
        assert "rank 1 reports acc, elapsed_seconds, loss, rank 0 elapsed_seconds, loss" in names
        assert "holds the checkpoints of an earlier run (last epoch 3, best epoch 1)" in there
        assert "cannot be written" in written
        assert ("rank 0 failed" in written) == (rank > 0)


def test_interrupted_ranks_go_on_with_their_own_random_numbers(ranks: list[Any]) -> None:
    for seen in ranks:
        assert seen["resumed"] == [EXPECTED, True, 1, 1.0]


def test_without_a_process_group_there_is_one_rank_that_agrees_with_itself() -> None:
    ranks = TorchRanks()
    assert (ranks.size, ranks.rank, ranks.share("x"), ranks.gather("x")) == (1, 0, "x", ["x"])
