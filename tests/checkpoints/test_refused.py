"""What the writer or the disk refuses is one clear error, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import read_ledger

from .runs import begun, names


def test_an_error_of_the_writer_is_raised_as_it_is(tmp_path: Path) -> None:
    def broken(path: Path) -> None:
        path.write_text("half of")
        raise ZeroDivisionError

    with begun(tmp_path) as checkpoints:
        before = checkpoints.entries
        with pytest.raises(ZeroDivisionError):
            checkpoints.save(broken, epoch=3, best=True)
        assert checkpoints.entries == before
        assert names(tmp_path) == {"1.txt", "2.txt"}
        with pytest.raises(
            es.CheckpointError, match=r"3\.txt' cannot be written: `write` made nei"
        ):
            checkpoints.save(lambda path: None, epoch=3, best=True)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(es.CheckpointError, match="cannot be used for checkpoints: "):
            Checkpoints(folder)


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """The superuser may write anywhere: as nobody, if need be."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_read_only_folder_is_a_clear_error_and_can_be_read() -> None:
    folder = Path(tempfile.mkdtemp())  # not below a folder that is closed to others
    try:
        begun(folder).close()
        (folder / ".checkpoints.lock").chmod(0o444)
        folder.chmod(0o555)
        with without_privileges():
            with pytest.raises(es.CheckpointError, match="Permission denied"):
                Checkpoints(folder, resume=True)
            assert [entry.epoch for entry in read_ledger(folder)] == [1, 2]
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")

    def write(path: Path) -> None:
        path.symlink_to("/dev/full")
        path.write_text("more than there is room for")

    with begun(tmp_path) as checkpoints:
        with pytest.raises(es.CheckpointError, match=r"3\.txt' cannot be written: No space left"):
            checkpoints.save(write, epoch=3, best=True)
        assert names(tmp_path) == {"1.txt", "2.txt"}
