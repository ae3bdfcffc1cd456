"""Plain text, read by a pattern that the user passes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ..._arguments import argument
from ..columns import is_coordinate, number
from ..log_format import LogFormat
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


_LONGEST = 2000  # characters of a line that are searched: some patterns take quadratic time


def _found(log: Source, line: str, line_number: int) -> Iterator[tuple[str, float]]:
    # A progress bar overwrites its line by carriage returns.
    for part, pattern in itertools.product(line.split("\r"), log.options.pattern):
        for match in pattern.finditer(part[:_LONGEST]):
            groups = match.groupdict()
            if groups.keys() >= {"name", "value"}:
                groups = {str(groups["name"]).strip(): groups["value"]}
            for name, text in groups.items():
                if text is None:
                    continue
                try:
                    value = number(text.strip().rstrip(",;"))
                except ValueError:
                    raise log.wrong(
                        f"expected a number for {name!r}, where the pattern found {text[:40]!r}",
                        f"line {line_number}",
                    ) from None
                if value is not None:
                    yield name, value


def _read(log: Source) -> Iterator[Run]:
    if log.options.pattern is None:
        raise log.wrong(
            f"the format of plain text needs {argument('pattern')}, a regular expression"
        )
    rows, row = log.rows(), dict[str, float]()
    for line_number, line in log.lines():
        for name, value in _found(log, line, line_number):
            if name in row and not (is_coordinate(name) and row[name] == value):
                rows.add(row)
                row = {}
            row[name] = value
    if any(not is_coordinate(name) for name in row):
        rows.add(row)
    if not rows.length:
        raise log.wrong("no line matches the pattern")
    yield rows.run()


FORMAT = LogFormat(
    "text", lambda log: log.options.pattern is not None and bool(log.text), _read, order=40
)
