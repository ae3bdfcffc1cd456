"""The wire format of protocol buffers: the fields of a message, without its definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["MalformedError", "fields", "signed", "varint"]


class MalformedError(ValueError):
    """Bytes that are not a valid protocol buffer."""


def varint(data: bytes, offset: int) -> tuple[int, int]:
    """The unsigned number at an offset, and the offset after it. Raises MalformedError.

    >>> varint(bytes([0xAC, 0x02]), 0)
    (300, 2)
    """
    value = shift = 0
    while True:
        if offset >= len(data) or shift > 63:
            raise MalformedError
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7


def signed(value: int) -> int:
    """The signed number (int64) whose unsigned form this is."""
    return value - 2**64 if value >= 2**63 else value


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message as (number, value): varints as ints, others as bytes.

    Raises MalformedError where the bytes are no message.

    >>> list(fields(bytes([0x08, 0x96, 0x01, 0x12, 0x02]) + b"hi"))
    [(1, 150), (2, b'hi')]
    """
    offset = 0
    while offset < len(data):
        key, offset = varint(data, offset)
        kind = key & 7
        if kind == 0:
            value, offset = varint(data, offset)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, offset = varint(data, offset)
        if size is None or offset + size > len(data):
            raise MalformedError
        yield key >> 3, data[offset : offset + size]
        offset += size
