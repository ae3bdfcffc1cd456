"""`Run`: one run as it was logged, which is what a reader gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Points", "Run"]


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
