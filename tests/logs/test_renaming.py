"""`rename=`: the logs of several tools as one question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.cli.running import good
from tests.logs.reading import logged, write


def write_logs(folder: Path) -> Path:
    write(folder / "a.csv", "epoch,val_loss\n0,1.0\n1,0.9\n")
    write(folder / "b.csv", "epoch,eval_loss\n0,2.0\n1,1.9\n")
    write(folder / "c.json", json.dumps({"validation/loss": [3.0, 2.9]}))
    return folder


RENAME = {"eval_loss": "val_loss", "validation/loss": "val_loss"}


def test_a_folder_of_several_tools_is_one_question(tmp_path: Path) -> None:
    history = es.read_history(write_logs(tmp_path), rename=RENAME)
    assert list(history.metrics) == ["val_loss"]
    assert [logged(history, "val_loss", run)[0] for run in range(3)] == [1.0, 2.0, 3.0]
    kept = es.read_history(tmp_path, rename=RENAME, metrics="fit", derived={"fit": "2 * val_loss"})
    assert [logged(kept, "fit", run)[0] for run in range(3)] == [2.0, 4.0, 6.0]


def test_the_command_line_takes_renames(tmp_path: Path) -> None:
    options = [part for pair in RENAME.items() for part in ("--rename", "=".join(pair))]
    monitor = ("--monitor", "val_loss", "--patience", 1, "--json")
    data = json.loads(good("replay", write_logs(tmp_path), *options, *monitor))
    assert data["read"]["runs"] == 3
    assert data["read"]["runs_left_out"] == 0


@given(st.permutations(["a", "b", "c"]), st.sets(st.sampled_from("abcd"), min_size=1))
def test_of_several_names_the_new_one_counts_first_and_then_the_first_there_is(
    olds: list[str], there: set[str]
) -> None:
    row = {name: float(ord(name)) for name in sorted(there)}
    if there == {"d"}:
        with pytest.raises(es.MissingMetricError):
            es.read_history([row], rename=dict.fromkeys(olds, "d"))
        return
    history = es.read_history([row], rename=dict.fromkeys(olds, "d"))
    first = next(name for name in ["d", *olds] if name in there)
    assert logged(history, "d") == [row[first]]
    assert set(history.metrics) == {"d"} | (there - {first})
    for name in there - {first, "d"}:
        assert logged(history, name) == [row[name]]
        assert f"{name} keeps its name: {first} is d here" in str(history.report)


def test_names_can_be_exchanged() -> None:
    history = es.read_history([{"a": 1.0, "b": 2.0}], rename={"a": "b", "b": "a"})
    assert (logged(history, "a"), logged(history, "b")) == ([2.0], [1.0])


def test_a_name_that_no_run_has_is_refused_with_what_is_meant(tmp_path: Path) -> None:
    write_logs(tmp_path)
    with pytest.raises(es.MissingMetricError, match=r"no run has 'evalloss'.*mean 'eval_loss'"):
        es.read_history(tmp_path, rename={"evalloss": "val_loss"})


@pytest.mark.parametrize("rename", ["a=b", ["a"], {"a": 1}, {1: "a"}, {"": "a"}, {"a": " "}])
def test_what_does_not_map_names_to_names_is_refused(rename: Any) -> None:
    with pytest.raises(es.HistoryError, match="rename"):
        es.read_history([{"a": 1.0}], rename=rename)


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("mAP50-95", ["metrics/mAP50-95(B)", "metrics/mAP50(B)"], "'metrics/mAP50-95(B)'"),
        ("mAP50", ["metrics/mAP50-95(B)", "metrics/mAP50(B)"], "'metrics/mAP50(B)'"),
        ("loss", ["train_loss", "val_loss", "lr"], "'train_loss' or 'val_loss'"),
        ("logloss", ["valid_0_binary_logloss"], "'valid_0_binary_logloss'"),
        ("val_loss", ["val_loss/dataloader_idx_0", "lr"], "'val_loss/dataloader_idx_0'"),
        ("val_los", ["val_loss", "train_loss"], "'val_loss'"),
        ("Accuracy", ["val/accuracy", "lr"], "'val/accuracy'"),
    ],
)
def test_a_name_without_what_tools_put_around_it_is_answered_with_the_full_one(
    name: str, known: list[str], meant: str
) -> None:
    with pytest.raises(es.MissingMetricError) as caught:
        es.read_history([dict.fromkeys(known, 0.5)], metrics=name)
    assert str(caught.value).endswith(f"did you mean {meant}?")
