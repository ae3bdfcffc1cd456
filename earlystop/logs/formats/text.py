"""Plain text, read by a pattern that the user passes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping

from ..._arguments import argument
from ..columns import is_coordinate, number
from ..log_format import LogFormat
from ..rows import Rows
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


_LONGEST = 2000  # characters of a line that are searched: some patterns take quadratic time


def _found(log: Source, line: str, line_number: int) -> Iterator[dict[str, float]]:
    """The values that each match of a pattern finds, by name."""
    # A progress bar overwrites its line by carriage returns.
    for part, pattern in itertools.product(line.split("\r"), log.options.pattern):
        for match in pattern.finditer(part[:_LONGEST]):
            groups = match.groupdict()
            if groups.keys() >= {"name", "value"}:
                groups = {str(groups["name"]).strip(): groups["value"]}
            numbers = {
                name: _number(log, name, text, line_number)
                for name, text in groups.items()
                if text is not None
            }
            yield {name: value for name, value in numbers.items() if value is not None}


def _number(log: Source, name: str, text: str, line_number: int) -> float | None:
    try:
        return number(text.strip().rstrip(",;"))
    except ValueError:
        raise log.wrong(
            f"expected a number for {name!r}, where the pattern found {text[:40]!r}",
            f"line {line_number}",
        ) from None


def _read(log: Source) -> Iterator[Run]:
    if log.options.pattern is None:
        raise log.wrong(
            f"the format of plain text needs {argument('pattern')}, a regular expression"
        )
    rows, row = log.rows(), dict[str, float]()
    for line_number, line in log.lines():
        for values in _found(log, line, line_number):
            if any(map(functools.partial(_is_new, row), values.items())):
                _add(rows, row)
                row = {}
            row.update(values)
    _add(rows, row)
    if not rows.length:
        raise log.wrong("no line matches the pattern")
    yield rows.run()


def _is_new(row: Mapping[str, float], item: tuple[str, float]) -> bool:
    """Does this value belong to another row?"""
    name, value = item
    return name in row and not (is_coordinate(name) and row[name] == value)


def _add(rows: Rows, row: Mapping[str, float]) -> None:
    if any(not is_coordinate(name) for name in row):
        rows.add(row)


FORMAT = LogFormat(
    "text", lambda log: log.options.pattern is not None and bool(log.text), _read, order=40
)
