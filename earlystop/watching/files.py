"""The log that is watched: whether it has changed since it was last read, and is complete.

Changes are polled. File systems on network disks give no notifications, and others give many at a
time.
"""

from __future__ import annotations

import functools
import glob
import io
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from .._files.paths import expanded

__all__ = ["LogFiles", "LogStream", "Watched", "newest_change", "watched"]

_CHUNK = 2**16


class Watched(Protocol):
    """A log that may be written."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def complete(self) -> bool:
        """Whether nothing more can come."""

    def state(self) -> object:
        """A value that changes with the log."""

    def source(self) -> Any:
        """What `read_history` takes."""


def watched(source: Any) -> Watched:
    """A path, folder, pattern or open file, to be watched."""
    if isinstance(source, LogStream):
        return source
    if hasattr(source, "read") and callable(source.read):
        return LogStream(source)
    return LogFiles(expanded(os.fspath(source), "the log"))


class LogFiles:
    """A file, the files in a folder, or those that match a pattern; they need not be there yet."""

    complete = False

    def __init__(self, path: str) -> None:
        self.name = path

    def state(self) -> object:
        """The size, the time of the last change and the identity of each file."""
        return tuple(sorted(_states(self.name)))

    def source(self) -> str:
        """The path."""
        return self.name


def _states(path: str) -> Iterator[tuple[str, int, int, int]]:
    for file in _files(path):
        try:
            told = os.stat(file)
        except OSError:  # it has just been removed, or renamed
            continue
        yield file, told.st_ino, told.st_size, told.st_mtime_ns


def _files(path: str) -> Iterator[str]:
    if os.path.isdir(path):
        for here, _, names in os.walk(path):
            yield from (os.path.join(here, name) for name in names)
    elif os.path.exists(path):
        yield path
    elif glob.has_magic(path):
        for found in glob.iglob(path, recursive=True):
            yield from _files(found)


def newest_change(path: str) -> int:
    """When a file, or any in a folder, was changed last, in nanoseconds; 0 for none."""
    return max((changed for *_, changed in _states(path)), default=0)


class LogStream:
    """An open file that ends when the writer closes it, such as the standard input.

    A thread reads it, so that a read that waits for the writer holds up nothing.

    size: the bytes that have come.
    """

    def __init__(self, file: Any) -> None:
        name = getattr(file, "name", None)
        self.name = name if isinstance(name, str) else "open file"
        self._file = file
        self._parts: list[bytes] = []
        self.size = 0
        self.complete = False
        self._error: Exception | None = None
        self._reader = threading.Thread(target=self._read, name="earlystop watch", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            read = _reader(self._file)
            while part := read(_CHUNK):
                self._parts.append(part.encode() if isinstance(part, str) else part)
                self.size += len(part)
        except (OSError, ValueError) as error:  # it failed, or was closed
            self._error = error
        self.complete = True

    def state(self) -> object:
        """How much has come, and whether that is all."""
        if self._error is not None:
            raise self._error
        return self.size, self.complete

    def wait(self, seconds: float) -> None:
        """Wait until it is complete, for at most `seconds`."""
        self._reader.join(seconds)

    def source(self) -> io.BytesIO:
        """What has come so far."""
        self._parts = [b"".join(self._parts)] if len(self._parts) > 1 else self._parts
        return _Named(b"".join(self._parts[:1]), self.name)


def _reader(file: Any) -> Callable[[int], Any]:
    """A function that reads what is there, at least something, and waits only while nothing is.

    It reads by the descriptor, if there is one: a buffer would be locked when the program ends.
    """
    try:
        descriptor = file.fileno()
    except (AttributeError, OSError):  # no file of the system
        read: Callable[[int], Any] = getattr(file, "read1", file.read)
        return read
    return functools.partial(os.read, descriptor)


class _Named(io.BytesIO):
    """Bytes with the name of the file they came from."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name
