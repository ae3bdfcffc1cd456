"""Two ranks of a real run of ignite, which decide together."""

from __future__ import annotations

from pathlib import Path

from tests.support.launched import run_together, told_by

RULE_REASON = "loss has not improved on 3 (epoch 2, step 2) by more than 0 for 2 epochs"
SCORE_REASON = (
    "score has not improved on its best, now -3, by more than 0 for 2 epochs; "
    "it last improved at epoch 2, step 2"
)


def test_two_ranks_end_at_the_same_epoch_by_the_metrics_of_the_first(tmp_path: Path) -> None:
    run_together("ignite_ranks.py", [[rank, 2, tmp_path] for rank in range(2)], tmp_path)
    for by_score, by_rule, wrong in told_by(2, tmp_path):
        assert by_score == [4, SCORE_REASON]
        assert by_rule == [4, RULE_REASON]
        assert wrong[0] == "MetricError"
        assert wrong[1].startswith("rank 0: the metric 'loss' must be one real number")
