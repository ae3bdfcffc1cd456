"""Were the logged runs stopped early themselves, and by which patience?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..history import Bools, History
from ..rules import Best, Patience
from ..sweeping.sweep import sweep
from .regret_scale import RegretScale

__all__ = ["Truncation", "detect_truncation"]

# Margins that early stopping often has, absolute and relative.
_MARGINS = ((0.0, False), (1e-4, False), (1e-3, False), (1e-2, False), (1e-3, True), (1e-2, True))
_SAMPLED = 500  # of the runs that end early, and of the longest


class Truncation(NamedTuple):
    """Signs that logged runs were stopped early.

    rule: the patience that explains where they end. runs: how many runs it explains, out of the
    `examined` that were examined; all of those end before the longest run.
    """

    rule: Patience
    runs: int
    examined: int


def detect_truncation(history: History, judge: Best, scale: RegretScale) -> Truncation | None:
    """The patience by which the logs were stopped early, if they were.

    One is found if it fires at the very last epoch of at least three runs, and of more than half of
    those that end before the longest one; and before the last epoch of at most a tenth of these
    and of the longest ones. In logs that end for other reasons a patience does that by chance only.
    """
    ends = scale.end[scale.usable]
    if not len(ends):
        return None
    early = _some(scale.usable & (scale.end < ends.max()))
    if len(early) < 3 or scale.end[early].max() < 2:
        return None
    runs_seen = np.concatenate([early, _some(scale.usable & (scale.end == ends.max()))])
    some, end = history[runs_seen], scale.end[runs_seen]
    is_early = np.arange(len(runs_seen)) < len(early)
    found: Truncation | None = None
    for min_delta, relative in _MARGINS:
        rule = Patience(judge.monitor, mode=judge.mode, min_delta=min_delta, relative=relative)
        table = sweep(rule, some, save=judge, patience=range(1, int(end[is_early].max())))
        at_end = (table.stopped & (table.epochs == end) & is_early).sum(axis=1)
        before = (table.stopped & (table.epochs < end)).sum(axis=1)
        at_end[before > len(runs_seen) / 10] = 0
        index = int(at_end.argmax())
        runs = int(at_end[index])
        if runs >= 3 and runs > len(early) / 2 and (found is None or runs > found.runs):
            found = Truncation(rule.replace(patience=index + 1), runs, len(early))
    return found


def _some(which: Bools) -> npt.NDArray[np.int64]:
    """The indices of these runs, or of an even sample of them."""
    runs = np.flatnonzero(which)
    return runs[np.linspace(0, len(runs) - 1, min(_SAMPLED, len(runs))).astype(np.int64)]
