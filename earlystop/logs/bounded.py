"""Reading bytes within limits, which stop decompression bombs."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable
from typing import BinaryIO, TypeVar

from .limits import Limited

__all__ = ["BoundedBytes"]


_Result = TypeVar("_Result")

_UNBOUND = 16 * 2**20  # bytes that may always be unpacked, however small the packed file


class BoundedBytes(io.RawIOBase):
    """A stream that raises LogError if it yields more bytes than the limits allow.

    raw: the bytes of the file.
    log: the source, for limits and errors.
    packed: whether the bytes are packed with gzip.
    """

    def __init__(self, raw: BinaryIO, log: Limited, packed: bool) -> None:
        self._raw, self._log = raw, log
        self._file: gzip.GzipFile | BinaryIO = gzip.GzipFile(fileobj=raw) if packed else raw
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

    def _guarded(self, action: Callable[[int], _Result], argument: int) -> _Result:
        try:
            return action(argument)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._log.wrong(
                f"the packed (gzip) data is damaged or cut off: {error}"
            ) from None

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._guarded(lambda start: self._file.seek(start, whence), offset)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._raw.close()
        super().close()
