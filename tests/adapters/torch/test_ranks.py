"""Several ranks: real processes that decide together."""

from __future__ import annotations

from typing import Any

import pytest
from earlystop.adapters.torch.ranks import TorchRanks

from tests.support.launched import run_together, told_by

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
    run_together("ranks.py", [[rank, world, folder] for rank in range(world)], folder)
    return told_by(world, folder)


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
