"""The wire format of protocol buffers: the fields of a message, without its definition."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["MalformedError", "fields", "signed", "varint"]


_NEVER = sys.maxsize  # larger than what is left of any message


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
    offset, end = 0, len(data)
    while offset < end:
        key = data[offset]
        offset += 1
        if key > 0x7F:
            key, offset = varint(data, offset - 1)
        kind = key & 7
        if kind == 0:
            value, offset = varint(data, offset)
            yield key >> 3, value
            continue
        if kind != 2:
            size = _SIZES[kind]
        elif offset < end and data[offset] < 0x80:
            size = data[offset]
            offset += 1
        else:
            size, offset = varint(data, offset)
        if offset + size > end:
            raise MalformedError
        yield key >> 3, data[offset : offset + size]
        offset += size


_SIZES = (_NEVER, 8, _NEVER, _NEVER, _NEVER, 4, _NEVER, _NEVER)  # in bytes, by the kind of a field
