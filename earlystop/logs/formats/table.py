"""Text tables with a header and one row per epoch.

Keras and Lightning `CSVLogger`, Ultralytics, Weights & Biases, AlgoPerf, CatBoost and other tools
write them. An empty cell is a gap, the text nan is a value. Names and cells are stripped. A header
in the middle of a file begins another run, unless the epochs or steps go on below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..columns import is_coordinate
from ..columnwise import Column, records_of, runs_of_columns
from ..dialect import is_number
from ..log_format import LogFormat
from ..run import Run
from ..source import Source
from ..table_columns import columns_of_tables

__all__ = ["FORMAT", "plain_rows"]


def _recognise(log: Source) -> bool:
    lines = log.first_lines
    if not lines or lines[0].startswith(("{", "[")) or _LOGGED.match(lines[0]):
        return False
    separator, _, header, rows, known = log.dialect
    if any(map(is_number, header)) and not all(map(is_number, header)):
        return known and separator != " " and _has_numbers_as_names(header, rows)
    if not rows:
        return known and len(header) > 1 and any(map(is_coordinate, header))
    quantifier = all if separator == " " else any  # any sentence with a number has one number cell
    return len(rows[0]) >= len(header) > 0 and quantifier(map(is_number, rows[0]))


# A line of Python's logging, whose time has a comma: it separates no cells.
_LOGGED = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d,\d{3}(?=[^\d,;\t|])")


def _has_numbers_as_names(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Are some names numbers, as those of recall at 5 and 25, in what is a header for certain?

    Its columns that count rows, or the first, which is the index of a data frame if it has no name,
    have numbers below them.
    """
    places = [n for n, name in enumerate(header) if is_coordinate(name) or (n == 0 and not name)]
    return bool(places and rows) and all(is_number(row[place]) for row in rows for place in places)


def _read(log: Source) -> Iterator[Run]:
    tables = columns_of_tables(log)
    if not any(_is_metric(column) for columns in tables for column in columns):
        raise log.wrong(f"there is no metric in it{_texts(tables)}", not_a_log=True)
    for number, columns in enumerate(tables, 1):
        for run in runs_of_columns(log, columns):
            if number > 1:
                run.name = f"#{number}" if run.name is None else f"#{number} {run.name}"
            yield run


def _is_metric(column: Column) -> bool:
    return len(column.gaps) < len(column.values) and not is_coordinate(column.name)


def _texts(tables: Sequence[Sequence[Column]]) -> str:
    """The columns of text, and what stands in them, for an error."""
    found = [
        f"{column.name!r} has no numbers, but {next(iter(column.texts.values()))[:40]!r}"
        for columns in tables
        for column in columns
        if column.texts
    ]
    return f": {', '.join(found[:5])}" if found else ""


def plain_rows(log: Source) -> Iterator[dict[str, Any]]:
    """The rows, by column name: numbers, text, or None for a gap.

    Raises LogError for a table that is damaged or has no rows.
    """
    for columns in columns_of_tables(log):
        yield from records_of(columns)


FORMAT = LogFormat("table", _recognise, _read, general=True, order=190)
