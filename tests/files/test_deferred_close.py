"""Replacing or deleting a file does not wait for its space, and leaves no handle open."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from earlystop._files.atomic import remove, replace, write_whole
from earlystop._files.deferred_close import KEEP_OPEN, keep_open, wait_for_space


def handles() -> set[str]:
    return set(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


def in_closing_thread() -> bool:
    """Whether this is a thread that `threading` does not know, as the one that closes files."""
    return threading.get_ident() not in {thread.ident for thread in threading.enumerate()}


def comes(is_true: Callable[[], bool]) -> bool:
    """Whether this is true, at the latest in a while."""
    end = time.monotonic() + 20
    while not is_true() and time.monotonic() < end:
        time.sleep(0.001)
    return is_true()


def no_thread_is_left(before: int) -> bool:
    return comes(lambda: _thread._count() == before)


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until this is set, no space is freed, as if the files were very large."""
    event, close = threading.Event(), os.close

    def slow(handle: int) -> None:
        if in_closing_thread():
            event.wait()
        close(handle)

    wait_for_space()
    monkeypatch.setattr(os, "close", slow)
    yield event
    event.set()
    wait_for_space()


def test_replacing_or_removing_a_file_does_not_wait_for_its_space(
    tmp_path: Path, held_back: threading.Event
) -> None:
    before, threads = handles(), _thread._count()
    for n in range(3):
        write_whole(tmp_path / "a", str(n).encode())
    remove(tmp_path / "a")
    assert os.listdir(tmp_path) == []
    assert len(handles() - before) == 3
    assert comes(lambda: _thread._count() == threads + 1)
    held_back.set()
    wait_for_space()
    assert handles() == before
    assert no_thread_is_left(threads)


def test_space_is_freed_at_once_where_no_thread_can_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    wait_for_space()
    before = handles()
    monkeypatch.setattr(_thread, "start_new_thread", none_left)
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


def test_an_error_of_the_system_is_raised_and_no_handle_is_left(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "folder").mkdir()
    wait_for_space()
    before = handles()
    with pytest.raises(FileNotFoundError):
        remove(tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / "b", tmp_path / "a")
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "a", tmp_path / "folder")
    wait_for_space()
    assert handles() == before
    assert sorted(os.listdir(tmp_path)) == ["a", "folder"]


def save_and_wait(path: Path) -> None:
    for text in (b"old", b"new"):
        wait_for_space()
        write_whole(path, text)
    remove(path)


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="needs signals that come by themselves"
)
def test_a_signal_handler_may_save_at_any_moment(tmp_path: Path) -> None:
    # In a process of its own: one that waits for itself can only be killed.
    script = """if True:
        import os, random, signal, sys, time
        from pathlib import Path
        from earlystop._files.atomic import remove
        from earlystop._files.deferred_close import wait_for_space
        folder, came = Path(sys.argv[1]), 0

        def save(path):
            wait_for_space()
            path.touch()
            remove(path)

        def handler(*_):
            global came
            came += 1
            save(folder / "b")
            signal.setitimer(signal.ITIMER_REAL, random.uniform(5e-5, 5e-4))

        before = os.listdir("/dev/fd")
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 1e-4)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            save(folder / "a")
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        wait_for_space()
        assert came and os.listdir("/dev/fd") == before, came
        """
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)


def test_a_finalizer_may_save_in_the_middle_of_a_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_space()
    before = handles()
    start, close = _thread.start_new_thread, os.close
    begun: list[str] = []
    ended: list[str] = []

    class Owner:
        def __del__(self) -> None:
            save_and_wait(tmp_path / begun[-1])
            ended.append(begun[-1])

    def collect(where: str) -> None:
        if where not in begun:
            begun.append(where)
            Owner()

    def collecting_start(*arguments: Any) -> int:
        started = start(*arguments)
        collect("start")
        return started

    def collecting_close(handle: int) -> None:
        close(handle)
        if in_closing_thread() and ended:
            collect("close")

    monkeypatch.setattr(_thread, "start_new_thread", collecting_start)
    monkeypatch.setattr(os, "close", collecting_close)
    # Should they wait for each other, it is not the tests that do.
    for _ in range(100):  # which thread closes a file is a matter of luck
        saving = threading.Thread(target=save_and_wait, args=(tmp_path / "a",), daemon=True)
        saving.start()
        saving.join(20)
        assert not saving.is_alive()
        wait_for_space()
        if "close" in ended:
            break
    assert ended == ["start", "close"]
    assert handles() == before


