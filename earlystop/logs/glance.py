"""Files that are clearly no logs: a folder may hold a hundred thousand texts or labels."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from .printed_lines import BOXES, TOOLS, YOLO
from .source import Source

__all__ = ["is_numbers_alone", "is_prose"]

_LINES = 8  # at the start, one of which would be the header of a table or its first row
# A comment, a record, a quoted cell, a row of numbers, or a number between separators.
_OF_TABLES = re.compile(
    rb"[#\"]|^\s*[-+.\d{\[]|[,;\t|]\s*[-+]?\.?\d[\d.]*([eE][-+]?\d+)?\s*([,;\t|]|$)"
)
_NUMBERS = re.compile(rb"[-+.\deE,;\t| ]*")
_TIME = re.compile(rb"\d{9}")  # a metric of MLflow has lines of a time, a value and a step
_MARKS = tuple(mark.encode() for mark in (*(tool.mark for tool in TOOLS), *BOXES, *YOLO))
_NO_TEXT = bytes(range(9)) + bytes(range(14, 27))


def is_prose(log: Source) -> bool:
    """Is this certainly text without a table, a record, or a line of a known tool?

    True only where no built-in format would recognise it; False where in doubt.
    """
    head = log.head
    first = _first_lines(head)
    if not first or any(map(_OF_TABLES.search, first)) or not head.isascii():
        return False
    return len(head.translate(None, _NO_TEXT)) == len(head) and not _any_mark(head)


def is_numbers_alone(log: Source) -> bool:
    """Are these certainly numbers without names, as of points or of boxes in a picture?"""
    if log.path is None or log.path.suffix not in (".txt", ".csv", ".tsv"):
        return False
    first = _first_lines(log.head)
    return bool(first) and all(map(_NUMBERS.fullmatch, first)) and not _TIME.match(first[0])


def _any_mark(head: bytes) -> bool:
    return any(mark in head for mark in _MARKS)


def _first_lines(head: bytes) -> list[bytes]:
    return list(itertools.islice(_lines(head), _LINES))


def _lines(head: bytes) -> Iterator[bytes]:
    """The lines that are not blank."""
    begin = 0
    while begin < len(head):
        end = head.find(b"\n", begin)
        end = len(head) if end < 0 else end
        if line := head[begin:end].strip():
            yield line
        begin = end + 1
