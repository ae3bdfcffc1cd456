"""A lock on a folder that even a crash releases: it ends with the process that holds it."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["HeldError", "Lock"]

# A record lock belongs to a process: a forked child does not inherit it, but the same process could
# acquire it twice. This dict refuses a second lock in the same process.
_held: dict[str, object] = {}

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        os.lseek(handle, 1 << 20, os.SEEK_SET)  # past the notes, which others may read
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HeldError(Exception):
    """The lock is held by another live process, or by another object; the message says which."""


class Lock:
    """A lock, held from construction until `release()` or the end of the process.

    The file also contains notes of its holder; the next holder finds them in `found`.

    Raises HeldError if the lock is held, OSError if the file cannot be opened.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = Lock(Path(folder) / "lock")
    ...     lock.note({"writing": "a"})
    ...     lock.release()
    ...     Lock(Path(folder) / "lock").found["writing"]
    'a'
    """

    def __init__(self, path: Path) -> None:
        key, token = os.path.realpath(path), object()
        if _held.setdefault(key, token) is not token:
            raise HeldError("this process")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except BaseException:
            del _held[key]
            raise
        self.release = weakref.finalize(self, _release, key, self._handle)
        try:
            _take(self._handle)
        except OSError as error:
            notes = self._notes()
            self.release()
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise HeldError(
                    f"process {notes.get('process', '?')} on {notes.get('host', '?')}"
                ) from None
            raise
        self.found = self._notes()
        self.note({})

    @property
    def held(self) -> bool:
        """Whether `release()` has not been called yet."""
        return self.release.alive

    def note(self, notes: Mapping[str, Any]) -> None:
        """Replace the notes by these and the process and host of the holder."""
        holder = {"process": os.getpid(), "host": socket.gethostname()}
        line = json.dumps({**holder, **notes}).encode() + b"\n"
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, line)
        os.ftruncate(self._handle, len(line))

    def _notes(self) -> dict[str, Any]:
        os.lseek(self._handle, 0, os.SEEK_SET)
        line = os.read(self._handle, 1 << 16).partition(b"\n")[0]
        try:
            notes = json.loads(line)
        except ValueError:  # a new file, or one damaged by a power loss
            return {}
        return notes if isinstance(notes, dict) else {}


def _release(key: str, handle: int) -> None:
    os.close(handle)
    del _held[key]
