"""Parquet: the sizes in the headers of the pages, which readers trust when they unpack.

A header is a struct of Thrift's compact protocol. What the footer says of sizes is not asked: a
crafted file may say little there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["pages"]

_DEEPEST = 16  # structs within a header; there are two levels


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
        return None, at + length
    if kind == 12:
        return _fields(data, at, depth + 1)
    raise ValueError(f"a field of the kind {kind}, which no page has")


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
