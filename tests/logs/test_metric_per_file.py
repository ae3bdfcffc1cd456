"""Folders with a file per metric: DVCLive, and curves downloaded from TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import earlystop as es
from tests.logs.reading import logged, write

CURVES = {"train/loss": [1.0, 0.9, 0.8], "eval/loss": [1.2, 1.1, 1.15], "lr": [0.1, 0.1, 0.05]}


def write_dvclive(folder: Path, top: str, curves: dict[str, list[float]]) -> None:
    for name, values in curves.items():
        rows = "".join(f"{step}\t{value}\n" for step, value in enumerate(values))
        write(folder / top / f"{name}.tsv", f"step\t{name.rsplit('/')[-1]}\n{rows}")


@pytest.mark.parametrize("top", ["plots/metrics", "scalars"])
@pytest.mark.parametrize("root", [".", "dvclive"])
def test_a_folder_of_dvclive_is_one_run(top: str, root: str, tmp_path: Path) -> None:
    write_dvclive(tmp_path / "dvclive", top, CURVES)
    write(tmp_path / "dvclive" / "metrics.json", '{"train": {"loss": 0.8}, "step": 2}')
    write(tmp_path / "dvclive" / "params.yaml", "lr: 0.1\n")
    history = es.read_history(tmp_path / root)
    assert history.runs == 1
    assert {name: logged(history, name) for name in history.metrics} == CURVES
    assert history.coordinates["step"].tolist() == [[0, 1, 2]]


def test_runs_of_dvclive_beside_each_other_stay_apart(tmp_path: Path) -> None:
    for name, first in (("a", 1.0), ("b", 2.0)):
        write_dvclive(tmp_path / name, "plots/metrics", {"train/loss": [first, 0.5]})
    history = es.read_history(tmp_path)
    assert history.names == ("a", "b")
    assert [logged(history, "train/loss", run)[0] for run in (0, 1)] == [1.0, 2.0]


def test_metrics_logged_at_different_steps_are_aligned(tmp_path: Path) -> None:
    write_dvclive(tmp_path, "plots/metrics", {"train/loss": [1.0, 0.9, 0.8, 0.7]})
    write(tmp_path / "plots" / "metrics" / "eval" / "acc.tsv", "step\tacc\n1\t0.5\n3\t0.6\n")
    history = es.read_history(tmp_path)
    assert history.lengths.tolist() == [4]
    assert history.reported("eval/acc").tolist() == [[False, True, False, True]]


def test_folders_of_splits_with_a_table_per_metric_are_one_run(tmp_path: Path) -> None:
    write_dvclive(tmp_path, ".", {"train/loss": [1.0, 0.9], "val/loss": [1.2, 1.1]})
    assert set(es.read_history(tmp_path).metrics) == {"train/loss", "val/loss"}
    write(tmp_path / "other.tsv", "step\tvalue\n0\t1\n")
    assert es.read_history(tmp_path).runs == 2


def downloaded(values: list[float], as_json: bool) -> str:
    rows = [[1.7e9 + step, step, value] for step, value in enumerate(values)]
    if as_json:
        return json.dumps(rows)
    return "Wall time,Step,Value\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_downloaded_curve_is_one_metric_named_by_its_tag(as_json: bool, tmp_path: Path) -> None:
    ending = "json" if as_json else "csv"
    text = downloaded([0.69, 0.5, 0.6], as_json)
    for name, metric in {
        "run-train-tag-epoch_loss": "epoch_loss",
        "my_run-tag-Loss_val": "Loss_val",
        "val_loss": "val_loss",
        "curve": "value",
    }.items():
        history = es.read_history(write(tmp_path / f"{name}.{ending}", text))
        assert {name: logged(history, name) for name in history.metrics} == {
            metric: [0.69, 0.5, 0.6]
        }
        assert set(history.coordinates) == {"wall_time", "step"}


@pytest.mark.parametrize("as_json", [False, True])
def test_downloaded_curves_of_a_run_are_one_run_whatever_part_they_are_of(
    as_json: bool, tmp_path: Path
) -> None:
    ending = "json" if as_json else "csv"
    for run in ("a", "b"):
        for part in ("train", "validation"):
            for tag in ("loss", "acc"):
                path = tmp_path / f"run-{run}_{part}-tag-{tag}.{ending}"
                write(path, downloaded([0.5, 0.25], as_json))
    history = es.read_history(tmp_path)
    assert history.names == ("a", "b")
    assert set(history.metrics) == {
        *("train/loss", "train/acc", "validation/loss", "validation/acc")
    }


@pytest.mark.parametrize("copy", [" (1)", "(2)", " (10)"])
def test_what_a_browser_adds_to_the_name_of_a_download_is_no_part_of_the_metric(
    copy: str, tmp_path: Path
) -> None:
    write(tmp_path / f"run-a-tag-loss{copy}.csv", downloaded([0.5, 0.25], False))
    write(tmp_path / "run-a-tag-acc.csv", downloaded([0.5, 0.75], False))
    assert set(es.read_history(tmp_path).metrics) == {"loss", "acc"}
    write(tmp_path / "run-a-tag-loss.csv", downloaded([0.4, 0.2], False))
    history = es.read_history(tmp_path)
    assert logged(history, "loss") == [0.4, 0.2]
    assert logged(history, f"loss{copy}") == [0.5, 0.25]
