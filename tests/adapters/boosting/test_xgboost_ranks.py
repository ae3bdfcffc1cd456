"""Two workers of a real distributed training of XGBoost, which decide alike."""

from __future__ import annotations

import json

import pytest
from xgboost.tracker import RabitTracker

from tests.support.launched import run_together, told_by


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[object]]]:
    """What each of two workers came to."""
    folder = tmp_path_factory.mktemp("workers")
    tracker = RabitTracker(host_ip="127.0.0.1", n_workers=2)
    tracker.start()
    workers = [[folder, json.dumps(tracker.worker_args())]] * 2
    run_together("xgboost_ranks.py", workers, folder)
    tracker.wait_for()
    return told_by(2, folder)


def test_workers_stop_at_the_same_round_with_the_same_best(
    workers: list[dict[str, list[object]]],
) -> None:
    assert workers[0] == workers[1]
    assert workers[0]["own arguments"][:2] == workers[0]["theirs"]


def test_workers_go_on_from_a_model_as_if_never_interrupted(
    workers: list[dict[str, list[object]]],
) -> None:
    assert workers[0]["resumed"] == workers[0]["own arguments"]


def test_workers_decide_on_the_mean_of_a_metric_in_which_they_differ(
    workers: list[dict[str, list[object]]],
) -> None:
    reason = "valid-own has not improved on 6 (epoch 2) by more than 0 for 3 epochs"
    assert workers[1]["own values"] == [6, 2, reason]
