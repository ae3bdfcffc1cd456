"""A lock on a folder that no crash leaves behind: it ends with the process that holds it."""

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

# A record lock belongs to a process: a forked child does not inherit it, and the same process would
# be granted a second one. So a second one in this process is refused here.
_held: dict[str, object] = {}

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        os.lseek(handle, 1 << 20, os.SEEK_SET)  # beyond the notes, so that others can read them
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HeldError(Exception):
    """Another live process, or another object of this one, holds the lock; the text says which."""


class Lock:
    """Held from construction until `release()`, or until the process ends, however it ends.

    The file also carries notes of its holder; the next holder finds them in `found`.

    Raises HeldError, whose text says who holds it, or OSError if the file cannot be opened.

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
        """Replace the notes, which are one line; who holds the lock is added."""
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
        except ValueError:  # a new file, or a machine that lost power: no notes
            return {}
        return notes if isinstance(notes, dict) else {}


def _release(key: str, handle: int) -> None:
    os.close(handle)
    del _held[key]