def test_space_is_freed_at_once_when_the_interpreter_shuts_down(tmp_path: Path) -> None:
    # Python imports nothing by then, and clears its modules: what is used is kept.
    script = """if True:
        import builtins, os, sys
        from earlystop._files.atomic import remove
        from earlystop._files.deferred_close import wait_for_space

        class Last:
            def __init__(self):
                self.kept = remove, wait_for_space, os, sys, sys.argv[1]

            def __del__(self):
                remove, wait_for_space, os, sys, path = self.kept
                for _ in range(2):
                    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
                    wait_for_space()
                    remove(path)
                os.write(1, b"removed, finalizing" if sys.is_finalizing() else b"too early")

        builtins.last = Last()
        """
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a")],
        check=True,
        timeout=60,
        capture_output=True,
    )
    assert done.stdout == b"removed, finalizing"
    assert os.listdir(tmp_path) == []


def test_space_is_freed_where_the_start_of_the_thread_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    wait_for_space()
    before = handles()
    (tmp_path / "a").touch()
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            remove(tmp_path / "a")
    wait_for_space()
    assert handles() == before


def test_a_thread_that_died_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, errors = os.close, list[Any]()

    def failing(handle: int) -> None:
        close(handle)
        if in_closing_thread():
            raise MemoryError

    wait_for_space()
    before, threads = handles(), _thread._count()
    (tmp_path / "a").touch()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda raised: errors.append(raised.exc_type))
        patch.setattr(os, "close", failing)
        remove(tmp_path / "a")
        assert comes(lambda: errors == [MemoryError])
    save_and_wait(tmp_path / "a")
    wait_for_space()
    assert handles() == before
    assert no_thread_is_left(threads)


def test_many_files_waiting_to_be_closed_take_few_handles(
    tmp_path: Path, held_back: threading.Event
) -> None:
    before = handles()
    for n in range(200):
        (tmp_path / str(n)).touch()
    for n in range(200):
        remove(tmp_path / str(n))
    assert 1 < len(handles() - before) < 64
    assert os.listdir(tmp_path) == []
    held_back.set()
    wait_for_space()
    assert handles() == before


def test_threads_that_save_at_once_leave_no_handle_and_no_thread(tmp_path: Path) -> None:
    wait_for_space()
    before, running = handles(), _thread._count()

    def save(name: str) -> None:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            save_and_wait(tmp_path / name)

    threads = [threading.Thread(target=save, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for_space()
    assert handles() == before
    assert no_thread_is_left(running)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_by_a_signal_handler_keeps_no_file_open(
    tmp_path: Path, held_back: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    start, children = _thread.start_new_thread, list[int]()

    def forking(*arguments: Any) -> int:  # the middle of a save, before there is a thread
        children.append(os.fork())
        if not children[-1]:
            links = [os.path.realpath(f"/dev/fd/{handle}") for handle in handles()]
            os._exit(any(str(tmp_path) in link for link in links))
        return start(*arguments)

    monkeypatch.setattr(_thread, "start_new_thread", forking)
    remove(tmp_path / "a")
    assert [os.waitpid(child, 0)[1] for child in children] == [0]


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs record locks")
@pytest.mark.parametrize("flags", [KEEP_OPEN, os.O_RDONLY])  # the latter: as without O_PATH
def test_the_locks_on_a_file_outlive_a_link_to_it(tmp_path: Path, flags: int) -> None:
    import fcntl

    path, link, new = tmp_path / "file", tmp_path / "link", tmp_path / "new"
    new.write_bytes(b"new")
    link.symlink_to(path)
    ask = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with open(path, "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        with keep_open(link, flags):
            os.replace(new, link)
        wait_for_space()
        other = subprocess.run(
            [sys.executable, "-c", ask, str(path)], check=False, capture_output=True
        )
    assert b"BlockingIOError" in other.stderr
    assert (path.read_bytes(), link.read_bytes()) == (b"", b"new")
