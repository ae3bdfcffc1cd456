"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from earlystop._files.atomic import sync_folder, write_whole


def test_a_file_is_replaced_by_the_new_one(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"old")
    assert write_whole(tmp_path / "a", b"new").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failure_at_the_last_moment_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "a", b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, full)
            with pytest.raises(OSError, match="No space left"):
                write_whole(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["a"]


def test_a_file_may_be_read_by_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = write_whole(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_error_names_the_missing_folder_and_not_the_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such folder") as caught:
        write_whole(tmp_path / "nowhere" / "a", b"new")
    assert caught.value.filename == str(tmp_path / "nowhere")


def test_folders_are_not_synced_on_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "name", "nt")
    sync_folder("there/is/no/such/folder")
