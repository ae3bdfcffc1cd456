"""`Rows`: a run that is collected row by row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .columns import is_coordinate
from .limits import Limited
from .run import Points, Run

__all__ = ["Rows"]


class _Column:
    __slots__ = ("rows", "values")

    def __init__(self) -> None:
        self.rows, self.values = array("q"), array("d")


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

    def add(self, values: Mapping[str, float] | Sequence[tuple[str, float]]) -> None:
        """Add the next row, given its values by name. Raises LogError beyond the limits."""
        pairs = values.items() if isinstance(values, Mapping) else values
        self._log.count(len(values) + 1)
        columns = self._columns
        for name, value in pairs:
            column = columns.get(name)
            if column is None:
                column = self._column(name)
            column.rows.append(self.length)
            column.values.append(value)
        self.length += 1

    def _column(self, name: str) -> _Column:
        if len(self._columns) >= (most := self._log.limits.names):
            raise self._log.wrong(
                f"more than {most:,} different names: this does not look like a log of metrics "
                "(see `limits`)",
                f"row {self.length + 1}",
            )
        column = self._columns[name] = _Column()
        return column

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
        return run
