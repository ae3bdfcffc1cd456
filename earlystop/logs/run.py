"""`Run`: what a reader hands over, one run as it was logged; `Rows` collects one row by row."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .log import Log

__all__ = ["EPOCHS", "STEPS", "Points", "Rows", "Run", "is_coordinate", "number"]

# What rows are counted by, the one to go by first. Names are compared in lower case.
STEPS = (
    *("global_step", "trainer/global_step", "step", "_step", "iteration", "iterations"),
    *("iter", "num_iterations", "boosting_round", "round", "generation", "update", "updates"),
)
EPOCHS = ("epoch", "epochs", "epoch_id", "epoch_num", "trainer/epoch")
_OTHERS = ("index", "wall_time", "walltime", "timestamp", "_timestamp", "_runtime")
_COORDINATES = frozenset((*STEPS, *EPOCHS, *_OTHERS))

_NOT_REPORTED = frozenset(("", "none", "null", "na", "n/a", "<na>"))


class Points(NamedTuple):
    """The values of one name: `rows`, the numbers of the rows that have one, and `values`."""

    rows: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


@dataclass
class Run:
    """One run, in the order of its log.

    name: as the log has it; None where it has none. length: how many rows. metrics, coordinates:
    from name to the rows that report it and the values there. modes: "min" or "max", where the log
    says so. joined: each metric was logged on its own (TensorBoard, MLflow), so that rows of the
    same step belong together wherever they stand. notes: what was left out, say.
    """

    name: str | None
    length: int
    metrics: dict[str, Points]
    coordinates: dict[str, Points] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    joined: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def values(self) -> int:
        """How many values were logged."""
        return sum(len(points.rows) for points in self.metrics.values())


def is_coordinate(name: str) -> bool:
    """Does a column of this name say where a row lies, rather than how the run fares?"""
    return name.lower() in _COORDINATES


def number(text: str) -> float | None:
    """The number that a cell holds; None where it says that there is none.

    Raises ValueError for other text.

    >>> number(" 1.5 "), number("nan"), number(""), number("None")
    (1.5, nan, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        text = text.strip()
        if text.lower() in _NOT_REPORTED:
            return None
        raise
    if "_" in text:  # Python's own, in no log
        raise ValueError(f"could not convert string to float: {text!r}")
    return value


def plain_number(value: Any) -> float | None:
    """A number of JSON or of a record as a float; None for anything else, and for truths."""
    if value is None or isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, float, np.integer, np.floating)):
        try:
            return float(value)
        except OverflowError:  # an integer of hundreds of digits
            return math.inf if value > 0 else -math.inf
    if isinstance(value, str):
        return _NON_FINITE.get(value.strip().lower())
    return None


_NON_FINITE = {
    **dict.fromkeys(("nan", "+nan", "-nan"), math.nan),
    **dict.fromkeys(("inf", "+inf", "infinity", "+infinity"), math.inf),
    **dict.fromkeys(("-inf", "-infinity"), -math.inf),
}


class _Column:
    __slots__ = ("rows", "values")

    def __init__(self) -> None:
        self.rows, self.values = array("q"), array("d")


class Rows:
    """A run that is collected row by row; a coordinate is told by its name."""

    def __init__(self, name: str | None, *, log: Log) -> None:
        self.name, self.length = name, 0
        self.notes: list[str] = []
        self._log = log
        self._columns: dict[str, _Column] = {}

    def add(self, values: Mapping[str, float] | Sequence[tuple[str, float]]) -> None:
        """The next row: the values it has, by name."""
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
        """The run of the rows so far; coordinates: names of further ones."""
        further = frozenset(coordinates)
        run = Run(self.name, self.length, {}, joined=joined, notes=self.notes)
        for name, column in self._columns.items():
            points = Points(
                np.frombuffer(column.rows, dtype=np.int64),
                np.frombuffer(column.values, dtype=np.float64),
            )
            where = run.coordinates if is_coordinate(name) or name in further else run.metrics
            where[name] = points
        return run
