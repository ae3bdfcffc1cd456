"""What a path means is the same wherever one is given."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop import Checkpoints
from earlystop._files.paths import expanded, local_path
from earlystop.checkpoints import checkpoint_path, read_ledger
from earlystop.report.report import write_report

from ..checkpoints.runs import save_all

ADDRESSES = {
    "s3://bucket/run": "copy it to the store",
    "gs://bucket": "copy it to the store",
    "hdfs://host:9000/run": "copy it to the store",
    "memory://x": "copy it to the store",
    "file:///home/me/run": "write the path itself",
    "dbfs:/runs/1": "write /dbfs/runs/1",
}


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_refused_with_what_to_use_instead(
    address: str, kind: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # A reader takes no bytes, and finds no file where `Path` has made an address one.
    for act in (Checkpoints, read_ledger, *([es.read_history] if kind is str else [])):
        with pytest.raises(es.RuleError, match=f"path of this machine.*{ADDRESSES[address]}"):
            act(kind(address))
    assert os.listdir(tmp_path) == []


def test_a_report_is_not_written_to_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    replay = es.replay(es.EarlyStopping("loss"), es.History({"loss": [[2.0, 1.0]]}))
    with pytest.raises(es.RuleError, match="path of this machine"):
        write_report("s3://bucket/report.html", replay)


@given(st.text("ab:/\\.~ 1", max_size=12))
def test_other_paths_are_left_as_they_are(text: str) -> None:
    if "://" not in text.lstrip(":/\\.~ 1") or text[1:2] == ":":
        assert expanded(text, "it") == os.path.expanduser(text)


@pytest.mark.parametrize("path", ["C:/runs", "C:\\runs", "c://runs", "run:1/x", ":/x", "1://x"])
def test_drives_and_colons_do_not_make_an_address(path: str) -> None:
    assert local_path(path, "it") == Path(path).absolute()
    assert local_path(Path(path), "it") == Path(path).absolute()


@pytest.mark.parametrize("path", [3, None, 2.5, ["a"]])
def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(es.RuleTypeError, match=r"`Checkpoints\(folder=...\)` must be a path"):
        Checkpoints(path)


def test_the_home_folder_is_understood_for_writing_and_for_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(here)
    for folder in ("~/run", Path("~/run")):
        with Checkpoints(folder, "{epoch}.txt", resume=True) as checkpoints:
            checkpoints.rewind(-1)
            save_all(checkpoints, [1.0])
        (entry,) = read_ledger(folder)
        path = checkpoint_path(folder, entry)
        assert path == home / "run" / "0.txt"
        assert path.exists()
    with pytest.raises(es.RuleError, match=r"no home folder for '~nobody-here': write \./~nobody"):
        Checkpoints("~nobody-here/run")
    replay = es.replay(es.EarlyStopping("loss"), es.History({"loss": [[2.0, 1.0]]}))
    assert write_report("~/report.html", replay) == home / "report.html"
    assert os.listdir(here) == []


def test_a_run_that_changes_its_directory_keeps_to_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints = Checkpoints("run", "{epoch}.txt", keep_last=9)
    for epoch in range(3):
        save_all(checkpoints, [1.0], start=epoch)
        (tmp_path / str(epoch)).mkdir()
        monkeypatch.chdir(tmp_path / str(epoch))
    checkpoints.close()
    assert sorted(path.name for path in tmp_path.rglob("*.txt")) == ["0.txt", "1.txt", "2.txt"]
    assert checkpoints.last_path == tmp_path / "run" / "2.txt"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the working directory")
def test_a_working_directory_that_is_gone_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(es.CheckpointError, match="working directory, which has been deleted"):
        Checkpoints("run")
    monkeypatch.chdir(tmp_path)
