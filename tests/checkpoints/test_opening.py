"""Opening a folder: who may, what is found there, and which settings make sense."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from earlystop import Checkpoints

from .runs import names, save_all, writer

ROOT = Path(__file__).parents[2]


def test_a_second_run_is_refused_unless_it_resumes(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        save_all(checkpoints, [2.0, 1.0, 3.0])
    with pytest.raises(es.CheckpointError, match=r"\(last epoch 2, best epoch 1\): pass resume"):
        Checkpoints(tmp_path, "{epoch}.txt")
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        assert [entry.epoch for entry in checkpoints.entries] == [1, 2]
        assert checkpoints.last is not None
        assert checkpoints.last.metrics == {"loss": 3.0}
        checkpoints.save(writer(3), epoch=3)
    assert names(tmp_path) == {"1.txt", "3.txt"}


def test_a_second_run_at_the_same_time_is_refused_even_when_resuming(tmp_path: Path) -> None:
    code = (
        "import sys, earlystop as es\n"
        "try: es.Checkpoints(sys.argv[1], resume=True)\n"
        "except es.CheckpointError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with Checkpoints(tmp_path):
        for resume in (True, False):
            with pytest.raises(es.CheckpointError, match=r"in use by this process.*close"):
                Checkpoints(tmp_path / "." / "", resume=resume)
        output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert f"in use by process {os.getpid()} on" in output.stdout
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert output.stdout == ""


def test_a_lock_ends_with_the_object_too(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    del checkpoints
    again = Checkpoints(tmp_path)
    again.close()
    again.close()
    with pytest.raises(es.CheckpointError, match="are closed"):
        again.save(writer(0), epoch=0)


def test_files_that_are_not_of_the_run_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".hidden").write_text("mine")
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=0) as checkpoints:
        save_all(checkpoints, [3.0, 2.0, 1.0])
    Checkpoints(tmp_path, "{epoch}.txt", resume=True)
    assert names(tmp_path) == {"notes.txt", ".hidden", "2.txt"}


def test_a_foreign_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "0.txt").write_text("mine")
    with Checkpoints(tmp_path, "{epoch}.txt") as checkpoints:
        with pytest.raises(es.CheckpointError, match=r"0\.txt' does not belong to this run"):
            checkpoints.save(writer(0), epoch=0)
        checkpoints.save(writer(1), epoch=1)
    assert (tmp_path / "0.txt").read_text() == "mine"


def test_a_listed_file_that_was_deleted_is_forgotten(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_every=1) as checkpoints:
        save_all(checkpoints, [3.0, 2.0, 4.0])
    (tmp_path / "1.txt").unlink()
    with pytest.warns(es.CheckpointWarning):
        checkpoints = Checkpoints(tmp_path, "{epoch}.txt", resume=True)
    with checkpoints:
        assert checkpoints.best is not None
        assert checkpoints.best.epoch == 0


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"keep_best": 0}, "`Checkpoints\\(keep_best=...\\)` must be a whole number of at least 1"),
        ({"keep_last": -1}, "keep_last=...\\)` must be a whole number of at least 0, got -1"),
        ({"keep_every": 0}, "keep_every=...\\)` must be a whole number of at least 1, got 0"),
        ({"keep_best": 2}, "`Checkpoints\\(keep_best=2\\)` needs a metric"),
        ({"monitor": "gap"}, "`Checkpoints\\(mode=...\\)`: whether 'gap'"),
        ({"monitor": ["loss", "gap"]}, "`Checkpoints\\(mode=...\\)`: whether 'gap'"),
        ({"monitor": ["loss", "loss"]}, "each once, got \\['loss', 'loss'\\]"),
        ({"monitor": []}, "must name one metric or more"),
        ({"monitor": 3}, "must be a string, or a list of them, got 3"),
        ({"monitor": ["loss", 3]}, "must be a string, got 3"),
        ({"keep_best": {}}, "names no metric"),
        ({"keep_best": {"loss": 0}}, "keep_best\\['loss'\\]=...\\)` must be a whole number"),
        ({"keep_best": {"loss": 2}, "monitor": "acc"}, "name different metrics, acc and loss"),
        ({"monitor": "loss", "mode": {"los": "min"}}, "names 'los', by which .* mean 'loss'"),
        ({"monitor": "loss", "mode": {"loss": "up"}}, 'must be "auto", "min" or "max", got'),
        ({"monitor": "loss", "drops": "best"}, "drops=...\\)` must be one of 'oldest', 'newest'"),
        (
            {"monitor": "loss", "improvement": es.Improvement(moved_by="gain")},
            "`Checkpoints\\(improvement=...\\)` ranks by .* leave out moved_by",
        ),
        ({"monitor": "loss", "improvement": es.Improvement(first="free")}, "leave out first='fr"),
        ({"monitor": "loss", "ties": "first"}, "ties=...\\)` must be one of 'earlier', 'later', g"),
    ],
)
def test_invalid_settings_are_refused(settings: Any, text: str, tmp_path: Path) -> None:
    with pytest.raises(es.RuleError, match=text):
        Checkpoints(tmp_path, **settings)


def test_files_that_are_gone_are_told_when_the_run_is_resumed(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_every=1) as checkpoints:
        save_all(checkpoints, [3.0, 2.0, 4.0])
        assert checkpoints.lost == ()
    (tmp_path / "1.txt").unlink()
    (tmp_path / "2.txt").unlink()
    text = r"no longer has '1.txt' \(epoch 1, the best\), '2.txt' \(epoch 2\), .* left is epoch 0"
    with pytest.warns(es.CheckpointWarning, match=text) as warned:
        checkpoints = Checkpoints(tmp_path, "{epoch}.txt", resume=True)
    assert warned[0].filename == __file__
    with checkpoints:
        assert [entry.epoch for entry in checkpoints.lost] == [1, 2]
        assert [entry.epoch for entry in checkpoints.entries] == [0]
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        assert checkpoints.lost == ()


def test_a_run_whose_files_are_all_gone_is_told_in_one_line(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_every=1) as checkpoints:
        save_all(checkpoints, [float(loss) for loss in range(50)])
    for path in tmp_path.glob("*.txt"):
        path.unlink()
    with pytest.warns(es.CheckpointWarning, match=r"'0.txt' .* and 45 more.*no best is left"):
        Checkpoints(tmp_path, "{epoch}.txt", resume=True).close()


def test_a_file_that_may_not_be_read_is_told_when_the_run_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt") as checkpoints:
        save_all(checkpoints, [1.0, 2.0])
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "0.txt")
    text = r"may not read '0.txt' \(epoch 0, the best\): change"
    with pytest.warns(es.CheckpointWarning, match=text):
        checkpoints = Checkpoints(tmp_path, "{epoch}.txt", resume=True)
    with checkpoints:
        assert [entry.epoch for entry in checkpoints.entries] == [0, 1]
