"""How a table of text is written: what separates its cells, and where its header stands."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .columns import number

__all__ = [
    "Dialect",
    "cells_of_rows",
    "dialect_of",
    "is_comment",
    "is_number",
    "is_table_of_numbers",
]

_SEPARATORS = (",", ";", "\t", "|", " ")
_GLANCE = 3  # rows, the header included, that are looked at
_LINES = 20  # in which they are expected
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # as spreadsheets write it
_WORDS = ("nan", "inf", "infinity")  # that are numbers
_WITH_COMMAS = re.compile(r"[+-]?\d+(,\d+)+(\.\d*)?(e[+-]?\d+)?|[+-]?\d+(\.\d+)+,\d+")


class Dialect(NamedTuple):
    """How a table is written.

    separator: of cells; a blank stands for any number of blanks.
    preamble: how many lines, blank ones not counted, stand before the header.
    header: its cells.
    rows: the cells of the first rows below it, at most two.
    known: whether a separator was found that gives all of them as many cells.
    """

    separator: str
    preamble: int
    header: list[str]
    rows: list[list[str]]
    known: bool


def dialect_of(lines: Sequence[str], separator: str | None) -> Dialect:
    """The dialect of a table that begins with these lines.

    lines: without line ends and blank lines.
    separator: the separator, if it is known.
    """
    preamble = 0
    named = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    if named is not None:
        preamble, separator = 1, separator or named[1]
    below = preamble
    while below < len(lines) and is_comment(lines[below]):
        below += 1
    table = [line for line in lines[below : below + _LINES] if not is_comment(line)]
    if below > preamble:
        commented = _best([_uncommented(lines[below - 1]), *table], separator)
        if not table or _is_header_above(commented.header, commented.rows):
            return commented._replace(preamble=below - 1)
        return _best(table, separator)._replace(preamble=below)
    return _best(table, separator)._replace(preamble=preamble)


def is_table_of_numbers(dialect: Dialect) -> bool:
    """Is there a header of names, and nothing but numbers and gaps in the first row below it?"""
    return (
        dialect.known
        and dialect.separator != " "
        and len(dialect.header) > 1
        and not any(map(is_number, dialect.header))
        and bool(dialect.rows)
        and all(not cell or is_number(cell) for cell in dialect.rows[0])
    )


def is_comment(line: str) -> bool:
    """Is this line a comment, rather than a row whose first cell is `#N/A` or the like?"""
    if not line.startswith("#"):
        return False
    first = re.match(r"#n/a n/a|#[^,;|\s]*", line, re.IGNORECASE)
    try:
        number(first[0] if first else line)
    except ValueError:
        return True
    return False


def _uncommented(line: str) -> str:
    return line.lstrip("#").strip()


def _is_header_above(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Is the comment above the first of these rows their header?"""
    row = rows[0] if rows else ()
    return len(header) == len(row) and any(map(is_number, row)) and not any(map(is_number, header))


def _best(lines: Sequence[str], separator: str | None) -> Dialect:
    """The dialect in which the first rows have as many cells as the header, and the most."""
    if not lines:
        return Dialect(separator or ",", 0, [], [], False)
    best: Dialect | None = None
    for candidate in _SEPARATORS if separator is None else (separator,):
        if separator is None and candidate not in lines[0]:
            continue
        header, *rows = [*itertools.islice(cells_of_rows(lines, candidate), _GLANCE)] or [[]]
        found = Dialect(candidate, 0, header, rows, True)
        if separator is not None:
            return found
        if len(header) > (1 if best is None else len(best.header)) and all(
            len(row) == len(header) for row in rows
        ):
            best = found
    if best is not None:
        return best
    header, *rows = [*itertools.islice(cells_of_rows(lines, ","), _GLANCE)] or [[]]
    return Dialect(",", 0, header, rows, False)


def cells_of_rows(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """The cells of each row, stripped; a quoted cell may go over several lines.

    Ends at a row that the csv module refuses.
    """
    if separator == " ":
        yield from map(str.split, lines)
        return
    try:
        for row in csv.reader(lines, delimiter=separator, skipinitialspace=True):
            yield [cell.strip() for cell in row]
    except csv.Error:
        return


def is_number(cell: str) -> bool:
    """Is there a number in this cell, in whatever spelling?"""
    if cell.isidentifier():  # as most names are
        return cell.lower() in _WORDS
    try:
        return number(cell.removesuffix("%")) is not None
    except ValueError:
        return _WITH_COMMAS.fullmatch(cell) is not None
