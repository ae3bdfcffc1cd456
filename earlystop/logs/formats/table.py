"""Text tables with a header and one row per epoch.

Keras and Lightning `CSVLogger`, Ultralytics, Weights & Biases, AlgoPerf, CatBoost and other tools
write them. An empty cell is a gap, the text nan is a value. Names and cells are stripped. A header
in the middle of a file begins another run.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..columns import is_coordinate, number
from ..log_format import LogFormat
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT", "cells", "plain_rows", "separator_of"]

_SEPARATORS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*")


def cells(line: str, separator: str) -> list[str]:
    """The cells of one line, stripped."""
    if separator == " ":
        return line.split()
    try:
        row = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in row]


def separator_of(log: Source) -> str | None:
    """The separator with which the first rows have as many cells as the header; None if unknown."""
    lines = log.first_lines[:3]
    if not lines:
        return None
    best, most = None, 1
    given = log.options.separator
    for separator in (*_SEPARATORS, " ") if given is None else (given,):
        if given is None and separator not in lines[0]:
            continue
        rows = [cells(line.lstrip("#"), separator) for line in lines]
        if given is not None or (len({len(row) for row in rows}) == 1 and len(rows[0]) > most):
            best, most = separator, len(rows[0])
    return best


def _is_number(cell: str) -> bool:
    try:
        return number(cell) is not None
    except ValueError:
        return _DECIMAL_COMMA.fullmatch(cell) is not None


def _recognise(log: Source) -> bool:
    lines = log.first_lines
    if not lines or lines[0].startswith(("{", "[")):
        return False
    separator = separator_of(log) or ","
    header = cells(lines[0].lstrip("#"), separator)
    if any(_is_number(name) for name in header) and not all(map(_is_number, header)):
        return False
    if len(lines) == 1:
        return len(header) > 1 and any(map(is_coordinate, header))
    row = cells(lines[1], separator)
    quantifier = all if separator == " " else any  # any sentence with a number has one number cell
    return len(row) >= len(header) > 0 and quantifier(map(_is_number, row))


def _read(log: Source) -> Iterator[Run]:
    tables = itertools.groupby(_numbered(log), key=lambda item: item[0])
    for table_number, rows in tables:
        for run in runs_of(log, (row for _, row in rows)):
            if table_number > 1:
                run.name = f"#{table_number}" if run.name is None else f"#{table_number} {run.name}"
            yield run


def plain_rows(log: Source) -> Iterator[dict[str, Any]]:
    """The rows, by column name: numbers, text, or None for a gap.

    Raises LogError for a table that is damaged or has no rows.
    """
    for _, row in _numbered(log):
        yield row


def _numbered(log: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows, each with the number of its table; another header begins another table."""
    separator = separator_of(log) or ","
    header: list[str] = []
    numeric: dict[str, bool] = {}
    table = rows = 0
    for line_number, found in _rows(log, separator):
        if not header or _is_header(found, header):
            header, numeric = _header(log, found, line_number), {}
            table += 1
            continue
        blank = len(found) > len(header) and not any(found[len(header) :])
        row = found[: len(header)] if blank else found
        if len(row) != len(header):
            log.damaged(
                f"expected {len(header)} cells, as in the header, got {len(row)}",
                f"line {line_number}",
            )
            return
        record = _record(log, header, row, numeric, separator, line_number)
        if record is None:
            return
        rows += 1
        yield table, record
    if not rows:
        names = ", ".join(header)[:200]
        raise log.wrong(f"no rows below the header ({names})", not_a_log=True)


def _rows(log: Source, separator: str) -> Iterator[tuple[int, list[str]]]:
    last_line = [0]

    def texts() -> Iterator[str]:
        for line_number, line in log.lines():
            last_line[0] = line_number
            if line.strip():
                yield line.lstrip("#") if line_number == 1 else line

    if separator == " ":
        for line in texts():
            yield last_line[0], line.split()
        return
    reader = csv.reader(texts(), delimiter=separator, skipinitialspace=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise log.wrong(f"expected cells of a table: {error}", f"line {last_line[0]}") from None
        if row is None:
            return
        yield last_line[0], [cell.strip() for cell in row]


def _is_header(row: Sequence[str], header: Sequence[str]) -> bool:
    if not row or _is_number(row[0]):
        return False
    if list(row) == list(header):
        return True
    return (
        len(row) > 1
        and any(map(is_coordinate, row))
        and not any(_is_number(cell) or not cell for cell in row)
    )


def _header(log: Source, row: list[str], line_number: int) -> list[str]:
    if row and not row[-1]:
        row = row[:-1]  # a separator at the end of each line
    if row and (not row[0] or row[0] == "Unnamed: 0"):
        row = ["index", *row[1:]]  # the index of a data frame
    if not row or all(map(_is_number, row)):
        raise log.wrong(
            "expected a header with the names of the columns, got numbers", f"line {line_number}"
        )
    if len(row) > log.limits.names:
        raise log.wrong(
            f"more than {log.limits.names:,} columns (see `limits`)", f"line {line_number}"
        )
    twice = [name for name in dict.fromkeys(row) if name and row.count(name) > 1][:3]
    if twice:
        raise log.wrong(
            f"expected columns of different names, got twice {twice}", f"line {line_number}"
        )
    return row


def _record(
    log: Source,
    header: list[str],
    row: list[str],
    numeric: dict[str, bool],
    separator: str,
    line_number: int,
) -> dict[str, Any] | None:
    """The cells of a row by column name, with numbers parsed.

    None if a cell is damaged and errors are skipped.
    """
    record: dict[str, Any] = {}
    for name, cell in zip(header, row, strict=True):
        if not name:
            continue
        value: Any
        try:
            value = number(cell)
        except ValueError:
            if separator != "," and _DECIMAL_COMMA.fullmatch(cell):
                value = number(cell.replace(",", "."))
            elif numeric.get(name):
                log.damaged(
                    f"expected a number in the column {name!r}, got {cell[:40]!r}",
                    f"line {line_number}",
                )
                return None
            else:
                value = cell
        if isinstance(value, float):
            record[name] = value if numeric.setdefault(name, True) else cell
        else:
            record[name] = value
            if value is not None:
                numeric.setdefault(name, False)
    return record


FORMAT = LogFormat("table", _recognise, _read, general=True, order=190)
