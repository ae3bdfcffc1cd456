"""`Rows`: a run that is collected row by row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .columns import is_coordinate
from .limits import Limited
from .run import Labels, Points, Run

__all__ = ["Rows", "labels_of"]


class _Column:
    __slots__ = ("rows", "values")

    def __init__(self) -> None:
        self.rows, self.values = array("q"), array("d")


_MOST_TEXTS = 1000  # that tell rows apart; more are comments, times and the like
_LONGEST_TEXT = 200


class _Texts:
    """The texts of a column, and the rows that have them, as long as they are few."""

    __slots__ = ("codes", "known", "rows")

    def __init__(self) -> None:
        self.rows, self.codes = array("q"), array("q")
        self.known: dict[str, int] | None = {}

    def add(self, row: int, text: str) -> None:
        if self.known is None:
            return
        self.rows.append(row)
        self.codes.append(self.known.setdefault(text[:_LONGEST_TEXT], len(self.known)))
        if len(self.known) > _MOST_TEXTS:
            self.known, self.rows, self.codes = None, array("q"), array("q")

    def labels(self) -> Labels:
        rows, codes = (np.frombuffer(part, dtype=np.int64) for part in (self.rows, self.codes))
        return Labels(rows, codes, tuple(self.known or ()))


def labels_of(texts: Mapping[int, str]) -> Labels:
    """The labels of a column, given the text in some of its rows."""
    found = _Texts()
    for row in sorted(texts):
        found.add(row, texts[row])
    return found.labels()


class Rows:
    """A run that is collected row by row; coordinates are recognised by name.

    name: the name of the run; None if it has none.
    log: the source, for limits and errors.
    """

    def __init__(self, name: str | None, *, log: Limited) -> None:
        self.name, self.length = name, 0
        self.notes: list[str] = []
        self._log = log
        self._columns: dict[str, _Column] = {}
        self._texts: dict[str, _Texts] = {}

    def add(
        self,
        values: Mapping[str, float] | Sequence[tuple[str, float]],
        texts: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Add the next row, given its values by name. Raises LogError beyond the limits.

        texts: text in the row, by name, which may say what its values belong to.
        """
        pairs = values.items() if isinstance(values, Mapping) else values
        self._log.count(len(values) + 1)
        for name, text in texts:
            if name not in self._texts:
                self._within(len(self._texts))
                self._texts[name] = _Texts()
            self._texts[name].add(self.length, text)
        columns = self._columns
        for name, value in pairs:
            column = columns.get(name)
            if column is None:
                column = self._column(name)
            column.rows.append(self.length)
            column.values.append(value)
        self.length += 1

    def _column(self, name: str) -> _Column:
        self._within(len(self._columns))
        column = self._columns[name] = _Column()
        return column

    def _within(self, names: int) -> None:
        if names >= (most := self._log.limits.names):
            raise self._log.wrong(
                f"more than {most:,} different names: this does not look like a log of metrics "
                "(see `limits`)",
                f"row {self.length + 1}",
            )

    def leave_out(self, names: Iterable[str]) -> None:
        """Forget these columns."""
        for name in names:
            self._columns.pop(name, None)

    def leave_out_texts(self, names: Iterable[str]) -> None:
        """Forget the text in these columns."""
        for name in names:
            self._texts.pop(name, None)

    def reported(self, name: str) -> int:
        """How many rows report this column."""
        return len(self._columns[name].rows) if name in self._columns else 0

    def run(self, joined: bool = False, coordinates: Iterable[str] = ()) -> Run:
        """The run of the rows so far.

        joined: see `Run`.
        coordinates: further names that are coordinates.
        """
        further = frozenset(coordinates)
        run = Run(self.name, self.length, {}, joined=joined, notes=self.notes)
        for name, column in self._columns.items():
            points = Points(
                np.frombuffer(column.rows, dtype=np.int64),
                np.frombuffer(column.values, dtype=np.float64),
            )
            target = run.coordinates if is_coordinate(name) or name in further else run.metrics
            target[name] = points
        run.labels = {name: texts.labels() for name, texts in self._texts.items()}
        return run
