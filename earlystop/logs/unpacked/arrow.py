"""Arrow's files (Feather): the sizes that stand before each packed buffer, which readers trust.

The footer lists the batches, which are described by FlatBuffers: tables whose fields are found
through a list of offsets. The layout is that of File.fbs and Message.fbs of Arrow's format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["buffers"]

_MAGIC = b"ARROW1"
_DICTIONARIES, _BATCHES = 2, 3  # fields of the footer
_HEADER_KIND, _HEADER = 1, 2  # fields of a message
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # kinds of a message's header
_BUFFERS, _COMPRESSION = 2, 3  # fields of a batch
_ENTRY = 16  # bytes that describe a buffer


def buffers(data: bytes) -> Iterator[int]:
    """The bytes, unpacked, of every buffer of every batch.

    Raises ValueError for a file that is damaged, and if there are more buffers than the file has
    place to describe, as batches may overlap.
    """
    left = len(data) // _ENTRY
    try:
        for start, length in _blocks(data):
            for size in _sizes(data, start, start + length):
                left -= 1
                if left < 0:
                    raise ValueError("its batches overlap")
                yield size
    except struct.error as error:
        raise ValueError(f"its batches are cut off: {error}") from None


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Where every message begins, and the length of what describes it."""
    end = len(data) - len(_MAGIC) - 4
    length = _number("<i", data, end)
    if length <= 0 or not data.endswith(_MAGIC):
        raise ValueError("there is no footer at its end")
    footer = _root(data, end - length)
    for field in (_DICTIONARIES, _BATCHES):
        start, count = _vector(data, footer, field)
        for number in range(count):
            yield (
                _number("<q", data, start + 24 * number),
                _number("<i", data, start + 24 * number + 8),
            )


def _sizes(data: bytes, start: int, body: int) -> Iterator[int]:
    """The size, unpacked, of every buffer of the message that begins at `start`."""
    prefix = 8 if data[start : start + 4] == b"\xff" * 4 else 4
    message = _root(data, start + prefix)
    kind_at, batch = _field(data, message, _HEADER_KIND), _table(data, message, _HEADER)
    kind = _number("<B", data, kind_at) if kind_at else 0
    if kind == _DICTIONARY_BATCH and batch:
        batch = _table(data, batch, 1)
    elif kind != _RECORD_BATCH:
        raise ValueError("a batch that is none")
    if not batch:
        raise ValueError("a batch without content")
    packed = bool(_field(data, batch, _COMPRESSION))
    first, count = _vector(data, batch, _BUFFERS)
    for entry in range(first, first + _ENTRY * count, _ENTRY):
        offset, length = _number("<q", data, entry), _number("<q", data, entry + 8)
        size = _number("<q", data, body + offset) if packed and length >= 8 else -1
        yield max(size if size >= 0 else length, 0)


def _number(kind: str, data: bytes, at: int) -> Any:
    if at < 0:
        raise ValueError("a place before the beginning of the file")
    return struct.unpack_from(kind, data, at)[0]


def _root(data: bytes, at: int) -> int:
    """Where the outermost table is, of the tables that begin here."""
    return at + int(_number("<I", data, at))


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a table is; 0 if it has none."""
    offsets = table - int(_number("<i", data, table))
    if 4 + 2 * number >= _number("<H", data, offsets):
        return 0
    offset = int(_number("<H", data, offsets + 4 + 2 * number))
    return table + offset if offset else 0


def _table(data: bytes, table: int, number: int) -> int:
    """Where the table is that a field holds; 0 if there is none."""
    at = _field(data, table, number)
    return _root(data, at) if at else 0


def _vector(data: bytes, table: int, number: int) -> tuple[int, int]:
    """Where the items are that a field holds, and how many."""
    at = _table(data, table, number)
    return (at + 4, int(_number("<I", data, at))) if at else (0, 0)
