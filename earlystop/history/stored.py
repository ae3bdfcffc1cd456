"""What a history stores of its runs, and reads of it: all at once, in parts, or run by run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingMetricError, name_advice
from .arrays import Bools, Floats, Ints, as_names
from .ragged import Columns, Ragged, slices_within

if TYPE_CHECKING:
    from .provenance import Report

__all__ = ["StoredRuns"]

_EPOCHS_READ_AHEAD = 64
_CELLS_AT_A_TIME = 2**20


class StoredRuns:
    """The columns of a history: of metrics, of their gaps, and of coordinates.

    Work on all runs reads them in parts, by `values`, `gaps` and `reported_in`: an array of all of
    them, as `metrics[name]` gives, may be many times as large as what was logged.
    """

    __slots__ = (
        *("_gaps", "_names", "coordinates", "given_names", "lengths", "metrics", "positions"),
        "report",
    )

    positions: dict[str, Any]  # what `LoggedPositions` has found in it
    metrics: Columns
    coordinates: Columns
    report: Report | None
    lengths: Ints
    given_names: Sequence[str] | None

    def _set(
        self,
        metrics: Mapping[str, Any],
        gaps: Mapping[str, Any],
        lengths: Ints,
        names: Iterable[str] | None,
        coordinates: Mapping[str, Any],
        report: Report | None = None,
    ) -> None:
        """Take columns that have been validated, and their masks of gaps."""
        self.metrics, self.coordinates = Columns(metrics), Columns(coordinates)
        self.lengths, self.report, self.positions = lengths, report, {}
        self.lengths.flags.writeable = False
        self.given_names = None if names is None else as_names(names, self.runs)
        self._names: tuple[str, ...] | None = None
        self._gaps: dict[str, Any] = {}
        for name, missing in gaps.items():
            if not isinstance(missing, Ragged):
                for runs in self._few_runs():  # cells beyond the end of a run are not gaps
                    missing[runs] &= self._inside(runs)
            if name in metrics and missing.any():
                self._gaps[name] = missing

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self.lengths)

    @property
    def epochs(self) -> int:
        """How many epochs the arrays hold; no run is longer."""
        return int(self.values(next(iter(self.metrics))).shape[1])

    def reported(self, name: str) -> Bools:
        """Where `name` was reported, shape (runs, epochs): False in gaps and past the end of a run.

        Raises MissingMetricError for an unknown metric.
        """
        if name not in self.metrics:
            raise MissingMetricError(f"no metric {name!r}: {name_advice(name, self.metrics)}")
        gaps = self._gaps.get(name)
        if gaps is None:
            return self._inside()
        present: Bools = ~(gaps.padded() if isinstance(gaps, Ragged) else gaps)
        return self._inside() & present

    def values(self, name: str) -> Any:
        """The values of a metric as they are stored, to be read by `[runs, epochs]` in parts.

        An array of shape (runs, epochs), as `metrics[name]`; or, where the runs are of very unequal
        length, a `Ragged`, whose memory grows with the number of values.
        """
        return self.metrics.stored(name)

    def _inside(self, runs: slice = slice(None)) -> Bools:
        inside: Bools = np.arange(self.epochs) < self.lengths[runs, None]
        return inside

    def _few_runs(self) -> Iterator[slice]:
        """All runs, a few at a time, for work whose memory grows with the number of runs."""
        few = max(1, _CELLS_AT_A_TIME // self.epochs)
        for first in range(0, self.runs, few):
            yield slice(first, first + few)

    def gaps(self, name: str) -> Any:
        """A mask of where `name` was not reported, read as `values`; None if it has no gaps."""
        return self._gaps.get(name)

    def has_gaps(self, name: str, runs: Any = slice(None)) -> Bools:
        """Which of these runs have epochs that do not report `name`, shape (runs,)."""
        gaps = self._gaps.get(name)
        if gaps is None:
            return np.zeros(len(self.lengths[runs]), dtype=np.bool_)
        ragged = isinstance(gaps, Ragged)
        found: Bools = gaps.rows_with_any()[runs] if ragged else gaps[runs].any(axis=1)
        return found

    def has_nan(self, name: str) -> Bools:
        """Which runs have a NaN in `name` (a gap is one), shape (runs,)."""
        found = np.empty(len(self.lengths), dtype=np.bool_)
        for runs in self.parts():
            values, _ = self.reported_in(runs, name)
            inside = np.arange(values.shape[1]) < self.lengths[runs, None]
            found[runs] = (np.isnan(values) & inside).any(axis=1)
        return found

    def reported_epochs(self, name: str) -> Ints:
        """How many epochs of each run report `name`, shape (runs,)."""
        counts = [self.reported_in(runs, name)[1].sum(axis=1) for runs in self.parts()]
        return np.concatenate(counts)

    def reported_in(self, runs: slice, name: str) -> tuple[Floats, Bools]:
        """The values of a metric in some runs, and where it was reported.

        The values are a copy of type float64. Both have shape (runs, epochs), with as many epochs
        as the longest of these runs.
        """
        longest = max(1, int(self.lengths[runs].max()))
        values = self.values(name)[runs, :longest].astype(np.float64)
        reported: Bools = np.arange(longest) < self.lengths[runs, None]
        gaps = self._gaps.get(name)
        return values, reported if gaps is None else reported & ~gaps[runs, :longest]

    def parts(self, cells: int = _CELLS_AT_A_TIME) -> Iterator[slice]:
        """All runs in order, as many at a time as take at most `cells` cells when padded."""
        return slices_within(self.lengths, cells)

    def reports(self, name: str) -> bool:
        """Does any epoch report `name`?"""
        if name not in self._gaps:
            return name in self.metrics
        gaps = self._gaps[name]
        if isinstance(gaps, Ragged):
            return not gaps.values.all()
        return any((self._inside(runs) & ~gaps[runs]).any() for runs in self._few_runs())

    def iter_columns(
        self, row: int
    ) -> Iterator[tuple[dict[str, list[float]], dict[str, list[bool]]]]:
        """The epochs of one run, given by number, a block at a time: values and gaps by metric.

        Gaps are left out for metrics that have none in the block.
        """
        length = int(self.lengths[row])
        for first in range(0, length, _EPOCHS_READ_AHEAD):
            epochs = slice(first, min(first + _EPOCHS_READ_AHEAD, length))
            columns = {
                name: array[row, epochs].astype(np.float64).tolist()
                for name, array in self.metrics.all_stored().items()
            }
            gaps = {
                name: missing.tolist()
                for name, array in self._gaps.items()
                if (missing := array[row, epochs]).any()
            }
            yield columns, gaps
