"""Agreement of ranks: all get the same result, and all raise when one fails."""

from __future__ import annotations

from typing import Any

import pytest

import earlystop as es
from earlystop.engine.ranks import OneProcess, agree, on_first
from earlystop.engine.session import Session
from tests.support.threads import ThreadRanks, on_ranks


@pytest.mark.parametrize("size", [1, 2, 3])
def test_only_rank_0_acts_and_all_ranks_get_the_result(size: int) -> None:
    acted = []

    def action(ranks: ThreadRanks) -> Any:
        return on_first(ranks, lambda: acted.append(ranks.rank) or "result")

    assert on_ranks(size, action) == ["result"] * size
    assert acted == [0]


def test_an_error_on_rank_0_is_raised_there_and_reported_on_the_others() -> None:
    def action(ranks: ThreadRanks) -> Any:
        return on_first(ranks, lambda: 1 / 0)

    first, *others = on_ranks(3, action)
    assert isinstance(first, ZeroDivisionError)
    for error in others:
        assert isinstance(error, es.CheckpointError)
        assert str(error) == "rank 0 failed: ZeroDivisionError: division by zero"


def test_metrics_are_those_of_rank_0_or_the_mean() -> None:
    def action(ranks: ThreadRanks) -> Any:
        at = {"epoch": 0.5 + ranks.rank, "step": 7.0 + ranks.rank}
        own = {"loss": float(ranks.rank), "elapsed_seconds": 10.0 + ranks.rank, **at}
        return agree(ranks, lambda: own), agree(ranks, lambda: own, average=True)

    of_first = {"loss": 0.0, "elapsed_seconds": 10.0, "epoch": 0.5, "step": 7.0}
    mean = {**of_first, "loss": 1.0}
    assert on_ranks(3, action) == [(of_first, mean)] * 3


def test_metrics_of_other_ranks_are_ignored_without_a_mean() -> None:
    def action(ranks: ThreadRanks) -> Any:
        return agree(ranks, lambda: {"loss": 1 / (1 - ranks.rank)})

    assert on_ranks(2, action) == [{"loss": 1.0}] * 2


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_bad_metric_on_one_rank_is_an_error_on_all(wrong: int) -> None:
    def action(ranks: ThreadRanks) -> Any:
        session = Session(es.EarlyStopping("loss"), ranks=ranks, average=True)
        return session.collect({"loss": "x" if ranks.rank == wrong else 1.0})

    for error in on_ranks(2, action):
        assert isinstance(error, es.MetricError)
        assert str(error).startswith(f"rank {wrong}: the metric 'loss' must be one real number")


def test_a_mean_of_different_metrics_is_an_error_on_all() -> None:
    def action(ranks: ThreadRanks) -> Any:
        own = {"loss": 1.0} if ranks.rank else {}
        return agree(ranks, lambda: own, average=True)

    for error in on_ranks(2, action):
        assert isinstance(error, es.MetricError)
        assert str(error) == (
            "rank 1 reports loss, rank 0 nothing: to decide on the mean, all ranks must report "
            "the same metrics"
        )


def test_sessions_of_several_ranks_take_the_same_decisions() -> None:
    losses = [5.0, 3.0, 4.0, 4.0]

    def action(ranks: ThreadRanks) -> Any:
        session = Session(es.EarlyStopping("loss", patience=2), ranks=ranks, average=True)
        shift = ranks.rank - 1.0
        return [session.step(session.collect({"loss": loss + shift}))[:3] for loss in losses]

    alone = es.EarlyStopping("loss", patience=2)
    expected = [alone.step({"loss": loss})[:3] for loss in losses]
    assert on_ranks(3, action) == [expected] * 3


def test_a_single_process_agrees_with_itself() -> None:
    alone = OneProcess()
    assert (alone.share(3), alone.gather(3)) == (3, [3])
    assert agree(alone, lambda: {"loss": 1.0}) == {"loss": 1.0}
