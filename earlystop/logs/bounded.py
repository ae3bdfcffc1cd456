"""Reading bytes within limits, which stop decompression bombs.

A bomb is a small file that unpacks to a large one. `Allowance` is how much a packed source may
unpack to, however it is packed; it is spent before, or as, bytes are unpacked.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ..errors import LogError
from .limits import Limited

__all__ = [
    "GZIP",
    "Allowance",
    "BoundedBytes",
    "allowed",
    "first_bytes",
    "opened",
    "rest_is_blank",
    "too_much",
]


_Result = TypeVar("_Result")

_UNBOUND = 16 * 2**20  # bytes that may always be unpacked, however small the packed file
_STEP = 2**20  # bytes that are unpacked before they are counted


def allowed(log: Limited, packed: int) -> int:
    """How many bytes a source may unpack to, after `packed` packed bytes of it have been read."""
    limits = log.limits
    return min(limits.file, max(_UNBOUND, limits.packing * packed))


def too_much(log: Limited) -> LogError:
    """The error for a source that unpacks to more."""
    return log.wrong(
        "there is more in it than may be unpacked or read (see `limits`): "
        "a packed file of this size is no log"
    )


def opened(path: Path) -> int:
    """The descriptor of a file that is open for reading bytes; -1 if it is no regular file.

    Raises OSError if it cannot be opened.
    """
    # Without O_NONBLOCK, opening a named pipe would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return -1


def first_bytes(path: Path, size: int) -> bytes | None:
    """The first bytes of a file, at most `size`, read as quickly as possible.

    None if it is packed, or no regular file. Raises OSError if it cannot be read.
    """
    descriptor = opened(path)
    if descriptor < 0:
        return None
    try:
        data = os.read(descriptor, size)
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
    finally:
        os.close(descriptor)
    return None if data.startswith(GZIP) else data


def rest_is_blank(file: BinaryIO) -> bool:
    """Are all bytes left in a file zero, as a crash of the machine leaves them?"""
    while data := file.read(_STEP):
        if any(data):
            return False
    return True


GZIP = b"\x1f\x8b"


class Allowance:
    """How many more bytes a source may unpack to.

    packed: how many packed bytes have been read so far; by default, the whole source. So a source
        that unpacks to too much is recognised by its beginning.
    """

    def __init__(self, log: Limited, packed: Callable[[], int] | None = None) -> None:
        self._log, self._packed, self._unpacked = log, packed or (lambda: log.size), 0

    @property
    def left(self) -> int:
        return allowed(self._log, self._packed()) - self._unpacked

    def take(self, size: int) -> None:
        """Count `size` more unpacked bytes. Raises LogError if they are too many."""
        self._unpacked += size
        if self.left < 0:
            raise too_much(self._log)


class BoundedBytes(io.RawIOBase):
    """A stream that raises LogError if it yields more bytes than the limits allow.

    raw: the bytes of the file.
    log: the source, for limits and errors.
    packed: whether the bytes are packed with gzip.
    """

    def __init__(self, raw: BinaryIO, log: Limited, packed: bool) -> None:
        self._raw, self._log, self.packed = raw, log, packed
        self._file: gzip.GzipFile | BinaryIO = gzip.GzipFile(fileobj=raw) if packed else raw
        self._step = _STEP if packed else sys.maxsize
        self._allowance = Allowance(log, raw.tell if packed else lambda: sys.maxsize)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = self._allowance.left + 1
        parts = []
        while size > 0 and (part := self._guarded(self._file.read, min(size, self._step))):
            self._allowance.take(len(part))
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return how many bytes: fewer than it has at the end."""
        if self.packed:
            data = self.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        size: int = self._raw.readinto(buffer)  # type: ignore[attr-defined]  # which all have
        self._allowance.take(size)
        return size

    def _guarded(self, action: Callable[[int], _Result], argument: int) -> _Result:
        try:
            return action(argument)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._log.wrong(
                f"the packed (gzip) data is damaged or cut off: {error}"
            ) from None

    def seek(self, offset: int, whence: int = 0) -> int:
        if self._step == sys.maxsize:
            return self._file.seek(offset, whence)
        if whence == 2:
            raise io.UnsupportedOperation("the end of packed data is known when it is reached")
        offset += self._file.tell() if whence == 1 else 0
        if offset < self._file.tell():
            self._guarded(self._file.seek, 0)
        self.read(offset - self._file.tell())
        return self._file.tell()

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._raw.close()
        super().close()
