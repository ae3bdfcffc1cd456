"""Two ranks of a real run of ignite, which decide together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

RULE_REASON = "loss has not improved on 3 (epoch 2, step 2) by more than 0 for 2 epochs"
SCORE_REASON = (
    "score has not improved on its best, now -3, by more than 0 for 2 epochs; "
    "it last improved at epoch 2, step 2"
)


def test_two_ranks_end_at_the_same_epoch_by_the_metrics_of_the_first(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    script = [sys.executable, str(ROOT / "tests" / "support" / "ignite_ranks.py")]
    processes = [
        subprocess.Popen([*script, str(rank), "2", str(tmp_path)], env=environment)
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for rank in range(2):
        by_score, by_rule, wrong = json.loads((tmp_path / f"{rank}.json").read_text())
        assert by_score == [4, SCORE_REASON]
        assert by_rule == [4, RULE_REASON]
        assert wrong[0] == "MetricError"
        assert wrong[1].startswith("rank 0: the metric 'loss' must be one real number")
