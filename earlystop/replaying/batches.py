"""Batches of runs, laid out side by side for stepping epoch after epoch.

A history holds one row per run. Rules are stepped over a *batch*, with one *lane* per run, so they
need one row per epoch: `RunBatch` transposes a block of epochs at a time.
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
    "batches_by_length",
    "batches_of",
    "finite_runs",
    "run_numbers",
    "slices",
    "split_to_fit",
    "subset",
]

# Some of the runs of a history: a range, or an array of their numbers.
Runs = slice | npt.NDArray[np.int64]

Result = TypeVar("Result")


class TooManyLanesError(Exception):
    """Work on these runs exceeds its memory limit: take fewer runs at a time."""


def batches_of(runs: int, tuning: Tuning = DEFAULT) -> Iterator[slice]:
    """The runs of a history in batches of nearly equal size.

    >>> list(batches_of(10, Tuning(runs_per_batch=4)))
    [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    """
    return slices(runs, -(-runs // -(-runs // tuning.runs_per_batch)))


def batches_by_length(lengths: npt.NDArray[np.int64], tuning: Tuning = DEFAULT) -> Iterator[Runs]:
    """The runs of a history in batches; runs of very unequal length are in batches of their own.

    Runs of a batch are stepped together until the longest has ended. So where most of them would
    wait for the longest, a batch has only runs of similar length.

    >>> lengths = np.array([3, 4, 2_000_000, 5, 4])
    >>> [run_numbers(runs).tolist() for runs in batches_by_length(lengths)]
    [[0, 1, 3, 4], [2]]
    """
    padded, total = len(lengths) * int(lengths.max()), int(lengths.sum())
    if padded - total <= max(tuning.most_padding * total, tuning.padding_ignored):
        yield from batches_of(len(lengths), tuning)
        return
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    first = 0
    while first < len(order):
        most = max(1, int(ascending[first])) * (1 + tuning.most_padding)
        end = int(np.searchsorted(ascending, most, side="right"))
        for part in batches_of(end - first, tuning):
            yield np.sort(order[first + part.start : first + part.stop])
        first = end


def slices(count: int, size: int) -> Iterator[slice]:
    """The range from 0 to `count` in slices of `size`; the last may be shorter."""
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))


def run_numbers(runs: Runs) -> npt.NDArray[np.int64]:
    """The numbers of the runs, as an array."""
    return np.arange(runs.start, runs.stop) if isinstance(runs, slice) else runs


def subset(runs: Runs, part: slice) -> Runs:
    """A sub-range of `runs`, by index."""
    if isinstance(runs, slice):
        return slice(runs.start + part.start, min(runs.start + part.stop, runs.stop))
    return runs[part]


def finite_runs(history: History, name: str, runs: Runs, tuning: Tuning = DEFAULT) -> Bools:
    """Which of the runs have no NaN and no infinity in a metric, shape (runs,)."""
    lengths, values = history.lengths[runs], history.values(name)
    found = np.empty(len(lengths), dtype=np.bool_)
    for part in slices(len(lengths), tuning.runs_per_tile):
        longest = int(lengths[part].max())
        rows = values[subset(runs, part), :longest].astype(np.float64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            found[part] = np.isfinite(rows.sum(axis=1))  # then each of them is
        doubtful = np.flatnonzero(~found[part])
        beyond = np.arange(longest) >= lengths[part][doubtful, None]
        found[part.start + doubtful] = (np.isfinite(rows[doubtful]) | beyond).all(axis=1)
    return found


def split_to_fit(work: Callable[[Runs], Result], runs: Runs) -> Iterator[tuple[Runs, Result]]:
    """Do some work on runs; if it raises TooManyLanesError, do it on each half instead.

    Yields each part of the runs with the result of the work on it.
    """
    with contextlib.suppress(TooManyLanesError):
        yield runs, work(runs)
        return
    # Outside of the block, the error and everything it refers to have been freed.
    count = len(run_numbers(runs))
    for half in slices(count, -(-count // 2)):
        yield from split_to_fit(work, subset(runs, half))


class Epoch:
    """One epoch of a batch. A metric is transposed when it is first read.

    number: the number of the epoch, counted from 0.
    inside: a mask of the lanes whose run has this epoch, shape (lanes,); None for all.
    """

    def __init__(self, batch: RunBatch, number: int, row: int, inside: Bools | None) -> None:
        self._batch, self._row = batch, row
        self.number, self.inside = number, inside

    def row(self, name: str) -> Any:
        """The values of a metric, shape (lanes,); NaN where it was not reported."""
        return self._batch.block_of(name)[0][self._row]

    def present(self, name: str) -> Any:
        """Where the metric was reported: a mask of shape (lanes,), or one bool for all lanes."""
        present = self._batch.block_of(name)[1]
        return present if isinstance(present, bool) else present[self._row]


class RunBatch:
    """Some runs of a history side by side, read epoch after epoch.

    runs: the number of each lane's run, shape (lanes,).
    lengths: the number of epochs of each run, shape (lanes,).
    metrics: how many metrics will be read; with more metrics the blocks are shorter.
    """

    def __init__(
        self, history: History, runs: Runs, metrics: int, tuning: Tuning = DEFAULT
    ) -> None:
        self._history, self._tuning = history, tuning
        self._selector: Any = runs  # selects the rows of the lanes from an array
        self.runs = run_numbers(runs)
        self.lengths: npt.NDArray[np.int64] = history.lengths[runs]
        usual = tuning.metrics_per_block
        self._block_size = max(1, tuning.epochs_per_block * usual // max(metrics, usual))
        self._block = slice(0, 0)
        self._blocks: dict[str, tuple[Any, Any]] = {}

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def longest(self) -> int:
        """The number of epochs of the longest run."""
        return int(self.lengths.max())

    @property
    def block_start(self) -> int:
        """The first epoch of the current block."""
        return int(self._block.start)

    def keep(self, lanes: npt.NDArray[np.int64]) -> None:
        """Drop all other lanes; allowed only between blocks."""
        self.runs, self.lengths = self.runs[lanes], self.lengths[lanes]
        self._selector = self.runs
        self._blocks = {}

    def blocks(self) -> Iterator[Iterator[Epoch]]:
        """The epochs, a block at a time. Lanes may be dropped between blocks."""
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
        """A metric over the block, shape (epochs, lanes), and a mask of where it was reported.

        The mask is True where the history has no gaps in this metric.
        """
        if name not in self._blocks:
            gaps = self._history.gaps(name)
            rows = self._transposed(self._history.values(name), np.float64)
            present: Any = True
            if gaps is not None:
                missing = self._transposed(gaps, np.bool_)
                rows[missing] = np.nan
                present = ~missing
            self._blocks[name] = rows, present
        return self._blocks[name]

    def _transposed(self, array: Any, dtype: Any) -> Any:
        columns = array[self._selector, self._block]
        rows = np.empty(columns.shape[::-1], dtype=dtype)
        size = self._tuning.runs_per_tile
        for first in range(0, len(columns), size):
            tile = slice(first, first + size)
            rows[:, tile] = columns[tile].T
        return rows
