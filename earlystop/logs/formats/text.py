"""Plain text, read by a pattern that the user passes."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping

from ..._arguments import argument
from ..columns import is_coordinate, number
from ..commas import Commas
from ..log_format import LogFormat
from ..rows import Rows
from ..run import Run
from ..source import Source
from ..spelled_numbers import spelled, unit_note

__all__ = ["FORMAT"]


_LONGEST = 2000  # characters of a line that are searched: some patterns take quadratic time


def _matches(log: Source) -> Iterator[tuple[int, dict[str, str]]]:
    """The texts that each match of a pattern finds, by name, and the number of the line."""
    for line_number, line in log.lines():
        # A progress bar overwrites its line by carriage returns.
        for part, pattern in itertools.product(line.split("\r"), log.options.pattern):
            for match in pattern.finditer(part[:_LONGEST]):
                groups = match.groupdict()
                if groups.keys() >= {"name", "value"}:
                    groups = {str(groups["name"]).strip(): groups["value"]}
                yield (
                    line_number,
                    {
                        name: text.strip().rstrip(",;")
                        for name, text in groups.items()
                        if text is not None
                    },
                )


class _CommaError(Exception):
    """A number has a comma: what it means depends on the others."""


class _OddError(ValueError):
    """A number that cannot be read; says what is odd about it."""


class _Numbers:
    """The numbers in the texts that patterns find.

    commas: what commas mean in them; None while no number has had one.
    units: the unit of each name, "" where its numbers have none.
    """

    def __init__(self, log: Source, commas: Commas | None) -> None:
        self.units: dict[str, str] = {}
        self._log, self._commas = log, commas

    def of(self, texts: Mapping[str, str], line_number: int) -> dict[str, float]:
        """The numbers by name; those that are not reported are left out.

        Raises LogError for what is no number, _CommaError for the first with a comma.
        """
        found = {}
        for name, text in texts.items():
            try:
                value = self._number(name, text)
            except ValueError as error:
                why = f": {error}" if isinstance(error, _OddError) else ""
                raise self._log.wrong(
                    f"expected a number for {name!r}, where the pattern found {text[:40]!r}{why}",
                    f"line {line_number}",
                ) from None
            if value is not None:
                found[name] = value
        return found

    def _number(self, name: str, text: str) -> float | None:
        try:
            value, unit = number(text), ""
        except ValueError:
            if Commas.matter(text):
                if self._commas is None:
                    raise _CommaError from None
                value, unit = number(self._plain(text, self._commas)), ""
            else:
                with_unit = spelled(text)
                if with_unit is None:
                    raise
                value, unit = with_unit
        if value is not None and math.isfinite(value) and self.units.setdefault(name, unit) != unit:
            raise _OddError(f"it has another unit than the values before: {self.units[name]!r}")
        return value

    @staticmethod
    def _plain(text: str, commas: Commas) -> str:
        try:
            return commas.plain(text)
        except ValueError as error:
            raise _OddError(f"it has {error}") from error


def _commas(log: Source) -> Commas:
    """What commas mean in the numbers that are found."""
    commas = Commas()
    for _, texts in _matches(log):
        for text in texts.values():
            commas.learned(text)
    return commas


def _read(log: Source) -> Iterator[Run]:
    if log.options.pattern is None:
        raise log.wrong(
            f"the format of plain text needs {argument('pattern')}, a regular expression"
        )
    try:
        yield _run(log, None)
    except _CommaError:
        yield _run(log, _commas(log))


def _run(log: Source, commas: Commas | None) -> Run:
    rows, row = log.rows(), dict[str, float]()
    numbers = _Numbers(log, commas)
    for line_number, texts in _matches(log):
        values = numbers.of(texts, line_number)
        if any(map(functools.partial(_is_new, row), values.items())):
            _add(rows, row)
            row = {}
        row.update(values)
    _add(rows, row)
    if not rows.length:
        raise log.wrong("no line matches the pattern")
    log.notes.extend(unit_note(name, unit) for name, unit in numbers.units.items() if unit)
    return rows.run()


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
