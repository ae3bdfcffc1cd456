"""Parquet: the sizes in the headers of the pages, which readers trust when they unpack.

A header is a struct of Thrift's compact protocol, and so is the footer, which says where the pages
are. The sizes in it are not used: a crafted file may understate them. The fields are those
of parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any

__all__ = ["chunks", "pages"]

_DEEPEST = 16  # structs within each other; Parquet has no more than seven


def chunks(data: bytes, columns: Set[str]) -> Iterator[tuple[int, int]]:
    """Where the pages of these columns begin and end, in every group of rows.

    Raises ValueError for a damaged footer.
    """
    length = int.from_bytes(data[-8:-4], "little")
    if length + 8 > len(data):
        raise ValueError("the footer is cut off")
    footer, _ = _fields(data, len(data) - 8 - length, 0)
    for group in _items(footer, 4):
        for chunk in _items(group, 1):
            described = chunk.get(3) if isinstance(chunk, dict) else None
            path = b".".join(part for part in _items(described, 3) if isinstance(part, bytes))
            is_read = path.decode("utf-8", "replace") in columns
            # Without values a column has no pages that are read, and may say nothing of its place.
            if isinstance(described, dict) and is_read and described.get(5) != 0:
                yield _place(described)


def _items(struct: Any, field: int) -> list[Any]:
    """The items of a list in a struct; none if there is no such list."""
    items = struct.get(field) if isinstance(struct, dict) else None
    return items if isinstance(items, list) else []


def _place(described: dict[int, Any]) -> tuple[int, int]:
    """Where the pages of a column begin, with those of its dictionary, and where they end."""
    size, first, dictionary = (described.get(field) for field in (7, 9, 11))
    if type(size) is not int or type(first) is not int:
        raise ValueError("a column without a place")
    start = min(first, dictionary) if type(dictionary) is int and dictionary > 0 else first
    return start, start + size


def pages(data: bytes, chunks: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The bytes, unpacked, and the values of every page.

    chunks: the parts of the file that are read, each with its start and its end.

    Raises ValueError for a header that is damaged, and if there are more pages than the file has
    place for, as chunks may overlap.
    """
    left = len(data) // _SMALLEST
    for start, end in chunks:
        if not 0 <= start <= end <= len(data):
            raise ValueError("a column lies beyond the end of the file")
        at = start
        while at < end:
            header, at = _fields(data, at, 0)
            unpacked, packed = header.get(2), header.get(3)
            if type(unpacked) is not int or type(packed) is not int or min(unpacked, packed) < 0:
                raise ValueError("a page without a size")
            left -= 1
            if left < 0:
                raise ValueError("its columns overlap")
            yield unpacked, _values(header)
            at += packed


_SMALLEST = 8  # bytes of a page with its header, at least


def _values(header: dict[int, Any]) -> int:
    """The number of values in a data page of either version, or in a page of a dictionary."""
    for field in (5, 7, 8):
        inner = header.get(field)
        count = inner.get(1) if isinstance(inner, dict) else None
        if type(count) is int:
            return max(0, count)
    return 0


def _fields(data: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """The fields of a struct by number, and where it ends."""
    if depth > _DEEPEST:
        raise ValueError("structs within structs, too deep")
    found: dict[int, Any] = {}
    number = 0
    while kind := _byte(data, at):
        at += 1
        if kind >> 4:
            number += kind >> 4
        else:
            number, at = _integer(data, at)
        found[number], at = _value(data, at, kind & 15, depth)
    return found, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, at
    if kind == 3:
        return _byte(data, at), at + 1
    if kind in (4, 5, 6):
        return _integer(data, at)
    if kind == 7:
        return None, at + 8
    if kind == 8:
        length, at = _varint(data, at)
        return data[at : at + length], at + length
    if kind in (9, 10):
        return _list(data, at, depth)
    if kind == 12:
        return _fields(data, at, depth + 1)
    raise ValueError(f"a field of the kind {kind}, which Parquet has not")


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    head = _byte(data, at)
    at += 1
    count, kind = head >> 4, head & 15
    if count == 15:
        count, at = _varint(data, at)
    items = []
    for _ in range(count):
        item, at = _value(data, at, 3 if kind in (1, 2) else kind, depth + 1)
        items.append(item)
        _byte(data, at - 1)  # so that a count beyond the end of the file ends
    return items, at


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise ValueError("the header of a page is cut off")
    return data[at]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = _byte(data, at)
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """A number with a sign, which is in its last bit."""
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at
