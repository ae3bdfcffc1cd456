"""Intervals of patience values: which epoch answers which patience, as arrays.

For the theory, with an example, see `earlystop.replaying.patience`.
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

    The intervals of a track do not overlap and are in ascending order. Types are as small as
    possible: an interval takes 20 bytes, or 28 if runs are longer than 32,000 epochs.
    """

    track: Int32s  # lane + number of the rule * number of lanes
    first: Ints  # the shortest required wait that it answers
    last: Ints  # the longest required wait that it answers
    reference_epoch: Ints  # the run stops one required wait after this epoch
    best_epoch: Ints  # the best epoch up to the stop; -1 for none
    best: Floats  # its value; NaN for none

    def select(self, which: Any) -> PatienceIntervals:
        """Some of the intervals, in wider types for arithmetic."""
        whole = (array[which].astype(np.int32, copy=False) for array in self[:-1])
        return PatienceIntervals._make([*whole, self.best[which]])


class PatienceScan(NamedTuple):
    """What a scan found; all arrays but the intervals have shape (lanes,).

    intervals: the intervals found.
    epochs, stopped, best_epoch, best: the outcome for waits that no interval answers. The run is
        then ended by the other rule (stopped), or by its log.
    best_of_log: the best value of the whole log; NaN for none.
    """

    intervals: PatienceIntervals
    epochs: npt.NDArray[np.int64]
    stopped: Bools
    best_epoch: Int32s
    best: Floats
    best_of_log: Floats


def shortest_waits(rule: Patience, reference_epoch: Any) -> Any:
    """The shortest wait that can end a run after each of these references, for any patience.

    This is the wait that `growth` requires. A reference before `start_from_epoch` means none.
    """
    reference = np.where(reference_epoch < rule.start_from_epoch, -1, reference_epoch)
    waits = np.ceil(rule.required_wait(reference, patience=0))
    limited = np.minimum(waits, np.iinfo(np.int32).max).astype(np.int64)
    return np.broadcast_to(limited, np.shape(reference_epoch))


def cut_intervals(
    intervals: PatienceIntervals, ends: Any, rules: Sequence[Patience]
) -> PatienceIntervals:
    """The intervals, cut where another rule ends the runs.

    ends: the number of epochs after which each run ends, shape (lanes,).
    """
    number, lane = np.divmod(intervals.track, len(ends))
    longest = ends[lane] - 1 - intervals.reference_epoch
    last = np.minimum(intervals.last, longest).astype(intervals.last.dtype)
    intervals = intervals._replace(last=last)
    remain = intervals.last >= intervals.first
    for index, rule in enumerate(rules):
        if rule.wait_grows:
            own = (number == index).nonzero()[0]
            remain[own] &= shortest_waits(rule, intervals.reference_epoch[own]) <= longest[own]
    return PatienceIntervals._make(array[remain] for array in intervals)
