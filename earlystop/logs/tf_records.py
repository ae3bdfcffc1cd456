"""TFRecord files, in which TensorFlow keeps records of bytes, each with checksums.

A record consists of the length (8 bytes), the masked CRC of the length (4), the data, and the
masked CRC of the data (4). The checksum is CRC-32C (Castagnoli).
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from .bounded import BoundedBytes, rest_is_blank
from .source import Source

__all__ = ["masked_crc", "records"]

_READ_AHEAD = 2**16  # bytes; most records have less than a hundred


@functools.cache
def _tables() -> tuple[list[int], list[int]]:
    """What one byte makes of the checksum, and what two bytes make of it."""
    one = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        one = one >> 1 ^ np.where(one & 1, np.uint32(0x82F63B78), np.uint32(0))
    first = np.arange(2**16, dtype=np.uint32)
    for _ in range(2):
        first = one[first & 0xFF] ^ first >> 8
    return one.tolist(), first.tolist()


def masked_crc(data: bytes) -> int:
    """The masked checksum that TFRecord uses.

    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    one, two = _tables()
    crc = 0xFFFFFFFF
    for word in np.frombuffer(data, "<u2", len(data) // 2).tolist():
        crc = two[(crc ^ word) & 0xFFFF] ^ crc >> 16
    if len(data) % 2:
        crc = one[(crc ^ data[-1]) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


_crc_of_length = functools.lru_cache(4096)(masked_crc)  # lengths repeat


def records(log: Source) -> Iterator[tuple[int, bytes]]:
    """The offset of each record, and its data followed by its checksum.

    What is cut off or damaged ends the records, and is recorded in the source.
    """
    with log.open() as file:
        offset, ahead = 0, _Ahead(file)
        while True:
            head = ahead.read(12)
            if not head:
                return
            position = f"byte {offset}"
            if len(head) < 12:
                return log.cut_off_record(offset)
            (length,) = struct.unpack("<Q", head[:8])
            if _crc_of_length(head[:8]) != struct.unpack("<I", head[8:])[0]:
                if not any(head) and ahead.rest_is_blank():
                    return log.cut_off_record(offset)
                return log.damaged("expected a record, got bytes that fail its checksum", position)
            if length > log.limits.record:
                return log.damaged(f"a record of {length:,} bytes (see `limits`)", position)
            data = ahead.read(length + 4)
            if len(data) < length + 4:
                return log.cut_off_record(offset)
            offset += 16 + length
            yield offset - 16 - length, data


class _Ahead:
    """Reads a file by large pieces; a packed one, whose damage may lie ahead, only as asked."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._data, self._at = file, b"", 0
        self._most = 0 if isinstance(file, BoundedBytes) and file.packed else _READ_AHEAD

    def read(self, size: int) -> bytes:
        """So many bytes, or as many as there are."""
        end = self._at + size
        if end > len(self._data):
            left = self._data[self._at :]
            self._data = left + self._file.read(max(size - len(left), self._most))
            self._at, end = 0, size
        found = self._data[self._at : end]
        self._at = end
        return found

    def rest_is_blank(self) -> bool:
        """Are all bytes left zero?"""
        return not any(self._data[self._at :]) and rest_is_blank(self._file)
