"""Files are written whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from earlystop.files import remove, replace, wait_for_room, write_whole


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


def test_a_folder_that_is_not_there_is_named_and_not_the_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such folder") as caught:
        write_whole(tmp_path / "nowhere" / "a", b"new")
    assert caught.value.filename == str(tmp_path / "nowhere")


# Files that go ----------------------------------------------------------------------------------


def handles() -> set[str]:
    return set(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until this is set, no room is given back, as if the files were very large."""
    event, close = threading.Event(), os.close

    def slow(handle: int) -> None:
        if threading.current_thread().name == "earlystop.files":
            event.wait()
        close(handle)

    wait_for_room()
    monkeypatch.setattr(os, "close", slow)
    yield event
    event.set()
    wait_for_room()


def test_who_replaces_or_removes_a_file_does_not_wait_for_its_room(
    tmp_path: Path, held_back: threading.Event
) -> None:
    before = handles()
    for n in range(3):
        write_whole(tmp_path / "a", str(n).encode())
    remove(tmp_path / "a")
    assert os.listdir(tmp_path) == []
    assert len(handles() - before) == 3
    assert sum(thread.name == "earlystop.files" for thread in threading.enumerate()) == 1
    held_back.set()
    wait_for_room()
    assert handles() == before
    assert all(thread.name != "earlystop.files" for thread in threading.enumerate())


def test_room_is_given_back_at_once_where_no_thread_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    wait_for_room()
    before = handles()
    monkeypatch.setattr(threading.Thread, "start", none_left)
    for text in (b"old", b"new"):
        write_whole(tmp_path / "a", text)
    assert handles() == before
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_keeps_no_file_that_was_replaced(
    tmp_path: Path, held_back: threading.Event
) -> None:
    for text in (b"old", b"new"):
        write_whole(tmp_path / "a", text)
    threading.Timer(0.2, held_back.set).start()
    child = os.fork()
    if not child:
        links = [os.path.realpath(f"/dev/fd/{handle}") for handle in handles()]
        write_whole(tmp_path / "a", b"newer")
        os._exit(any(str(tmp_path) in link for link in links))
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "a").read_bytes() == b"newer"


def test_what_the_system_refuses_is_told_and_no_handle_is_left(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "folder").mkdir()
    wait_for_room()
    before = handles()
    with pytest.raises(FileNotFoundError):
        remove(tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / "b", tmp_path / "a")
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "a", tmp_path / "folder")
    wait_for_room()
    assert handles() == before
    assert sorted(os.listdir(tmp_path)) == ["a", "folder"]
