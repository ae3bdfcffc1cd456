"""Several logs at once: what a folder holds, and how its runs are named."""

from __future__ import annotations

import glob
import json
import os
from pathlib import Path

import pytest

import earlystop as es
from tests.logs.reading import logged, write


def test_runs_are_named_by_what_differs_in_their_paths(tmp_path: Path) -> None:
    for version in (0, 1, 10, 2):
        folder = tmp_path / "logs" / f"version_{version}"
        write(folder / "metrics.csv", f"epoch,loss\n0,{version}\n")
        write(folder / "hparams.yaml", "lr: 0.1\n")
    history = es.read_history(tmp_path)
    assert history.names == ("version_0", "version_1", "version_2", "version_10")
    assert history.metrics["loss"].ravel().tolist() == [0, 1, 2, 10]
    by_pattern = es.read_history(tmp_path / "logs" / "*" / "metrics.csv")
    assert by_pattern.names == history.names
    listed = es.read_history([tmp_path / "logs" / "version_1", tmp_path / "logs" / "version_2"])
    assert listed.names == ("version_1", "version_2")


def test_the_same_file_twice_gives_different_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "epoch,loss\n0,1\n0,2\n1,1\n0,5\n1,6\n")
    history = es.read_history([path, path])
    assert history.runs == 4
    assert len(set(history.names)) == 4


def test_runs_of_different_metrics_are_one_history(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "epoch,loss\n0,1\n1,2\n")
    write(tmp_path / "b.json", json.dumps({"val_acc": [0.5, 0.6, 0.7]}))
    history = es.read_history([tmp_path / "a.csv", tmp_path / "b.json"])
    assert history.names == ("a", "b")
    assert history.reported("loss").tolist() == [[True, True, False], [False] * 3]
    assert history.lengths.tolist() == [2, 3]


def test_other_files_in_a_folder_are_skipped_and_reported(tmp_path: Path) -> None:
    write(tmp_path / "run" / "log.csv", "epoch,loss\n0,1\n")
    write(tmp_path / "run" / "weights.pt", b"PK\x03\x04" + bytes(100))
    write(tmp_path / "run" / "labels.csv", "name,width\na,3\nb,4\n")
    write(tmp_path / "run" / "config.json", '{"lr": 0.1, "layers": 3}')
    write(tmp_path / "run" / ".git" / "log.csv", "epoch,loss\n0,1\n")
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert history.report is not None
    assert [Path(file.source).name for file in history.report.skipped] == ["labels.csv"]
    assert "2 files passed over, no logs by their names: " in str(history.report)
    assert es.read_history(tmp_path / "run" / "labels.csv").runs == 1


def test_links_do_not_lead_out_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "outside" / "log.csv", "epoch,loss\n0,1\n")
    write(tmp_path / "inside" / "own.csv", "epoch,loss\n0,2\n")
    os.symlink(tmp_path / "outside" / "log.csv", tmp_path / "inside" / "link.csv")
    os.symlink(tmp_path / "outside", tmp_path / "inside" / "folder")
    os.symlink(tmp_path / "inside", tmp_path / "inside" / "loop")
    assert logged(es.read_history(tmp_path / "inside"), "loss") == [2]
    assert es.read_history(tmp_path / "inside").runs == 1


def test_progress_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "log.csv", "epoch,loss\n0,1\n")
    es.read_history(tmp_path, progress=True)
    assert "read_history" in capsys.readouterr().err


def deep_folder(root: Path, depth: int, text: str) -> None:
    """A log in so many folders within each other; the path may be longer than a call takes."""
    before = os.getcwd()
    os.chdir(root)
    try:
        for _ in range(depth):
            os.mkdir("d")
            os.chdir("d")
        Path("log.csv").write_text(text)
    finally:
        os.chdir(before)


def remove_deep_folder(root: Path, depth: int) -> None:
    for level in range(depth, 0, -1):
        folder = root.joinpath(*"d" * level)
        for name in os.listdir(folder):
            if name != "d":
                os.remove(folder / name)
        os.rmdir(folder)


@pytest.mark.parametrize("where", ["", "**/*.csv", "*/**/log.csv", "**"])
def test_folders_a_thousand_deep_are_refused_or_read_if_the_limits_allow_it(
    where: str, tmp_path: Path
) -> None:
    deep_folder(tmp_path, 1000, "epoch,loss\n0,1\n")
    try:
        with pytest.raises(es.LogError, match=r"100 deep in one another \(see `limits`\)"):
            es.read_history(tmp_path / where)
        deeper = es.logs.Limits(depth=1000)
        assert es.read_history(tmp_path / where, limits=deeper).runs == 1
    finally:
        remove_deep_folder(tmp_path, 1000)


def test_links_in_circles_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "a" / "log.csv", "epoch,loss\n0,1\n")
    write(tmp_path / "elsewhere" / "log.csv", "epoch,loss\n0,2\n")
    for name in ("up", "again", "once more"):
        os.symlink(tmp_path / "runs", tmp_path / "runs" / "a" / name)
    os.symlink(tmp_path / "elsewhere", tmp_path / "runs" / "b")
    history = es.read_history(tmp_path / "runs" / "**" / "log.csv")
    assert history.names == ("a", "b")
    assert es.read_history(tmp_path / "runs").runs == 1
    with pytest.raises(FileNotFoundError):
        es.read_history(tmp_path / "runs" / "**" / "nowhere.csv")


def test_a_pattern_of_folders_finds_what_python_finds(tmp_path: Path) -> None:
    for name in ("a/x.csv", "a/b/x.csv", "a/b/y.csv", "x.csv", ".hidden/x.csv", "[odd]/x.csv"):
        write(tmp_path / name, "epoch,loss\n0,1\n")
    for pattern in ("**/x.csv", "a/**/*.csv", "**/**/x.csv", "**/b/**/y.csv", "*/**/x.csv"):
        found = glob.glob(str(tmp_path / pattern), recursive=True)
        assert es.read_history(tmp_path / pattern).runs == len(set(found))
    assert es.read_history(tmp_path / "**").runs == 5
