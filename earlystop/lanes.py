"""Many runs at once, epoch by epoch: how their metrics are laid out, and who is stepped on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .compiled import LaneProgram, compile_lanes
from .history import Bools, History
from .rule import Rule, advance

__all__ = ["Epoch", "Lanes", "PlainSteps", "metrics_used", "program_for"]

# Lanes that are stepped together, and epochs that are laid out for them at a time: enough to make
# little of the cost of a call, few enough to stay in the cache. They bound the memory: 8 bytes
# times their product, 8 MiB, a metric.
LANES, BLOCK = 16384, 64
TILE = 512
# Where fewer lanes than this share still run, the others are dropped.
DENSE = 0.6


class Epoch(NamedTuple):
    """One epoch of some runs."""

    number: int
    rows: list[Any]  # the values of every metric, one a lane
    present: list[Any]  # where they were reported; None: everywhere
    inside: Bools | None  # the lanes whose run has this epoch; None: all


class Lanes:
    """Some runs of a history, one a lane, epoch after epoch.

    runs: which runs the lanes are, shape (lanes,). lengths: their epochs.
    """

    def __init__(self, history: History, names: tuple[str, ...], lanes: slice) -> None:
        self._history, self._names = history, names
        self._lanes: Any = lanes  # what takes the lanes' rows from an array: a slice, or numbers
        self.runs: npt.NDArray[np.int64] = np.arange(history.runs)[lanes]
        self.lengths: npt.NDArray[np.int64] = history.lengths[lanes]
        self._inside: Bools | None = None

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def longest(self) -> int:
        """The epochs of the longest run."""
        return int(self.lengths.max())

    def keep(self, lanes: npt.NDArray[np.int64]) -> None:
        """Go on with these lanes alone, from the next block on."""
        self.runs, self.lengths = self.runs[lanes], self.lengths[lanes]
        self._lanes = self.runs
        self._inside = None if self._inside is None else self._inside[lanes]

    def blocks(self) -> Iterator[Iterator[Epoch]]:
        """The epochs, a block at a time. Between two blocks, lanes may be dropped."""
        ends = set(np.unique(self.lengths).tolist())
        for first in range(0, self.longest, BLOCK):
            yield self._block(first, min(BLOCK, self.longest - first), ends)

    def _block(self, first: int, count: int, ends: set[int]) -> Iterator[Epoch]:
        block = slice(first, first + count)
        rows = [self._laid_out(self._history.metrics[n], block, np.float64) for n in self._names]
        gaps = [self._history.gaps(name) for name in self._names]
        present = [g if g is None else ~self._laid_out(g, block, np.bool_) for g in gaps]
        for place in range(count):
            epoch = first + place
            if epoch in ends:
                self._inside = self.lengths > epoch
            yield Epoch(
                epoch,
                [row[place] for row in rows],
                [row if row is None else row[place] for row in present],
                self._inside,
            )

    def _laid_out(self, array: Any, block: slice, dtype: Any) -> Any:
        """A block of epochs, one row an epoch."""
        columns = array[self._lanes, block]
        rows = np.empty(columns.shape[::-1], dtype=dtype)
        for first in range(0, len(columns), TILE):  # few lanes at a time: their lines stay cached
            tile = slice(first, first + TILE)
            rows[:, tile] = columns[tile].T
        return rows


def metrics_used(rules: tuple[Rule, ...], history: History) -> tuple[str, ...]:
    """The metrics that rules look at: all of them, where one asks for any metric."""
    waiting = list(rules)
    while waiting:
        rule = waiting.pop()
        if rule.looks_at_any_metric:
            return tuple(history.metrics)
        waiting.extend(rule.parts)
    return tuple(dict.fromkeys(name for rule in rules for name in rule.all_needs))


def program_for(
    rules: tuple[Rule, ...], names: tuple[str, ...], history: History
) -> LaneProgram | PlainSteps:
    """What steps rules over lanes that hold these metrics of a history."""
    with_gaps = frozenset(name for name in names if history.gaps(name) is not None)
    return compile_lanes(rules, names, with_gaps) or PlainSteps(rules, names)


class PlainSteps:
    """The steps of rules that do not compile for lanes, with the calls of `LaneProgram`."""

    def __init__(self, rules: tuple[Rule, ...], names: tuple[str, ...]) -> None:
        self._rules, self._names = rules, names
        self._states: list[Any] = []

    def start(self, lanes: int, epochs: int) -> None:
        self._states = [rule.init() for rule in self._rules]

    def keep(self, lanes: Any) -> None:
        self._states = [_kept(state, lanes) for state in self._states]

    def __call__(self, rows: Any, present: Any, epoch: int) -> tuple[Any, ...]:
        metrics = _LaneMetrics(
            dict(zip(self._names, rows, strict=True)),
            {n: p for n, p in zip(self._names, present, strict=True) if p is not None},
        )
        stepped = [
            advance(rule, state, metrics, epoch)
            for rule, state in zip(self._rules, self._states, strict=True)
        ]
        self._states = [after for after, _ in stepped]
        return tuple(fires for _, fires in stepped)


def _kept(state: Any, lanes: Any) -> Any:
    if isinstance(state, tuple):
        parts = [_kept(part, lanes) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state[lanes] if isinstance(state, np.ndarray) and state.ndim else state


class _LaneMetrics:
    """The metrics of one epoch, one lane a run; to a rule they look like those of a live epoch."""

    def __init__(self, values: dict[str, Any], present: dict[str, Any]) -> None:
        self._values, self._present = values, present

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def reported(self, names: tuple[str, ...]) -> Any:
        present: Any = True
        for name in names:
            present = present & self._present.get(name, True)
        return present

    def replaced(self, name: str, value: Any) -> _LaneMetrics:
        return _LaneMetrics({**self._values, name: value}, self._present)

    def any_nonfinite(self) -> Any:
        found: Any = False
        for name, value in self._values.items():
            found = found | (self.reported((name,)) & ~np.isfinite(value))
        return found
