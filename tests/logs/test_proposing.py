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
        {"reward": [1.5, 2.5, 3.5], "fps": [1022, 1010]},
    ),
    (  # numbers with decimal commas
        "Epoche 1: Verlust: 0,92 Treffer 0,125\nEpoche 2: Verlust: 0,5 Treffer 0,25\n",
        {"verlust": [0.92, 0.5], "treffer": [0.125, 0.25]},
    ),
    (  # with groups of thousands
        "step 1,000: reward: 1,234.5 tokens=23,500\nstep 2,000: reward: 987.5 tokens=124,500\n",
        {"reward": [1234.5, 987.5], "tokens": [23_500, 124_500]},
    ),
    (
        "\u8f6e\u6b21 1: \u635f\u5931\uff1a0.5\n\u8f6e\u6b21 2: \u635f\u5931\uff1a0.25\n",
        {"\u635f\u5931": [0.5, 0.25]},
    ),
    (
        "epoch 1 fit -> 0.5 gap => 2 (size(7.5))\nepoch 2 fit -> 0.25 gap => 3 (size(8.5))\n",
        {"fit": [0.5, 0.25], "gap": [2, 3], "size": [7.5, 8.5]},
    ),
    (
        "At epoch 1 the fit is 0.5 with a score of 3\n"
        "At epoch 2 the fit is 0.25 with a score of 4\n",
        {"fit": [0.5, 0.25], "score": [3, 4]},
    ),
    (  # a name that some lines lack
        "epoch 1 fit: 0.5\nepoch 2 fit: 0.25 best: 2 new!\n"
        "epoch 3 fit: 1.5\nepoch 4 fit: 1.25 best: 3\n",
        {"fit": [0.5, 0.25, 1.5, 1.25], "best": [2, 3]},
    ),
    (  # different names lacking, in any line
        "gen 1 fit: 5 best: 1\ngen 2 fit: 6 age: 2\ngen 3 fit: 7 best: 3\ngen 4 fit: 8 age: 4\n",
        {"fit": [5, 6, 7, 8], "best": [1, 3], "age": [2, 4]},
    ),
    (  # one name at the end of another
        "Epoch 1\nfit: 1.5\nsoft fit: 2.5\nEpoch 2\nfit: 3.5\nsoft fit: 4.5\n",
        {"fit": [1.5, 3.5], "soft_fit": [2.5, 4.5]},
    ),
    (  # what loggers write in front
        "Nov 26 23:59:31 node7 train[123] train.py:31 fit 0.5\n"
        "Nov 27 00:01:31 node7 train[123] train.py:32 fit 0.25\n",
        {"fit": [0.5, 0.25]},
    ),
    (
        "gap ..... 0.5\nreach ...: 1.5\ngap ..... 0.25\nreach ...: 2.5\n",
        {"gap": [0.5, 0.25], "reach": [1.5, 2.5]},
    ),
    (  # blanks for a sign or a width
        "update 9 | gain:  0.5 | rate     9 tok/s\nupdate 10 | gain: -0.5 | rate 10239 tok/s\n",
        {"gain": [0.5, -0.5], "rate": [9, 10_239]},
    ),
    (  # units
        "epoch 1 fit=12ms mem=3.5GB took 1h 20m\nepoch 2 fit=11ms mem=4.5GB took 1h 30m\n",
        {"fit": [12, 11], "mem": [3.5, 4.5]},
    ),
    (
        "round 1 {'fit': '0.5', 'iou': [0.25, 0.75]}\nround 2 {'fit': '0.75', 'iou': [0.5, 0.9]}\n",
        {"fit": [0.5, 0.75], "iou_0": [0.25, 0.5]},
    ),
    (  # nothing but a constant
        "epoch 1 fit: 0.5\nepoch 2 fit: 0.5\n",
        {"fit": [0.5, 0.5]},
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


_NAMES = st.sampled_from(["fit", "val", "train", "score", "R@1", "gap", "m_2", "Best", "top-5"])


@given(
    rows=st.lists(
        st.dictionaries(_NAMES, st.floats(-9, 9).map(lambda value: round(value, 3)), min_size=1),
        min_size=2,
        max_size=12,
    ),
    between=st.sampled_from([": ", "=", " ", " -> "]),
    after=st.sampled_from([", ", " | ", "  "]),
)
def test_every_number_that_recurs_after_a_name_is_read_whatever_the_name(
    rows: list[dict[str, float]],
    between: str,
    after: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("logs") / "train.log"
    lines = [{"epoch": number, **dict(sorted(row.items()))} for number, row in enumerate(rows)]
    path.write_text(
        "\n".join(after.join(f"{k}{between}{v}" for k, v in line.items()) for line in lines)
    )
    expected: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            expected.setdefault(re.sub(r"\W", "_", name.lower()), []).append(value)
    # What never changes is of interest only where nothing else recurs.
    changing = {name for name, values in expected.items() if len(set(values)) > 1}
    patterns = es.logs.propose_patterns(path)
    if not changing:
        return
    history = es.read_history(path, pattern=patterns)
    assert {name: logged(history, name) for name in changing} == {
        name: expected[name] for name in changing
    }


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
        (["prose.txt"], "nothing but counters recurs in it"),
    ],
)
def test_what_cannot_be_proposed_says_why(arguments: list[str], words: str, tmp_path: Path) -> None:
    write(tmp_path / "a.log", TEXTS[1][0])
    write(tmp_path / "prose.txt", "some words\nand other words\n")
    paths = [
        str(tmp_path / part) if "." in part[1:] and "(" not in part else part for part in arguments
    ]
    assert words in run("metrics", *paths, "--propose").stderr


def test_numbers_of_text_are_decided_by_all_of_them_and_units_are_noted(tmp_path: Path) -> None:
    grouped = write(tmp_path / "a.log", "fit=1,250 acc=7%\nfit=2,500.5 acc=8.5%\n")
    pattern = r"fit=(?P<fit>\S+) acc=(?P<acc>\S+)"
    history = es.read_history(grouped, pattern=pattern)
    assert logged(history, "fit") == [1250, 2500.5]
    assert logged(history, "acc") == [7, 8.5]
    assert "acc: in per cent, as written" in str(history.report)
    decimal = write(tmp_path / "b.log", "fit=1,250 acc=7\nfit=12,5 acc=8\n")
    assert logged(es.read_history(decimal, pattern=pattern), "fit") == [1.25, 12.5]
    mixed = write(tmp_path / "c.log", "fit=1,250 acc=0.5\nfit=12,5 acc=8\n")
    with pytest.raises(es.LogError, match=r"line 1.*'1,250'.*may begin decimals or group"):
        es.read_history(mixed, pattern=pattern)
    units = write(tmp_path / "d.log", "fit=1 acc=0.5\nfit=2 acc=50%\n")
    with pytest.raises(es.LogError, match=r"line 2.*'50%'.*another unit"):
        es.read_history(units, pattern=pattern)


def test_in_a_folder_text_with_a_loss_is_listed_with_the_way_to_read_it(tmp_path: Path) -> None:
    write(tmp_path / "out.txt", TEXTS[1][0])
    write(tmp_path / "notes.txt", "prose, no more\nand other prose\n")
    write(tmp_path / "log.csv", "epoch,loss\n0,1\n")
    with pytest.warns(es.LogWarning, match=r"1 file looks like a log.*(?s:.*)--propose"):
        assert es.read_history(tmp_path).runs == 1
