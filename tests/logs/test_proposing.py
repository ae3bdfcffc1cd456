"""Patterns that are proposed for plain text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.cli.running import good, run
from tests.logs.reading import logged, write

TEXTS = [
    (
        "Epoch 1: Loss=0.9, Val Loss: 1.2\nEpoch 2: Loss=0.5, Val Loss: 0.8\n",
        {"loss": [0.9, 0.5], "val_loss": [1.2, 0.8]},
    ),
    (
        "Epoch 1: Train Loss=0.9, Val Loss=1.2\nEpoch 2: Train Loss=0.5, Val Loss=0.8\n",
        {"train_loss": [0.9, 0.5], "val_loss": [1.2, 0.8]},
    ),
    (
        "[2024-05-01 10:00:00,123][main][INFO] - epoch 1 loss 0.5 acc 0.25\n"
        "[2024-05-01 10:00:05,001][main][INFO] - epoch 2 loss 4e-1 acc nan\n",
        {"loss": [0.5, 0.4], "acc": [0.25, float("nan")]},
    ),
    (
        "Epoch 1/2\n-----\ntrain Loss: 0.5 Acc: 0.7\nval Loss: 0.6 Acc: 0.6\n\n"
        "Epoch 2/2\n-----\ntrain Loss: 0.4 Acc: 0.75\nval Loss: 0.5 Acc: 0.65\n",
        {"train_loss": [0.5, 0.4], "val_acc": [0.6, 0.65]},
    ),
    (
        "Epoch: 01 | Time: 0m 5s\n\tTrain Loss: 0.5 | Train Acc: 70.5%\n\t Val. Loss: 0.4\n"
        "Epoch: 02 | Time: 0m 5s\n\tTrain Loss: 0.4 | Train Acc: 75.5%\n\t Val. Loss: 0.3\n",
        {"train_loss": [0.5, 0.4], "train_acc": [70.5, 75.5], "val_loss": [0.4, 0.3]},
    ),
    (
        "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.5\nTest set: Average loss: 0.05\n"
        "Train Epoch: 2 [640/60000 (1%)]\tLoss: 1.5\nTest set: Average loss: 0.04\n",
        {"train_loss": [2.5, 1.5], "test_average_loss": [0.05, 0.04]},
    ),
    (
        "{'loss': 0.5, 'learning_rate': 1e-05, 'epoch': 0.1}\n{'eval_loss': 0.4, 'epoch': 0.1}\n"
        "{'loss': 0.4, 'learning_rate': 1e-05, 'epoch': 0.2}\n{'eval_loss': 0.3, 'epoch': 0.2}\n",
        {"loss": [0.5, 0.4], "eval_loss": [0.4, 0.3]},
    ),
    (
        "iter: 19  total_loss: 0.75  loss_cls: 0.25  time: 1.88  lr: 0.06  max_mem: 18165M\n"
        "iter: 39  total_loss: 0.5  loss_cls: 0.125  time: 1.88  lr: 0.06  max_mem: 18165M\n",
        {"total_loss": [0.75, 0.5], "loss_cls": [0.25, 0.125], "lr": [0.06, 0.06]},
    ),
    (
        "Epoch 1/9 - Loss Generator: 0.5, Loss Critic: -1.25\n"
        "Epoch 2/9 - Loss Generator: 0.25, Loss Critic: -2.5\n",
        {"loss_generator": [0.5, 0.25], "loss_critic": [-1.25, -2.5]},
    ),
    (
        "[ep 1] train=0.9 val=1.2 score 0.25 took 12.4s\n"
        "[ep 2] train=0.5 val=0.8 score 0.5 took 12.1s\n",
        {"train": [0.9, 0.5], "val": [1.2, 0.8], "score": [0.25, 0.5]},
    ),
    (
        ">> gen 1  best 10  mean 7.25  of 50\n>> gen 2  best 12  mean 8.5  of 50\n",
        {"best": [10, 12], "mean": [7.25, 8.5]},
    ),
    (
        "Step 1: reward=1.5, fps=1022\nStep 2: reward=2.5, fps=1010\nStep 3: reward=3.5\n",
        {"reward": [1.5, 2.5, 3.5]},
    ),
]


def test_a_number_that_never_changes_is_proposed_for_known_metrics_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "train.log", 3 * "on GPU 0 of 8, size=32, loss=0.5\n")
    (pattern,) = es.logs.propose_patterns(path)
    assert list(re.compile(pattern).groupindex) == ["loss"]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_the_proposed_patterns_read_what_recurs(
    text: str, expected: dict[str, list[float]], tmp_path: Path
) -> None:
    path = write(tmp_path / "train.log", f"a line before, of version 1.5\n{text}done in 5.5 s\n")
    history = es.read_history(path, pattern=es.logs.propose_patterns(path))
    assert history.runs == 1
    for name, values in expected.items():
        assert logged(history, name) == pytest.approx(values, nan_ok=True)


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 999), st.floats(allow_infinity=False), st.floats(0, 1)),
        min_size=2,
        max_size=8,
        unique_by=lambda row: row[0],
    ),
    between=st.sampled_from([": ", "=", " = ", " "]),
    after=st.sampled_from([", ", " | ", "\t", "  "]),
)
def test_any_usual_way_to_print_numbers_is_found(
    rows: list[tuple[int, float, float]],
    between: str,
    after: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows.sort()
    lines = [
        f"step{between}{step}{after}loss{between}{loss!r}{after}acc{between}{acc!r}"
        for step, loss, acc in rows
    ]
    path = tmp_path_factory.mktemp("logs") / "train.log"
    path.write_text("\n".join(lines))
    history = es.read_history(path, pattern=es.logs.propose_patterns(path))
    assert history.coordinates["step"].tolist() == [[step for step, *_ in rows]]
    assert logged(history, "loss") == pytest.approx([loss for _, loss, _ in rows], nan_ok=True)
    assert logged(history, "acc") == [acc for *_, acc in rows]


@given(text=st.text(max_size=300))
def test_what_is_proposed_for_any_text_is_a_pattern(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("logs") / "train.log"
    path.write_bytes(("x" + 2 * (text + "\nloss = 0.5 " + text + "\n")).encode(errors="replace"))
    try:
        patterns = es.logs.propose_patterns(path)
    except es.LogError:
        return
    for pattern in patterns:
        assert re.compile(pattern).groupindex


def test_the_command_proposes_reads_and_shows_the_options(tmp_path: Path) -> None:
    path = write(tmp_path / "train.log", TEXTS[1][0])
    refused = run("metrics", path)
    assert refused.exit_code == 1
    assert "--propose" in refused.stderr
    done = run("metrics", path, "--propose", "--json")
    assert [metric["metric"] for metric in json.loads(done.stdout)["metrics"]] == [
        "train_loss",
        "val_loss",
    ]
    (option,) = re.findall(r"--pattern '(.*)'", done.stderr)
    monitor = ("--monitor", "val_loss", "--patience", 1, "--json")
    assert json.loads(good("replay", path, "--pattern", option, *monitor))["read"]["runs"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.log", "b.log"], "takes one file"),
        (["a.log", "--pattern", "(?P<x>.)"], "exclude each other"),
        (["prose.txt"], "no name with a changing number recurs in it"),
    ],
)
def test_what_cannot_be_proposed_says_why(arguments: list[str], words: str, tmp_path: Path) -> None:
    write(tmp_path / "a.log", TEXTS[1][0])
    write(tmp_path / "prose.txt", "some words\nand other words\n")
    paths = [
        str(tmp_path / part) if "." in part[1:] and "(" not in part else part for part in arguments
    ]
    assert words in run("metrics", *paths, "--propose").stderr


def test_in_a_folder_text_with_a_loss_is_listed_with_the_way_to_read_it(tmp_path: Path) -> None:
    write(tmp_path / "out.txt", TEXTS[1][0])
    write(tmp_path / "notes.txt", "prose, no more\nand other prose\n")
    write(tmp_path / "log.csv", "epoch,loss\n0,1\n")
    with pytest.warns(es.LogWarning, match=r"1 file looks like a log.*(?s:.*)--propose"):
        assert es.read_history(tmp_path).runs == 1
