"""What interrupts a save or a load, or what the disk says, comes out as what it is."""

from __future__ import annotations

import contextlib
import errno
import io
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.torch import Training, files

import earlystop as es
from tests.adapters.torch.runs import linear, stopper


class Ended(BaseException):
    """What a launcher may raise to end a process."""


class Failing(io.BytesIO):
    """A file whose n-th write fails, and the one after it in another way."""

    def __init__(self, error: BaseException, nth: int) -> None:
        super().__init__()
        self._errors = [error, OSError("the disk is gone")]
        self._left = nth

    def write(self, data: Any) -> int:
        self._left -= 1
        if self._left < 0 and self._errors:
            raise self._errors.pop(0)
        return super().write(data)


@pytest.mark.parametrize("nth", [0, 1, 2, 3, 5, 8, 12])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, Ended, PermissionError])
@pytest.mark.parametrize("handled", [None, KeyboardInterrupt, OSError])
def test_what_ends_a_write_comes_out_unchanged(
    nth: int,
    kind: type[BaseException],
    handled: type[BaseException] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = kind("this one")

    def write() -> None:
        files.write(tmp_path / "a.pt", {"weights": [torch.ones(300), torch.ones(300)]})

    def write_while_handling() -> None:
        try:
            raise handled or ValueError
        except BaseException:
            write()

    monkeypatch.setattr(files, "open", lambda *_, **__: Failing(error, nth), raising=False)
    with pytest.raises(kind) as raised:
        (write_while_handling if handled else write)()
    assert raised.value is error


def test_an_error_of_pytorch_itself_stays_that_error_whatever_is_being_handled(
    tmp_path: Path,
) -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(AttributeError, match="pickle"):
            files.write(tmp_path / "a.pt", {"weights": lambda: None})


@pytest.mark.parametrize("where", range(0, 300, 9))
def test_a_step_interrupted_anywhere_is_an_interrupt_and_saved_or_undone(
    where: int, tmp_path: Path
) -> None:
    calls = 0

    def interrupt(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"
        if calls > where:
            sys.setprofile(None)
            raise KeyboardInterrupt

    training = Training(stopper(), linear(), folder=tmp_path)
    with contextlib.suppress(KeyboardInterrupt):
        sys.setprofile(interrupt)
        training.step(loss=1.0)
        sys.setprofile(None)
    assert training.checkpoints is not None
    last = training.checkpoints.last
    assert training.epoch == (0 if last is None else 1)
    training.step(loss=0.5)
    training.close()


@pytest.mark.parametrize("call", ["verify", "read"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_interrupts_a_read_comes_out_unchanged(
    call: str, error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        try:
            raise error
        except BaseException:
            if error is MemoryError:
                raise
            raise RuntimeError("PytorchStreamReader failed") from None

    monkeypatch.setattr(torch, "load", interrupted)
    with pytest.raises(error):
        getattr(files, call)(tmp_path / "a.pt", *([()] if call == "read" else []))


def test_a_disk_that_fails_while_a_file_is_verified_is_a_checkpoint_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(torch, "load", failing)
    with (
        Training(stopper(), linear(), folder=tmp_path) as training,
        pytest.raises(es.CheckpointError, match="Input/output error"),
    ):
        training.step(loss=1.0)
