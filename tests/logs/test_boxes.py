"""Boxes that loggers of reinforcement learning print."""

from __future__ import annotations

from pathlib import Path

import pytest

import earlystop as es
from tests.logs.reading import logged, read, write

STABLE_BASELINES = """\
Using cpu device
---------------------------------
| rollout/           |          |
|    ep_len_mean     | 250      |
|    ep_rew_mean     | -1.5     |
| time/              |          |
|    total_timesteps | 2048     |
---------------------------------
-----------------------------------
| rollout/             |          |
|    ep_rew_mean       | 2.5e+01  |
| time/                |          |
|    total_timesteps   | 4096     |
| train/               |          |
|    loss              | 0.125    |
-----------------------------------
"""
BASELINES = """\
_Q_lr: 0.001
_layers: 3
Training...
-------------------------------
| epoch             | 0       |
| test/success_rate | 0.25    |
| train/mode        | greedy  |
-------------------------------
Saving the policy
-------------------------------
| epoch             | 1       |
| test/success_rate | 0.75    |
| train/mode        | greedy  |
-------------------------------
"""
SPINNING_UP = """\
---------------------------------------
|             Epoch |               0 |
|      AverageEpRet |            21.5 |
---------------------------------------
---------------------------------------
|             Epoch |               1 |
|      AverageEpRet |            35.5 |
---------------------------------------
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "name", "values", "counter"),
    [
        (STABLE_BASELINES, "rollout/ep_rew_mean", [-1.5, 25.0], "time/total_timesteps"),
        (STABLE_BASELINES, "train/loss", [0.125], "time/total_timesteps"),
        (BASELINES, "test/success_rate", [0.25, 0.75], "epoch"),
        (SPINNING_UP, "AverageEpRet", [21.5, 35.5], "Epoch"),
    ],
)
def test_each_box_is_a_check(
    text: str, name: str, values: list[float], counter: str, end: str, tmp_path: Path
) -> None:
    text = text.replace("\n", end)
    history = read(text)
    assert history.lengths.tolist() == [2]
    assert logged(history, name) == values
    assert list(history.coordinates) == [counter]
    write(tmp_path / "output.txt", text)
    assert logged(es.read_history(tmp_path), name) == values


def test_text_in_a_box_is_told_as_left_out() -> None:
    assert "no numbers, left out: train/mode" in str(read(BASELINES).report)


def test_the_boxes_beside_the_log_of_their_run_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "progress.csv", "time/total_timesteps,train/loss\n2048,0.5\n4096,0.125\n")
    write(tmp_path / "log.txt", STABLE_BASELINES)
    history = es.read_history(tmp_path)
    assert history.names == ("progress",)
    assert "console output beside another log" in str(history.report)


def test_a_box_of_other_figures_is_no_log() -> None:
    box = "----------------\n| width | 5     |\n| name  | mine  |\n----------------\n"
    with pytest.raises(es.LogError):
        read(box)
