"""Runs side by side: how a batch of runs is laid out, epoch after epoch.

A history holds a row for each run. Rules are stepped over a *batch*, with one *lane* for each run,
so they need a row for each epoch: `RunBatch` transposes a block of epochs at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..history import Bools, History
from .tuning import DEFAULT, Tuning

__all__ = [
    "Epoch",
    "RunBatch",
    "Runs",
    "TooManyLanesError",
    "batches_of",
    "in_fitting_parts",
    "run_numbers",
    "slices",
    "subset",
]

# Some runs of a history: a range of them, or their numbers.
Runs = slice | npt.NDArray[np.int64]

Result = TypeVar("Result")


class TooManyLanesError(Exception):
    """Work on these runs takes more memory than it may: take fewer at a time."""


def batches_of(runs: int, tuning: Tuning = DEFAULT) -> Iterator[slice]:
    """The runs of a history in batches of nearly equal size.

    >>> list(batches_of(10, Tuning(runs_per_batch=4)))
    [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    """
    return slices(runs, -(-runs // -(-runs // tuning.runs_per_batch)))


def slices(count: int, size: int) -> Iterator[slice]:
    """The range from 0 to `count`, `size` at a time."""
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))


def run_numbers(runs: Runs) -> npt.NDArray[np.int64]:
    """The numbers of some runs, as an array."""
    return np.arange(runs.start, runs.stop) if isinstance(runs, slice) else runs


def subset(runs: Runs, part: slice) -> Runs:
    """A sub-range of `runs`, by position."""
    if isinstance(runs, slice):
        return slice(runs.start + part.start, min(runs.start + part.stop, runs.stop))
    return runs[part]


def in_fitting_parts(work: Callable[[Runs], Result], runs: Runs) -> Iterator[tuple[Runs, Result]]:
    """Do some work on runs; where it raises TooManyLanesError, on each half of them."""
    with contextlib.suppress(TooManyLanesError):
        yield runs, work(runs)
        return
    # Only from here on are the error, and all that it holds on to, gone.
    count = len(run_numbers(runs))
    for half in slices(count, -(-count // 2)):
        yield from in_fitting_parts(work, subset(runs, half))


class Epoch:
    """One epoch of a batch. A metric is laid out when it is first read.

    number: counted from 0.
    inside: the lanes whose run has this epoch, shape (lanes,); None for all.
    """

    def __init__(self, batch: RunBatch, number: int, row: int, inside: Bools | None) -> None:
        self._batch, self._row = batch, row
        self.number, self.inside = number, inside

    def row(self, name: str) -> Any:
        """The values of a metric, shape (lanes,); NaN where it was not reported."""
        return self._batch.block_of(name)[0][self._row]

    def present(self, name: str) -> Any:
        """Where the metric was reported: a boolean mask, or one truth value for all lanes."""
        present = self._batch.block_of(name)[1]
        return present if isinstance(present, bool) else present[self._row]


class RunBatch:
    """Some runs of a history side by side, read epoch after epoch.

    runs: the run of each lane, shape (lanes,).
    lengths: the epochs of each run, shape (lanes,).
    metrics: how many metrics are going to be read; more make the blocks shorter.
    """

    def __init__(
        self, history: History, runs: Runs, metrics: int, tuning: Tuning = DEFAULT
    ) -> None:
        self._history, self._tuning = history, tuning
        self._selector: Any = runs  # picks the lanes' rows out of an array
        self.runs = run_numbers(runs)
        self.lengths: npt.NDArray[np.int64] = history.lengths[runs]
        few = tuning.metrics_per_block
        self._block_size = max(1, tuning.epochs_per_block * few // max(metrics, few))
        self._block = slice(0, 0)
        self._blocks: dict[str, tuple[Any, Any]] = {}

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def longest(self) -> int:
        """The epochs of the longest run."""
        return int(self.lengths.max())

    @property
    def block_start(self) -> int:
        """The first epoch of the current block."""
        return int(self._block.start)

    def keep(self, lanes: npt.NDArray[np.int64]) -> None:
        """Drop all other lanes. Only between two blocks."""
        self.runs, self.lengths = self.runs[lanes], self.lengths[lanes]
        self._selector = self.runs
        self._blocks = {}

    def blocks(self) -> Iterator[Iterator[Epoch]]:
        """The epochs, a block at a time. Lanes may be dropped between two blocks."""
        longest = self.longest
        for first in range(0, longest, self._block_size):
            self._block = slice(first, min(first + self._block_size, longest))
            self._blocks = {}
            yield self._epochs()

    def _epochs(self) -> Iterator[Epoch]:
        first, inside = self._block.start, None
        shortest = int(self.lengths.min())
        ends: set[int] = set()
        if shortest < self._block.stop:
            ends.update(np.unique(self.lengths).tolist())
        for number in range(first, self._block.stop):
            if number >= shortest and (inside is None or number in ends):
                inside = self.lengths > number
            yield Epoch(self, number, number - first, inside)

    def block_of(self, name: str) -> tuple[Any, Any]:
        """A metric over the block, shape (epochs, lanes), and where it was reported."""
        if name not in self._blocks:
            gaps = self._history.gaps(name)
            rows = self._laid_out(self._history.metrics[name], np.float64)
            present: Any = True
            if gaps is not None:
                missing = self._laid_out(gaps, np.bool_)
                rows[missing] = np.nan
                present = ~missing
            self._blocks[name] = rows, present
        return self._blocks[name]

    def _laid_out(self, array: Any, dtype: Any) -> Any:
        columns = array[self._selector, self._block]
        rows = np.empty(columns.shape[::-1], dtype=dtype)
        size = self._tuning.runs_per_tile
        for first in range(0, len(columns), size):
            tile = slice(first, first + size)
            rows[:, tile] = columns[tile].T
        return rows
