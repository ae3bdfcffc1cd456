"""Two workers of a real distributed training of XGBoost, which decide alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from xgboost.tracker import RabitTracker

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[object]]]:
    """What each of two workers came to."""
    folder = tmp_path_factory.mktemp("workers")
    tracker = RabitTracker(host_ip="127.0.0.1", n_workers=2)
    tracker.start()
    script = str(ROOT / "tests" / "support" / "xgboost_ranks.py")
    command = [sys.executable, script, str(folder), json.dumps(tracker.worker_args())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    processes = [subprocess.Popen(command, env=environment) for _ in range(2)]
    try:
        assert [process.wait(timeout=90) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    tracker.wait_for()
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


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
