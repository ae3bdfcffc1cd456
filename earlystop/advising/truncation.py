"""Detects logs that were themselves stopped early, by a patience.

Such logs cannot tell what a longer patience would have found. They give themselves away: one and
the same patience fires at the very last epoch of most runs, and hardly ever before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..history.history import History
from ..history.joining import joined
from ..rules import Best, Patience
from ..sweeping.sweep import sweep
from .logged_runs import LoggedRuns
from .look import Look, evenly
from .measured import Measured

__all__ = ["Truncation", "detect_truncation"]

# Margins that early stopping often has: min_delta, relative.
_MARGINS = ((0.0, False), (1e-4, False), (1e-3, False), (1e-2, False), (1e-3, True), (1e-2, True))
_SAMPLE = 500  # of the runs that end early, and of the others

Ints = npt.NDArray[np.int64]


class Truncation(NamedTuple):
    """How logs were stopped early.

    rule: the patience that seems to have stopped them.
    runs: how many of the `examined` runs it explains; all of these end before the longest run.
    """

    rule: Patience
    runs: int
    examined: int


def detect_truncation(runs: LoggedRuns, look: Look, save: Best) -> Truncation | None:
    """The patience by which the logs were stopped early; None if they seem complete.

    A patience is found if it fires at the very last epoch of at least three runs, and of more than
    half of those that end before the longest one. It must fire earlier in at most a tenth of these
    runs and of the longest ones. In logs that end for other reasons, a patience does that only by
    chance.
    """
    early = look.early_of_parts()
    if sum(early) < 3:
        return None
    late = [usable - few for usable, few in zip(look.usable_of_parts(), early, strict=True)]
    chosen = [
        (one, other) if len(one) or len(other) else None
        for one, other in zip(evenly(early, _SAMPLE), evenly(late, _SAMPLE), strict=True)
    ]
    sample = runs.total(_Sampling(look.ends.greatest), chosen)
    end, is_early = sample.end, sample.is_early
    if end[is_early].max() < 2:
        return None
    count = int(np.count_nonzero(is_early))
    found: Truncation | None = None
    for min_delta, relative in _MARGINS:
        rule = Patience(save.monitor, mode=save.mode, min_delta=min_delta, relative=relative)
        longest = int(end[is_early].max())
        table = sweep(rule, sample.history, save=save, patience=range(1, longest))
        at_end = (table.stopped & (table.checks == end) & is_early).sum(axis=1)
        before = (table.stopped & (table.checks < end)).sum(axis=1)
        at_end[before > len(end) / 10] = 0
        index = int(at_end.argmax())
        ended = int(at_end[index])
        if ended >= 3 and ended > count / 2 and (found is None or ended > found.runs):
            found = Truncation(rule.replace(patience=index + 1), ended, count)
    return found


@dataclass(frozen=True)
class _Sampling:
    """Picks runs out of a part. last: where the longest of all runs ends."""

    last: int

    def __call__(self, measured: Measured, told: tuple[Ints, Ints]) -> _Sample:
        """told: the numbers of runs that end early, among all such in the part, and of others."""
        usable, end = measured.scale.usable, measured.scale.end
        early = np.flatnonzero(usable & (end < self.last))[told[0]]
        late = np.flatnonzero(usable & (end == self.last))[told[1]]
        chosen = np.concatenate([early, late])
        return _Sample({measured.part: (measured.history[chosen], end[chosen], len(early))})


class _Sample:
    """Some runs of some parts.

    by_part: their history, where they end, and how many of them end early: these come first.
    """

    def __init__(self, by_part: dict[int, tuple[History, Ints, int]]) -> None:
        self._by_part = by_part

    def merge(self, other: _Sample) -> None:
        """Add runs of other parts."""
        self._by_part |= other._by_part

    def _all(self, which: int) -> list[Any]:
        return [part[which] for _, part in sorted(self._by_part.items())]

    @property
    def history(self) -> History:
        """The history of all of them."""
        return joined(self._all(0))

    @property
    def end(self) -> Ints:
        """Where each run ends, shape (runs,)."""
        return np.concatenate(self._all(1))

    @property
    def is_early(self) -> npt.NDArray[np.bool_]:
        """Whether each run ends before the longest one, shape (runs,)."""
        masks = [np.arange(len(e)) < n for e, n in zip(self._all(1), self._all(2), strict=True)]
        return np.concatenate(masks)
