"""`Layout`: the columns of a table of runs, and what each of them says."""

from __future__ import annotations

from dataclasses import dataclass

from ..language.positions import RESERVED
from ..logs.columns import is_coordinate

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """The columns of a table of runs.

    run: the column that says to which run a row belongs.
    step: the column by which the rows of a run are in order; None for the order of the table.
    metric, value: the columns of the name of a metric and of its value, in a table with one row for
        each; None for a table with one column for each metric.
    metrics: the columns of metrics, or their names in the column `metric`; None for all.
    coordinates: further columns that say where a row stands.
    """

    run: str
    step: str | None
    metric: str | None
    value: str | None
    metrics: tuple[str, ...] | None
    coordinates: tuple[str, ...] = ()

    @property
    def is_long(self) -> bool:
        """Whether each row has the name and the value of one metric."""
        return self.metric is not None

    @property
    def step_name(self) -> str:
        """What the history calls the column that orders the rows."""
        return self.step if self.step is not None and is_coordinate(self.step) else "step"

    def wanted(self, metrics: frozenset[str] | None) -> tuple[str, ...] | None:
        """The metrics to keep, also those that no file has; None for all of a long table."""
        if metrics is None:
            return self.metrics
        known = [name for name in self.metrics or () if name in metrics | RESERVED]
        return (*known, *sorted(metrics - {*known}))

    def columns(self, metrics: frozenset[str] | None) -> list[str]:
        """The columns to read for these metrics."""
        places = [self.run, *([self.step] if self.step else []), *self.coordinates]
        if self.metric is not None and self.value is not None:
            return list(dict.fromkeys([*places, self.metric, self.value]))
        return list(dict.fromkeys([*places, *(self.wanted(metrics) or ())]))
