"""Whatever fails or ends in the middle of a save, what the ledger lists is there, whole."""

from __future__ import annotations

import builtins
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from earlystop import Checkpoints
from earlystop._files.atomic import replace_whole
from earlystop.checkpoints import read_ledger, transaction
from earlystop.checkpoints.names import LEDGER

from .runs import WRITERS, begun, check_whole, names, next_save, writer


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to reach the disk of this machine."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Crash(BaseException):
    """The process ends here."""


SYSTEM_CALLS = [
    (os, name)
    for name in (
        *(
            "open",
            "replace",
            "rmdir",
            "mkdir",
            "fsync",
            "unlink",
            "chmod",
            "write",
            "ftruncate",
            "listdir",
        ),
        *("lstat", "fstat", "stat", "urandom", "walk"),
    )
] + [(builtins, "open")]

# Requests that these modules make, and that are not made to fail: they hold no data of a save.
LEFT_ALONE = {"close", "fsdecode", "fsencode", "getpid", "kill", "lseek", "read"}
LEFT_ALONE |= {
    "truncate",  # of the metrics of a run: see test_metrics_file.py
    "access",
    "chown",
    "readlink",
    "register_at_fork",
}


def test_every_system_call_of_a_save_is_made_to_fail() -> None:
    folder = Path(es.__file__).parent
    sources = [*(folder / "_files").glob("*.py"), *(folder / "checkpoints").glob("*.py")]
    called = {
        name for path in sources for name in re.findall(r"\bos\.([a-z]\w*)[(,]", path.read_text())
    }
    assert called - LEFT_ALONE <= {name for module, name in SYSTEM_CALLS if module is os}


