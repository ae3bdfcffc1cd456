"""Columns with text in them: whether they are columns of numbers, and what is read of them."""

from __future__ import annotations

import collections
from collections.abc import Iterator

from .columns import number, tells_apart
from .spelled_numbers import spelled, unit_note

__all__ = ["CellsOfText"]

_ENOUGH = 100  # texts without any number: the column is not one of numbers


class CellsOfText:
    """The cells of one column that are text, as the records are read.

    Numbers may be written as text, with a unit or without. Whether it is a column of numbers is
    known only when all of it has been read: until then, the values and the texts are both kept.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._plain = self._other = 0
        self._units: collections.Counter[str] = collections.Counter()
        self._examples: dict[str, None] = {}

    @property
    def surely_text(self) -> bool:
        """Is it certainly no column of numbers, whatever cells follow?"""
        return self._other >= _ENOUGH and not (self._plain or self._units)

    def value(self, text: str) -> float | None:
        """Count a stripped text, and return its number; None if it means "not reported".

        Raises ValueError for any other text.
        """
        if self.surely_text:
            raise ValueError(text)
        try:
            value = number(text)
        except ValueError:
            found = spelled(text)
            if found is None:
                self._count(text)
                raise
            if found.unit not in self._units:
                self._examples.setdefault(text)
            self._units[found.unit] += 1
            return found.value
        self._plain += value is not None
        return value

    def _count(self, text: str) -> None:
        if not self._other:
            self._examples.setdefault(text)
        self._other += 1

    def are_numbers(self, values: int) -> bool | None:
        """Is this a column of numbers? None if they are of several kinds.

        values: how many numbers it has in all. Text that tells rows apart stays text, whatever
        numbers there are.
        """
        if self.surely_text or (self._other and (tells_apart(self._name) or self._other > values)):
            return False
        with_unit = self._units.total()
        if not with_unit:
            return True
        return True if len(self._units) == 1 and with_unit == values and not self._other else None

    def notes(self, values: int) -> Iterator[str]:
        """What the report says of a column that is not one of text."""
        kinds = ", ".join(map(repr, [*self._examples][:3]))
        if self.are_numbers(values) is None:
            plain = "plain numbers and " if values > self._units.total() else ""
            yield f"{self._name}: left out, as its numbers are of several kinds: {plain}{kinds}"
        elif self._other:
            some = "1 value is no number" if self._other == 1 else f"{self._other:,} are no numbers"
            yield f"{self._name}: {some}, such as {kinds}: left out"
        else:
            yield from (unit_note(self._name, unit) for unit in self._units)
