"""Epochs and steps say where a row stands in its run; those that go back say nothing."""

from __future__ import annotations

import numpy as np

from .._text import number
from ..language.coordinate_names import EPOCHS, STEPS, plain_name
from .row_counter import rises
from .run import Run

__all__ = ["note_positions_that_go_back"]


def note_positions_that_go_back(run: Run) -> None:
    """Add a note for every coordinate of a run that should be a position and is none.

    The rows are in the order of the log, after repeats and restarts have been resolved. An epoch
    that goes back from one row to a later one, or a step that does not go on (some tools log a step
    that is always 0), is not where the row stands: a replay does not count by it.
    """
    for name in run.coordinates:
        is_step = plain_name(name) in STEPS
        if not is_step and plain_name(name) not in EPOCHS:
            continue
        values = run.coordinates[name].values
        if rises(values):
            continue
        values = values[np.isfinite(values)]
        change = np.diff(values)
        wrong = np.flatnonzero(change <= 0 if is_step else change < 0)
        if len(wrong):
            before, now = (number(float(value)) for value in values[wrong[0] : wrong[0] + 2])
            run.notes.append(
                f"{name!r} does not go on ({now} after {before}), so nothing is counted by it"
            )
