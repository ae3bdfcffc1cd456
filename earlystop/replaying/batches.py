"""Many runs at once, epoch by epoch: how their metrics are laid out, and who is stepped on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..engine.vectorized import VectorProgram, compile_vectorized
from ..history.history import Bools, History
from ..language.rule import Rule, advance

__all__ = [
    "Epoch",
    "InterpretedSteps",
    "LaneMetrics",
    "RunBatch",
    "Runs",
    "TooManyLanesError",
    "blocks_of",
    "in_parts",
    "numbers_of",
    "part_of",
    "program_for",
    "slices",
]

Runs = (
    slice | npt.NDArray[np.int64]
)  # some runs of a history: from one to before another, or numbers

# Lanes that are stepped together, and epochs that are laid out for them at a time: enough to make
# little of the cost of a call, few enough to stay in the cache. They bound the memory: 8 bytes
# times their product, 8 MiB, for each of a few metrics; where more are read, for all of these.
LANES, BLOCK, FEW_METRICS = 16384, 64, 2
TILE = 512
# Where fewer lanes than this share still run, the others are dropped.
DENSE = 0.6
# So many bytes may be kept by the steps of rules, as windows are, before fewer lanes are taken.
_MOST_KEPT = 20 * 2**20

Done = TypeVar("Done")


class TooManyLanesError(Exception):
    """The work on these lanes takes more memory than there is for it: take fewer at a time."""


def blocks_of(runs: int) -> Iterator[slice]:
    """Runs in blocks that are stepped together, of one size as nearly as may be."""
    return slices(runs, -(-runs // -(-runs // LANES)))


def slices(count: int, size: int) -> Iterator[slice]:
    """0 to before `count`, so many at a time."""
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))


def numbers_of(runs: Runs) -> npt.NDArray[np.int64]:
    """The numbers of some runs."""
    return np.arange(runs.start, runs.stop) if isinstance(runs, slice) else runs


def part_of(runs: Runs, part: slice) -> Runs:
    """Some of some runs: the first is 0."""
    if isinstance(runs, slice):
        return slice(runs.start + part.start, min(runs.start + part.stop, runs.stop))
    return runs[part]


def in_parts(work: Callable[[Runs], Done], runs: Runs) -> Iterator[tuple[Runs, Done]]:
    """The work on some runs; in parts, where it raises TooManyLanesError."""
    with contextlib.suppress(TooManyLanesError):
        yield runs, work(runs)
        return
    # From here on the error, and all that it holds, are gone.
    count = len(numbers_of(runs))
    for half in slices(count, -(-count // 2)):
        yield from in_parts(work, part_of(runs, half))


class Epoch:
    """One epoch of some runs; what is not asked for is not read.

    number: counted from 0. inside: the lanes whose run has this epoch; None: all.
    """

    def __init__(self, lanes: RunBatch, number: int, place: int, inside: Bools | None) -> None:
        self._lanes, self._place = lanes, place
        self.number, self.inside = number, inside

    def row(self, name: str) -> Any:
        """The values of a metric, one a lane; NaN where it was not reported."""
        return self._lanes.block_of(name)[0][self._place]

    def present(self, name: str) -> Any:
        """Where the metric was reported; True: everywhere, False: nowhere."""
        present = self._lanes.block_of(name)[1]
        return present if isinstance(present, bool) else present[self._place]


class RunBatch:
    """Some runs of a history, one a lane, epoch after epoch.

    runs: which runs the lanes are, shape (lanes,). lengths: their epochs. metrics: how many of them
    are going to be read.
    """

    def __init__(self, history: History, runs: Runs, metrics: int) -> None:
        self._history = history
        self._lanes: Any = runs  # what takes the lanes' rows from an array: a slice, or numbers
        self.runs = numbers_of(runs)
        self.lengths: npt.NDArray[np.int64] = history.lengths[runs]
        self._epochs_at_a_time = max(1, BLOCK * FEW_METRICS // max(metrics, FEW_METRICS))
        self._block = slice(0, 0)
        self._blocks: dict[str, tuple[Any, Any]] = {}

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def longest(self) -> int:
        """The epochs of the longest run."""
        return int(self.lengths.max())

    @property
    def begun(self) -> int:
        """The first epoch of the block."""
        return int(self._block.start)

    def keep(self, lanes: npt.NDArray[np.int64]) -> None:
        """Go on with these lanes alone; between two blocks."""
        self.runs, self.lengths = self.runs[lanes], self.lengths[lanes]
        self._lanes = self.runs
        self._blocks = {}

    def blocks(self) -> Iterator[Iterator[Epoch]]:
        """The epochs, a block at a time. Between two blocks, lanes may be dropped."""
        longest = self.longest
        for first in range(0, longest, self._epochs_at_a_time):
            self._block = slice(first, min(first + self._epochs_at_a_time, longest))
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
        """The values of a metric over the block, a row an epoch, and where it was reported."""
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
        columns = array[self._lanes, self._block]
        rows = np.empty(columns.shape[::-1], dtype=dtype)
        for first in range(0, len(columns), TILE):  # few lanes at a time: their lines stay cached
            tile = slice(first, first + TILE)
            rows[:, tile] = columns[tile].T
        return rows


def program_for(rules: tuple[Rule, ...], history: History) -> VectorProgram | InterpretedSteps:
    """What steps rules over the lanes of a history."""
    names = tuple(history.metrics)
    with_gaps = frozenset(name for name in names if history.gaps(name) is not None)
    return compile_vectorized(rules, names, with_gaps) or InterpretedSteps(rules, names)


class InterpretedSteps:
    """The steps of rules that do not compile for lanes, with the calls of `LaneProgram`."""

    def __init__(self, rules: tuple[Rule, ...], names: tuple[str, ...]) -> None:
        self._rules, self._names = rules, names
        self.metrics = len(names)
        self._states: list[Any] = []
        self._most_kept: float = _MOST_KEPT

    def start(self, lanes: int, epochs: int) -> None:
        self._most_kept = _MOST_KEPT if lanes > 1 else np.inf
        self._states = [rule.init() for rule in self._rules]

    def keep(self, lanes: Any) -> None:
        self._states = [_kept(state, lanes) for state in self._states]

    def __call__(self, epoch: Epoch) -> tuple[Any, ...]:
        """Whether each rule fires. Raises TooManyLanesError."""
        if self._kept_bytes() > self._most_kept:
            raise TooManyLanesError
        metrics = LaneMetrics(epoch, self._names, {})
        stepped = [
            advance(rule, state, metrics, epoch.number)
            for rule, state in zip(self._rules, self._states, strict=True)
        ]
        self._states = [after for after, _ in stepped]
        return tuple(fires for _, fires in stepped)

    def _kept_bytes(self) -> int:
        # A row of a block keeps the whole block.
        wholes = [array if array.base is None else array.base for array in _arrays(self._states)]
        return sum({id(whole): whole.nbytes for whole in wholes}.values())


def _arrays(state: Any) -> Iterator[Any]:
    if isinstance(state, (list, tuple)):
        for part in state:
            yield from _arrays(part)
    elif isinstance(state, np.ndarray):
        yield state


def _kept(state: Any, lanes: Any) -> Any:
    if isinstance(state, tuple):
        parts = [_kept(part, lanes) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state[lanes] if isinstance(state, np.ndarray) and state.ndim else state


class LaneMetrics:
    """The metrics of one epoch, one lane a run; to a rule they look like those of a live epoch."""

    def __init__(self, epoch: Epoch, names: tuple[str, ...], shown: dict[str, Any]) -> None:
        self._epoch, self._names, self._shown = epoch, names, shown

    def __getitem__(self, name: str) -> Any:
        if name in self._shown:
            return self._shown[name]
        return self._epoch.row(name) if name in self._names else np.nan

    def reported(self, names: tuple[str, ...]) -> Any:
        present: Any = True
        for name in names:
            present = present & (name in self._names and self._epoch.present(name))
        return present

    def replaced(self, name: str, value: Any) -> LaneMetrics:
        return LaneMetrics(self._epoch, self._names, {**self._shown, name: value})

    def any_nonfinite(self) -> Any:
        found: Any = False
        for name in self._names:
            found = found | (self.reported((name,)) & ~np.isfinite(self[name]))
        return found
