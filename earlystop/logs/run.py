"""`Run`: one run as it was logged, which is what the readers return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Labels", "Points", "Run"]


class Points(NamedTuple):
    """The values of one metric or coordinate.

    rows: the numbers of the rows that report it, shape (n,).
    values: the values there, shape (n,).
    """

    rows: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class Labels(NamedTuple):
    """The text of one column.

    rows: the numbers of the rows that have text, shape (n,).
    codes: which of the texts each has, shape (n,).
    texts: the different texts; none if they are too many to tell rows apart.
    """

    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    texts: tuple[str, ...]


@dataclass
class Run:
    """One run, in the order of its log.

    name: its name in the log; None if it has none.
    length: the number of rows.
    metrics: the values of each metric, by name.
    coordinates: the values of each coordinate, by name.
    modes: the directions that the log states, "min" or "max", by metric.
    joined: whether each metric was logged separately (TensorBoard, MLflow), so that rows of the
        same step belong together wherever they are.
    notes: notes for the report, such as what was left out.
    labels: the columns of text, by name.
    left_out: the names of columns that hold neither numbers nor text.
    """

    name: str | None
    length: int
    metrics: dict[str, Points]
    coordinates: dict[str, Points] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    joined: bool = False
    notes: list[str] = field(default_factory=list)
    labels: dict[str, Labels] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def values(self) -> int:
        """How many values were logged."""
        return sum(len(points.rows) for points in self.metrics.values())
