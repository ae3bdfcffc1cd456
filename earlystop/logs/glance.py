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
    if not head or head.isspace() or any(map(_OF_TABLES.search, _first_lines(head))):
        return False
    if not head.isascii():
        return False
    return len(head.translate(None, _NO_TEXT)) == len(head) and not _any_mark(head)


def is_numbers_alone(log: Source) -> bool:
    """Are these certainly numbers without names, as of points or of boxes in a picture?"""
    if log.path is None or log.path.suffix not in (".txt", ".csv", ".tsv"):
        return False
    first = next(_first_lines(log.head), b"")
    if not first or _TIME.match(first) or not _NUMBERS.fullmatch(first):
        return False
    return all(map(_NUMBERS.fullmatch, _first_lines(log.head)))


def _any_mark(head: bytes) -> bool:
    return any(mark in head for mark in _MARKS)


def _first_lines(head: bytes) -> Iterator[bytes]:
    return itertools.islice(_lines(head), _LINES)


def _lines(head: bytes) -> Iterator[bytes]:
    """The lines that are not blank."""
    begin = 0
    while begin < len(head):
        end = head.find(b"\n", begin)
        end = len(head) if end < 0 else end
        if line := head[begin:end].strip():
            yield line
        begin = end + 1
