"""A run whose folder is no longer its own: in a forked process, or deleted, moved or replaced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import earlystop as es
from earlystop import Checkpoints
from tests.support.interrupts import interrupted_everywhere

from .runs import begun, check_whole, names, next_save

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no forks, and keeps open files"
)


SOURCES = str(Path(es.__file__).parent / "checkpoints")


def refusal_in_fork(act: Callable[[], object]) -> str:
    """What a fork of this process is told that does this; "" if nothing."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        text = ""
        try:
            act()
        except es.CheckpointError as error:
            text = str(error)
        except BaseException as error:
            text = f"another error: {error!r}"
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with open(read) as file:
        text = file.read()
    os.waitpid(child, 0)
    return text


def test_a_fork_can_neither_save_nor_delete_and_harms_nothing(tmp_path: Path) -> None:
    with begun(tmp_path) as checkpoints:
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        for act in (
            lambda: next_save(checkpoints),
            lambda: checkpoints.rewind(-1),
            checkpoints.prune,
        ):
            refusal = refusal_in_fork(act)
            assert f"were opened by process {os.getpid()}" in refusal
            assert "is a fork of it" in refusal
        assert refusal_in_fork(checkpoints.close) == ""
        again = refusal_in_fork(lambda: Checkpoints(tmp_path, resume=True))
        assert f"in use by process {os.getpid()}" in again
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        next_save(checkpoints)
    check_whole(tmp_path, {3})


def replaced(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    begun(folder).close()


LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": shutil.rmtree,
    "moved": lambda folder: folder.rename(folder.with_name("moved")),
    "replaced": replaced,
    "the lock deleted": lambda folder: (folder / ".checkpoints.lock").unlink(),
}


@pytest.mark.parametrize("what", LOSSES)
def test_a_folder_that_is_lost_during_a_run_is_named_by_each_save_and_by_close(
    what: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    checkpoints = begun(folder)
    entries = checkpoints.entries
    LOSSES[what](folder)
    left = names(folder) if folder.exists() else None
    match = f"the folder '{folder}', or the lock in it, was deleted or replaced"
    with pytest.raises(es.CheckpointError, match=match):
        next_save(checkpoints)
    with pytest.raises(es.CheckpointError, match=match):
        checkpoints.rewind(-1)
    assert checkpoints.entries == entries
    with pytest.raises(es.CheckpointError, match=match):
        checkpoints.close()
    checkpoints.close()
    assert (names(folder) if folder.exists() else None) == left
    Checkpoints(folder, resume=True).close()


def test_a_folder_that_is_deleted_while_its_file_is_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    checkpoints = begun(folder)

    def write(path: Path) -> None:
        shutil.rmtree(folder)
        path.write_text("the weights")

    with pytest.raises(es.CheckpointError, match="was deleted or replaced") as caught:
        checkpoints.save(write, epoch=3, best=True)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    checkpoints._disk.release()


def test_the_error_that_ends_a_run_is_not_hidden_by_a_lost_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    checkpoints = begun(folder)
    shutil.rmtree(folder)
    with pytest.raises(ZeroDivisionError), checkpoints:
        raise ZeroDivisionError
    Checkpoints(folder).close()


def test_a_close_that_is_interrupted_at_any_moment_can_be_repeated(tmp_path: Path) -> None:
    count = 0
    for checkpoints in interrupted_everywhere(
        lambda: Checkpoints(tmp_path), Checkpoints.close, SOURCES
    ):
        checkpoints.close()
        Checkpoints(tmp_path).close()
        count += 1
    assert count > 5


def test_an_interrupt_at_any_moment_of_opening_leaves_the_folder_free(tmp_path: Path) -> None:
    kept: list[Checkpoints] = []
    count = 0
    for _ in interrupted_everywhere(
        lambda: tmp_path,
        lambda folder: kept.append(Checkpoints(folder)),
        SOURCES,
    ):
        Checkpoints(tmp_path).close()
        count += 1
    assert count > 50
    kept.pop().close()
