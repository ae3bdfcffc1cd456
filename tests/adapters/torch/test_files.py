"""Files of a training that are damaged, unsafe, or of something else."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from earlystop.adapters.loop import LoopError
from earlystop.adapters.torch import Training

import earlystop as es
from earlystop.checkpoints import read_ledger
from tests.adapters.torch.runs import linear, stopper


def test_what_could_not_be_loaded_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    class Odd:
        def state_dict(self) -> Any:
            return {"x": np.float64(1.0), "y": Path("x")}

        def load_state_dict(self, state: Any) -> None:
            raise AssertionError

    with (
        Training(stopper(), linear(), folder=tmp_path, odd=Odd()) as training,
        pytest.raises(es.StateError, match="cannot be loaded safely"),
    ):
        training.step(loss=1.0)
    assert read_ledger(tmp_path) == ()


def test_a_file_that_would_execute_something_is_not_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    with Training(stopper(), linear(), folder=tmp_path / "run") as training:
        training.step(loss=1.0)
    torch.save({"model": Evil()}, tmp_path / "run" / "0000.pt")
    with pytest.raises(es.StateError, match="damaged, or unsafe"):
        Training(stopper(), linear(), folder=tmp_path / "run", resume=True)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "damaged"),
        (b"half of a file", "damaged"),
        ({"format": "x"}, "was not written by a Training"),
        (
            {"format": "earlystop.Training", "version": 9},
            "has version 9, this library reads .* upg",
        ),
        ({"format": "earlystop.Training", "version": True}, "has version True, this library reads"),
        ({"format": "earlystop.Training"}, "has version None, this library reads version 1"),
        (
            {"format": "earlystop.Training", "version": 1, "model": {}},
            "0000.pt' is damaged: it lacks parts, rng",
        ),
    ],
)
def test_a_damaged_file_is_a_clear_error(content: Any, text: str, tmp_path: Path) -> None:
    with Training(stopper(), linear(), folder=tmp_path) as training:
        training.step(loss=1.0)
    if isinstance(content, bytes):
        (tmp_path / "0000.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "0000.pt")
    with pytest.raises(es.StateError, match=text):
        Training(stopper(), linear(), folder=tmp_path, resume=True)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    training = Training(stopper(), linear(), folder=tmp_path / "run")
    training.step(loss=1.0)
    training.save(tmp_path / "state.pt")
    other = Training(stopper(), linear())
    with pytest.raises(es.StateError, match=r"was not written by `Training\.save`"):
        other.load(training.checkpoints.best_path)
    with pytest.raises(LoopError, match="would leave the folder with checkpoints of another run"):
        training.load(tmp_path / "state.pt")
    with pytest.raises(es.StateError, match="this Training has other"):
        Training(stopper(), linear(), other=linear()).load(tmp_path / "state.pt")
    with pytest.raises(es.StateError, match="was saved by other rules"):
        Training(stopper(3), linear()).load(tmp_path / "state.pt")
    (tmp_path / "state.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(es.StateError, match="is damaged, or unsafe"):
        other.load(tmp_path / "state.pt")
    with pytest.raises(es.CheckpointError, match="cannot be read"):
        other.load(tmp_path / "there is none.pt")


def test_checkpoints_of_something_else_are_refused(tmp_path: Path) -> None:
    saved = {"format": "earlystop.Training", "version": 1, "model": {}, "parts": {}}
    saved["rng"] = None
    with es.Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(lambda path: torch.save(saved, path), epoch=0)
    with pytest.raises(es.StateError, match="was not saved by a Training"):
        Training(stopper(), linear(), folder=tmp_path, resume=True)


def test_a_file_saved_before_the_first_best_holds_no_best(tmp_path: Path) -> None:
    training = Training(stopper(), linear(), folder=tmp_path / "run")
    training.step(loss=math.nan)
    training.save(tmp_path / "state.pt")
    other = Training(stopper(), linear())
    other.load(tmp_path / "state.pt")
    assert other.epoch == 1
    assert other.restore_best() is None


def test_a_file_is_verified_with_a_pytorch_that_maps_files_by_their_names_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the ones before 2.4 do."""
    load = torch.load

    def older(file: Any, *args: Any, mmap: bool = False, **options: Any) -> Any:
        if mmap and not isinstance(file, str):
            raise ValueError("f must be a string filename")
        return load(file, *args, mmap=mmap, **options)

    monkeypatch.setattr(torch, "load", older)
    with Training(stopper(), linear(), folder=tmp_path) as training:
        training.step(loss=1.0)
    assert (tmp_path / "0000.pt").exists()
