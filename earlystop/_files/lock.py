"""A lock on a folder that even a crash releases: it ends with the process that holds it.

On Linux it is a lock of the open file: unlike a record lock, it stays when the process opens and
closes the file elsewhere, to copy the folder, say. The two kinds exclude each other, so version
0.1.0, which took record locks, keeps this version out and is kept out by it. Elsewhere it is a lock
by `flock`, which does the same on macOS and the BSDs. Where a file system has neither, it is a
record lock again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .handles import Handle

__all__ = ["HeldError", "Lock"]

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_UNKNOWN = (errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class _Kind(NamedTuple):
    """One way to lock an open file, given by its number; both raise OSError."""

    take: Callable[[int], object]
    release: Callable[[int], object]


if sys.platform == "win32":
    import msvcrt

    def _byte(number: int, what: int) -> None:
        os.lseek(number, 1 << 20, os.SEEK_SET)  # past the notes, which others may read
        msvcrt.locking(number, what, 1)

    _KINDS = [_Kind(lambda n: _byte(n, msvcrt.LK_NBLCK), lambda n: _byte(n, msvcrt.LK_UNLCK))]
else:
    import fcntl

    def _kind(call: Callable[[int, int], object]) -> _Kind:
        now = fcntl.LOCK_EX | fcntl.LOCK_NB
        return _Kind(lambda n: call(n, now), lambda n: call(n, fcntl.LOCK_UN))

    _KINDS = [_kind(fcntl.flock), _kind(fcntl.lockf)]
    if sys.platform == "linux":
        import struct

        def _whole_file(kind: int) -> bytes:
            return struct.pack("hhqqi0q", kind, os.SEEK_SET, 0, 0, 0)

        _KINDS.insert(
            0,
            _Kind(
                lambda n: fcntl.fcntl(n, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK)),
                lambda n: fcntl.fcntl(n, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_UNLCK)),
            ),
        )


class HeldError(Exception):
    """The lock is held by another live process, or by another object; the message says which."""


class Lock:
    """A lock, held from construction until `release()`, or the end of the object or the process.

    The file also contains notes of its holder; the next holder finds them in `found`. A forked
    process does not hold the locks of its parent, and keeps none of them.

    Raises HeldError if the lock is held, OSError if the file cannot be opened, is not a regular
    one, or cannot be locked. A link is not followed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = Lock(Path(folder) / "lock")
    ...     lock.note({"writing": "a"})
    ...     lock.release()
    ...     again = Lock(Path(folder) / "lock")
    ...     again.found["writing"], lock.held, again.held
    ...     again.release()
    ('a', False, True)
    """

    process = 0  # these also hold where the constructor was interrupted
    _stat: os.stat_result | None = None
    _kind: _Kind | None = None
    _is_released = False

    def __init__(self, path: Path) -> None:
        self.process = os.getpid()
        self._path, self._handle = path, Handle()
        try:
            self.place = os.path.join(os.path.realpath(path.parent), path.name)
            _of_this_process.add(self)
            self._open()
            self._take(self._handle.number)
            self.found = self._notes()
            self.note({})
        except BaseException:
            self.release()
            raise

    @property
    def is_inherited(self) -> bool:
        """Whether another process holds it, or held it, of which this one is a fork."""
        return self.process != os.getpid()

    @property
    def held(self) -> bool:
        """Whether this process holds it: `release()` has not been called yet."""
        return not self._is_released and not self.is_inherited

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still at its path: neither deleted nor replaced."""
        if self._stat is None or os.name == "nt":  # Windows lets nobody delete it
            return True
        try:
            return os.path.samestat(self._stat, os.lstat(self._path))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def release(self) -> None:
        """Release it; does nothing in a fork. An interrupt leaves the rest to the next call."""
        if self.is_inherited:
            return
        self._is_released = True
        if self._handle.is_open:
            if self._kind is not None:  # so that no copy of the handle, wherever, keeps the lock
                self._kind.release(self._handle.number)
            self._handle.close()

    def __del__(self, is_ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if not is_ending():  # then modules may be gone, and the system releases it
            self.release()

    def note(self, notes: Mapping[str, Any]) -> None:
        """Replace the notes by these and the process and host of the holder."""
        holder = {"process": os.getpid(), "host": socket.gethostname()}
        line = json.dumps({**holder, **notes}).encode() + b"\n"
        number = self._handle.number
        os.lseek(number, 0, os.SEEK_SET)
        os.write(number, line)
        os.ftruncate(number, len(line))

    def leave_to_parent(self) -> None:
        """In a fork: close the copy of the handle, with which the fork would keep the lock."""
        self._handle.close()

    def _open(self) -> None:
        """Open the file; nothing is written to it yet."""
        with contextlib.suppress(FileNotFoundError):  # to open a device may already do something
            _refuse_all_but_files(self._path, os.lstat(self._path))
        self._handle.open(self._path, _FLAGS)
        self._stat = os.fstat(self._handle.number)
        _refuse_all_but_files(self._path, self._stat)

    def _take(self, number: int) -> None:
        for kind in _KINDS:
            try:
                kind.take(number)
            except OSError as error:
                refusal = error
                if error.errno not in _UNKNOWN:
                    break
            else:
                self._kind = kind
                return
        if refusal.errno in _HELD:
            notes = self._notes()
            raise HeldError(f"process {notes.get('process', '?')} on {notes.get('host', '?')}")
        if refusal.errno in _UNKNOWN:
            what = f"its file system has no locks ({refusal.strerror}), choose one that has"
            raise OSError(refusal.errno, what, str(self._path))
        raise refusal

    def _notes(self) -> dict[str, Any]:
        number = self._handle.number
        os.lseek(number, 0, os.SEEK_SET)
        line = os.read(number, 1 << 16).partition(b"\n")[0]
        try:
            notes = json.loads(line)
        except (ValueError, RecursionError):  # a new file, or one damaged by a power loss
            return {}
        return notes if isinstance(notes, dict) else {}


def _refuse_all_but_files(path: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        what = "a symbolic link"
    elif stat.S_ISDIR(found.st_mode):
        what = "a folder"
    elif not stat.S_ISREG(found.st_mode):
        what = "a device, pipe or socket"
    elif found.st_nlink > 1:  # what is behind the other name may be precious
        what = "a file with another name (a hard link)"
    else:
        return
    advice = "delete it unless you need it, and use another folder if you do"
    raise OSError(errno.EINVAL, f"its lock {path.name!r} is {what}: {advice}", str(path))


class _Locks:
    """The locks of this process, which the system may not tell apart."""

    def __init__(self) -> None:
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._locks: weakref.WeakSet[Lock] = weakref.WeakSet()
        self._guard = threading.RLock()  # in a fork another thread may have been inside

    def add(self, lock: Lock) -> None:
        """Raises HeldError if another object holds the lock at this place."""
        with self._guard:
            for other in [other for other in self._locks if other.place == lock.place]:
                if not other.held:
                    other.release()  # an interrupt may have left something to do
                elif other.is_in_place:
                    raise HeldError("this process")
            self._locks.add(lock)

    def leave_to_parent(self) -> None:
        """In a fork: hold none of them."""
        locks = list(self._locks)
        self._start_afresh()
        for lock in locks:
            lock.leave_to_parent()


_of_this_process = _Locks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_of_this_process.leave_to_parent)
