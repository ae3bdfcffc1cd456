"""Intervals of patience values: which epoch answers which patience, as arrays.

The theory, with an example, stands in `earlystop.replaying.patience`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...history import Bools
from ...rules import Patience

__all__ = ["PatienceIntervals", "PatienceScan", "cut_intervals", "shortest_waits"]

Ints = npt.NDArray[np.signedinteger[Any]]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


class PatienceIntervals(NamedTuple):
    """Intervals of waits, each answered by one reference; arrays of shape (intervals,).

    The intervals of a track do not overlap and come in rising order. Types are as small as they can
    be: an interval takes 20 bytes, or 28 where runs are longer than 32,000 epochs.
    """

    track: Int32s  # lane + number of the rule * number of lanes
    first: Ints  # the shortest required wait that is answered
    last: Ints  # and the longest
    reference_epoch: Ints  # the run stops a required wait after it
    best_epoch: Ints  # the best up to the stop; -1: none
    best: Floats  # its value; NaN: none

    def select(self, which: Any) -> PatienceIntervals:
        """Some of the intervals, in types with room to calculate."""
        whole = (array[which].astype(np.int32, copy=False) for array in self[:-1])
        return PatienceIntervals._make([*whole, self.best[which]])


class PatienceScan(NamedTuple):
    """What a scan found. Arrays of shape (lanes,), for waits that no interval answers.

    epochs, stopped, best_epoch, best: the run is ended by the rule beside the patience, or by its
        log, and this is its best then.
    best_of_log: the best value of the whole log; NaN: none.
    """

    intervals: PatienceIntervals
    epochs: npt.NDArray[np.int64]
    stopped: Bools
    best_epoch: Int32s
    best: Floats
    best_of_log: Floats


def shortest_waits(rule: Patience, reference_epoch: Any) -> Any:
    """The shortest wait that may end a run after each of these references, whatever the patience.

    This is what `growth` asks for. A reference before `start_from_epoch` stands for none.
    """
    reference = np.where(reference_epoch < rule.start_from_epoch, -1, reference_epoch)
    waits = np.ceil(rule.required_wait(reference, patience=0))
    limited = np.minimum(waits, np.iinfo(np.int32).max).astype(np.int64)
    return np.broadcast_to(limited, np.shape(reference_epoch))


def cut_intervals(
    intervals: PatienceIntervals, ends: Any, rules: Sequence[Patience]
) -> PatienceIntervals:
    """The intervals of runs that another rule ends before these epochs, shape (lanes,)."""
    number, lane = np.divmod(intervals.track, len(ends))
    room = ends[lane] - 1 - intervals.reference_epoch
    last = np.minimum(intervals.last, room).astype(intervals.last.dtype)
    intervals = intervals._replace(last=last)
    remain = intervals.last >= intervals.first
    for index, rule in enumerate(rules):
        if rule.growth:
            own = (number == index).nonzero()[0]
            remain[own] &= shortest_waits(rule, intervals.reference_epoch[own]) <= room[own]
    return PatienceIntervals._make(array[remain] for array in intervals)
