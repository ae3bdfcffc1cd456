"""Detects logs that were themselves stopped early, by a patience.

Such logs cannot tell what a longer patience would have found. They give themselves away: one and
the same patience fires at the very last epoch of most runs, and hardly ever before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..history.arrays import Bools
from ..history.history import History
from ..rules import Best, Patience
from ..sweeping.sweep import sweep
from .regret_scale import RegretScale

__all__ = ["Truncation", "detect_truncation"]

# Margins that early stopping often has: min_delta, relative.
_MARGINS = ((0.0, False), (1e-4, False), (1e-3, False), (1e-2, False), (1e-3, True), (1e-2, True))
_SAMPLE = 500  # of the runs that end early, and of the others


class Truncation(NamedTuple):
    """How logs were stopped early.

    rule: the patience that seems to have stopped them.
    runs: how many of the `examined` runs it explains; all of these end before the longest run.
    """

    rule: Patience
    runs: int
    examined: int


def detect_truncation(history: History, save: Best, scale: RegretScale) -> Truncation | None:
    """The patience by which the logs were stopped early; None if they seem complete.

    A patience is found if it fires at the very last epoch of at least three runs, and of more than
    half of those that end before the longest one. It must fire earlier in at most a tenth of these
    runs and of the longest ones. In logs that end for other reasons, a patience does that only by
    chance.
    """
    ends = scale.end[scale.usable]
    if not len(ends):
        return None
    early = _sample(scale.usable & (scale.end < ends.max()))
    if len(early) < 3 or scale.end[early].max() < 2:
        return None
    examined = np.concatenate([early, _sample(scale.usable & (scale.end == ends.max()))])
    part, end = history[examined], scale.end[examined]
    is_early = np.arange(len(examined)) < len(early)
    found: Truncation | None = None
    for min_delta, relative in _MARGINS:
        rule = Patience(save.monitor, mode=save.mode, min_delta=min_delta, relative=relative)
        table = sweep(rule, part, save=save, patience=range(1, int(end[is_early].max())))
        at_end = (table.stopped & (table.checks == end) & is_early).sum(axis=1)
        before = (table.stopped & (table.checks < end)).sum(axis=1)
        at_end[before > len(examined) / 10] = 0
        index = int(at_end.argmax())
        runs = int(at_end[index])
        if runs >= 3 and runs > len(early) / 2 and (found is None or runs > found.runs):
            found = Truncation(rule.replace(patience=index + 1), runs, len(early))
    return found


def _sample(mask: Bools) -> npt.NDArray[np.int64]:
    """The indices of these runs; of many, an evenly spaced sample."""
    runs = np.flatnonzero(mask)
    return runs[np.linspace(0, len(runs) - 1, min(_SAMPLE, len(runs))).astype(np.int64)]
