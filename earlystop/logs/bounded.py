"""Bytes within limits: a packed file may not grow out of all proportion."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from typing import IO, Any, BinaryIO

from .limits import Limited

__all__ = ["BoundedBytes"]


_UNBOUND = 16 * 2**20  # bytes that may be unpacked whatever the size of the packed file


class BoundedBytes(io.RawIOBase):
    """Bytes that end in an error where a packed file grows out of all proportion."""

    def __init__(self, raw: BinaryIO, log: Limited, packed: bool) -> None:
        self._raw, self._log = raw, log
        self._file: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
        limits = log.limits
        self._left = limits.file
        if packed:
            self._left = min(limits.file, max(_UNBOUND, limits.packing * log.size))

    def readable(self) -> bool:
        return True

    def _taken(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise self._log.wrong(
                "there is more in it than may be unpacked or read (see `limits`): "
                "a packed file of this size is no log"
            )
        return data

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = self._left + 1
        return self._taken(self._guarded(self._file.read, min(size, sys.maxsize)))

    def _guarded(self, read: Any, size: int) -> bytes:
        try:
            data: bytes = read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._log.wrong(
                f"the packed (gzip) data is damaged or cut off: {error}"
            ) from None
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        return self._guarded(lambda _: self._file.seek(place, whence), 0)  # type: ignore[return-value]

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._raw.close()
        super().close()
