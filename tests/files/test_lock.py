"""A lock is held until it is released, by one process, and its file is nobody else's."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import earlystop as es
from earlystop._files import lock as lock_module
from earlystop._files.handles import Handle
from earlystop._files.lock import HeldError, Lock
from tests.support.interrupts import interrupted_everywhere

SOURCES = str(Path(es.__file__).parent)

OTHER = """if True:
    import sys
    from pathlib import Path
    from earlystop._files.lock import HeldError, Lock
    try:
        Lock(Path(sys.argv[1]))
        print("granted")
    except HeldError as holder:
        print("held by", holder)
"""

needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither forks nor links")
needs_open_file_locks = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has locks of open files that record locks respect"
)


def another_process(path: Path, code: str = OTHER) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def handles() -> int:
    return len(os.listdir("/dev/fd"))


# What it is held against --------------------------------------------------------------------------


def test_another_process_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    assert another_process(tmp_path / "lock").startswith(f"held by process {os.getpid()} on ")
    lock.release()
    assert another_process(tmp_path / "lock") == "granted"


@needs_posix
def test_a_copy_of_its_folder_does_not_end_a_lock(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    lock = Lock(tmp_path / "run" / "lock")
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    (tmp_path / "run" / "lock").read_bytes()
    assert "held" in another_process(tmp_path / "run" / "lock")
    lock.release()


@needs_open_file_locks
def test_it_and_the_record_lock_of_version_0_1_keep_each_other_out(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "lock"
    ask = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    lock = Lock(path)
    old = subprocess.run([sys.executable, "-c", ask, str(path)], check=False, capture_output=True)
    assert b"BlockingIOError" in old.stderr
    lock.release()
    with open(path, "r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert "held" in another_process(path)


# Its file -----------------------------------------------------------------------------------------

IMPOSTORS: dict[str, Callable[[Path, Path], object]] = {
    "symbolic link": lambda path, mine: path.symlink_to(mine),
    "dangling": lambda path, mine: path.symlink_to(mine.with_name("nothing")),
    "hard link": lambda path, mine: os.link(mine, path),
    "folder": lambda path, mine: path.mkdir(),
    "pipe": lambda path, mine: os.mkfifo(path),
}


@needs_posix
@pytest.mark.parametrize("what", IMPOSTORS)
def test_a_lock_that_is_no_file_of_its_own_is_refused_and_nothing_written(
    what: str, tmp_path: Path
) -> None:
    run, mine = tmp_path / "run", tmp_path / "mine"
    run.mkdir()
    mine.write_text("precious\n" * 99)
    IMPOSTORS[what](run / ".checkpoints.lock", mine)
    match = "cannot be used for checkpoints: its lock '.checkpoints.lock' is a .*: delete it"
    with pytest.raises(es.CheckpointError, match=match):
        es.Checkpoints(run)
    assert mine.read_text() == "precious\n" * 99
    assert os.listdir(run) == [".checkpoints.lock"]
    assert sorted(os.listdir(tmp_path)) == ["mine", "run"]


@needs_posix
def test_where_there_are_no_locks_of_one_kind_the_next_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(number: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    kinds = lock_module._KINDS
    for usable in range(1, len(kinds)):
        lacking = [kind._replace(take=unknown) for kind in kinds[:usable]]
        monkeypatch.setattr(lock_module, "_KINDS", lacking + kinds[usable:])
        lock = Lock(tmp_path / "lock")
        with pytest.raises(HeldError):
            Lock(tmp_path / "lock")
        lock.release()
    monkeypatch.setattr(lock_module, "_KINDS", [kind._replace(take=unknown) for kind in kinds])
    with pytest.raises(es.CheckpointError, match=r"file system has no locks .*not implemented"):
        es.Checkpoints(tmp_path)


# Forks --------------------------------------------------------------------------------------------


def in_fork(act: Callable[[], object]) -> int:
    """The exit code of a fork of this process that does this: 0 if nothing is raised."""
    child = os.fork()
    if not child:
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_posix
def test_a_fork_that_ends_or_releases_a_lock_leaves_it_with_its_parent(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")

    def release() -> None:
        assert lock.is_inherited
        assert not lock.held
        lock.release()
        lock.__del__()

    assert in_fork(release) == 0
    assert lock.held
    assert "held" in another_process(tmp_path / "lock")
    lock.release()


@needs_posix
@pytest.mark.parametrize("without_hooks", [False, True])
def test_a_fork_that_lives_on_does_not_keep_a_lock(
    without_hooks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without_hooks:  # as of a fork that Python does not know of
        monkeypatch.setattr(Lock, "leave_to_parent", lambda self: None)
    lock = Lock(tmp_path / "lock")
    child = os.fork()
    if not child:
        signal.pause()
    try:
        lock.release()
        assert another_process(tmp_path / "lock") == "granted"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


@needs_posix
def test_a_fork_that_outlives_a_killed_parent_does_not_keep_its_lock(tmp_path: Path) -> None:
    code = """if True:
        import os, sys, time
        from pathlib import Path
        from earlystop._files.lock import Lock
        lock = Lock(Path(sys.argv[1]))
        child = os.fork()
        if not child:
            os.close(1)
            time.sleep(60)
        print(child, flush=True)
        os.kill(os.getpid(), 9)
    """
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.read())
    try:
        assert another_process(tmp_path / "lock") == "granted"
    finally:
        os.kill(child, 9)


@needs_posix
def test_a_command_that_a_run_starts_does_not_keep_its_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, close_fds=False) as started:
        lock._handle.close()  # as in a crash: it is not released
        try:
            assert another_process(tmp_path / "lock") == "granted"
        finally:
            started.kill()


def test_a_lock_that_outlives_the_modules_at_the_end_of_a_process_ends_quietly(
    tmp_path: Path,
) -> None:
    program = (
        "import json, sys; from pathlib import Path; from earlystop._files import lock; "
        "json.kept = [lock.Lock(Path(sys.argv[1])), lock, json]"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "lock")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert another_process(tmp_path / "lock") == "granted"


# Interrupts ---------------------------------------------------------------------------------------


@needs_posix
def test_an_interrupt_at_any_moment_of_taking_a_lock_leaves_it_free(tmp_path: Path) -> None:
    path, before, count, kept = tmp_path / "lock", handles(), 0, list[Lock]()
    for _ in interrupted_everywhere(lambda: path, lambda path: kept.append(Lock(path)), SOURCES):
        assert not kept
        Lock(path).release()
        count += 1
    kept.pop().release()
    assert count > 30
    assert handles() == before


@needs_posix
def test_an_interrupt_at_any_moment_of_a_release_leaves_a_lock_that_can_be_released(
    tmp_path: Path,
) -> None:
    path, before, count = tmp_path / "lock", handles(), 0
    for lock in interrupted_everywhere(lambda: Lock(path), Lock.release, SOURCES):
        if count % 2:
            lock.release()
        if lock.held:  # the interrupt came before anything was done
            with pytest.raises(HeldError):
                Lock(path)
            lock.release()
        Lock(path).release()
        lock.release()
        count += 1
    assert count > 10
    assert handles() == before


@needs_posix
def test_a_handle_belongs_to_one_object(tmp_path: Path) -> None:
    handle = Handle()
    handle.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    for other in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            other(handle)
    handle.close()