class Faults:
    """Makes the n-th request to the system fail, counted from 0.

    after: it fails once it has been carried out. forever: and so do all that follow, as if the
    process had ended.
    """

    def __init__(self, n: int, error: Callable[[], BaseException], after: bool, forever: bool):
        self.n, self.error, self.after, self.forever = n, error, after, forever
        self.seen = 0

    def wrapped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **settings: Any) -> Any:
            n, self.seen = self.seen, self.seen + 1
            if n > self.n and self.forever:
                raise self.error()
            if n == self.n and not self.after:
                raise self.error()
            try:
                return call(*arguments, **settings)
            finally:  # also of a request that fails anyway
                if n == self.n:
                    raise self.error()

        return wrapper

    def run(
        self, monkeypatch: pytest.MonkeyPatch, action: Callable[[], Any]
    ) -> BaseException | None:
        with monkeypatch.context() as patch:
            for module, name in SYSTEM_CALLS:
                patch.setattr(module, name, self.wrapped(getattr(module, name)))
            try:
                action()
            except BaseException as error:
                return error
        return None


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize("after", [False, True])
def test_nothing_is_lost_whichever_system_call_fails(
    after: bool, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, failures = 0, 0
    while True:
        folder = tmp_path / str(n)
        checkpoints = begun(folder, what)
        faults = Faults(n, full, after, forever=False)
        error = faults.run(monkeypatch, lambda c=checkpoints: next_save(c, what))
        if faults.seen <= n:
            assert error is None
            break
        n += 1
        check_whole(folder, {1, 3})
        assert checkpoints.entries == read_ledger(folder)
        if error is not None:
            failures += 1
            assert isinstance(error, es.CheckpointError), repr(error)
            assert "No space left on device" in str(error)
            assert error.errno == errno.ENOSPC
        # It goes on where it can: the epoch again, if it was not saved, and the next.
        assert checkpoints.last is not None
        if checkpoints.last.epoch == 2:
            next_save(checkpoints, what)
        checkpoints.save(writer(4), epoch=4, metrics={"loss": 2.0})
        assert names(folder) == {"3.txt", "4.txt"}
        checkpoints.close()
    assert failures > 10


@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize("forever", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_whenever_the_process_ends_the_best_is_whole_and_strays_are_removed(
    after: bool, forever: bool, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 0
    while True:
        folder = tmp_path / str(n)
        checkpoints = begun(folder, what)
        faults = Faults(n, Crash, after, forever)
        error = faults.run(monkeypatch, lambda c=checkpoints: next_save(c, what))
        checkpoints.close()
        if faults.seen <= n:
            assert error is None
            break
        n += 1
        assert isinstance(error, Crash)
        check_whole(folder, {1, 3})
        with Checkpoints(folder, "{epoch}.txt", keep_last=1, resume=True) as again:
            check_whole(folder, {1, 3})
            assert names(folder) == {entry.file for entry in again.entries}
            assert again.last is not None
            assert again.last.epoch in (2, 3)
            if again.last.epoch == 2:
                next_save(again, what)
            assert names(folder) == {"3.txt"}
    assert n > 10


@pytest.mark.parametrize("what", WRITERS)
def test_a_crash_while_opening_or_rewinding_loses_nothing(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 0
    while True:
        folder = tmp_path / str(n)
        begun(folder, what).close()
        WRITERS[what](9)(folder / ".new-9.txt")

        def reopen(folder: Path = folder) -> None:
            with Checkpoints(folder, "{epoch}.txt", resume=True) as checkpoints:
                checkpoints.rewind(1)

        faults = Faults(n, Crash, after=False, forever=True)
        faults.run(monkeypatch, reopen)
        check_whole(folder, {1})
        reopen()
        assert names(folder) == {"1.txt"}
        if faults.seen <= n:
            break
        n += 1
    assert n > 5


def test_each_step_is_on_the_disk_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace, unlink = os.fsync, os.replace, os.unlink

    def recording_fsync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        steps.append("sync folder" if path == tmp_path else f"sync {path.suffix}")
        fsync(handle)

    checkpoints = begun(tmp_path)
    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(
        os, "replace", lambda a, b: (steps.append(f"name {Path(b).name}"), replace(a, b))
    )
    monkeypatch.setattr(os, "unlink", lambda a: (steps.append(f"delete {Path(a).name}"), unlink(a)))
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to tell which file is meant")
    next_save(checkpoints)
    assert steps == [
        "sync .txt",
        "sync .tmp",
        f"name {LEDGER}",
        "sync folder",
        "name 3.txt",
        "delete 1.txt",
        "delete 2.txt",
    ]
    checkpoints.close()


def test_a_rename_that_a_power_loss_undid_is_repeated(tmp_path: Path) -> None:
    begun(tmp_path).close()
    (tmp_path / "1.txt").rename(tmp_path / ".new-1.txt")
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True):
        check_whole(tmp_path, {1})
    assert names(tmp_path) == {"1.txt", "2.txt"}


def test_a_save_of_state_alone_waits_for_the_space_it_may_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(transaction, "wait_for_space", lambda: events.append("waited"))

    def write(path: Path, data: bytes) -> None:
        events.append("ledger")
        replace_whole(path, data)

    monkeypatch.setattr(transaction, "replace_whole", write)
    with Checkpoints(tmp_path) as kept:
        for epoch in range(2):
            kept.save(None, epoch=epoch)
        kept.rewind(0)
        assert events == ["waited", "ledger"] * 3


def test_the_lock_is_released_where_the_wait_for_space_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    kept = Checkpoints(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "wait_for_space", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept.close()
    Checkpoints(tmp_path).close()


def test_a_file_that_a_save_could_neither_list_nor_delete_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: Any) -> None:
        raise full()

    with begun(tmp_path) as checkpoints:
        with monkeypatch.context() as patch:
            patch.setattr(transaction, "replace_whole", refused)
            patch.setattr(os, "unlink", refused)
            with pytest.raises(es.CheckpointError, match=r"ledger .* cannot be written: No space"):
                next_save(checkpoints)
        assert ".new-3.txt" in names(tmp_path)
        assert next_save(checkpoints) == tmp_path / "3.txt"
    check_whole(tmp_path, {3})
