"""Two real processes in Lightning and in the Hugging Face Trainer decide alike, and end."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.support.launched import run_together, told_by


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module", params=["lightning", "transformers"])
def ranks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What each of two ranks came to."""
    folder = tmp_path_factory.mktemp("ranks")
    port = free_port()
    ranks = [[request.param, rank, 2, port, folder] for rank in range(2)]
    run_together("trainer_ranks.py", ranks, folder)
    return told_by(2, folder)


def test_all_ranks_decide_as_rank_0_does_whatever_their_own_metrics(ranks: list[Any]) -> None:
    assert ranks[0] == ranks[1]
    steps, checks, best, reason = ranks[0]["first decides"]
    assert (steps, best) == (4 * checks, 2)
    assert checks in (4, 5)  # Lightning's epochs count from 0
    assert "not improved on" in reason


def test_ranks_go_on_from_a_checkpoint_as_if_never_interrupted(ranks: list[Any]) -> None:
    for seen in ranks:
        whole = seen["rules"] if "rules" in seen else seen["first decides"]
        assert seen["resumed"] == whole


def test_the_mean_over_the_ranks_decides_where_lightning_logs_it(ranks: list[Any]) -> None:
    for seen in ranks:
        ours, theirs = seen.get("mean decides", [0, 0])
        assert ours == theirs


def test_a_metric_that_is_missing_is_an_error_on_all_ranks(ranks: list[Any]) -> None:
    for seen in ranks:
        assert "no metric '" in seen["missing"]
