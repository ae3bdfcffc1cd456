"""`on_missing="raise"` over logged runs: every epoch that is used must report the metrics."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from .._arguments import argument
from ..errors import MissingMetricError, name_advice
from ..history import History
from ..history.ragged import slices_within
from .batches import Runs, run_numbers, subset
from .tuning import DEFAULT, Tuning

__all__ = ["require_reported"]


def require_reported(
    names: tuple[str, ...],
    history: History,
    epochs: npt.NDArray[Any],
    runs: Runs,
    tuning: Tuning = DEFAULT,
) -> None:
    """Check that each run reports all of these metrics at every epoch it uses.

    names: the metrics.
    epochs: how many epochs each of the runs uses, shape (runs,).
    runs: the runs to check.

    Raises MissingMetricError for the first epoch that lacks a metric, as a live run would have.
    """
    gaps = {name: history.gaps(name) for name in names}
    suspects = [n for n in names if n not in history.metrics or gaps[n] is not None]
    for part in slices_within(epochs, tuning.cells_checked):
        rows: Any = subset(runs, part)
        longest = int(epochs[part].max())
        used = np.arange(longest) < epochs[part, None]
        lacking = {
            name: used if (gap := gaps[name]) is None else used & gap[rows, :longest]
            for name in suspects
        }
        if any(lacks.any() for lacks in lacking.values()):
            row, epoch = map(int, np.argwhere(np.any([*lacking.values()], axis=0))[0])
            name = next(name for name, lacks in lacking.items() if lacks[row, epoch])
            raise _missing(name, history, int(run_numbers(rows)[row]), epoch)


def _missing(name: str, history: History, run: int, epoch: int) -> MissingMetricError:
    reported = next(itertools.islice(history.iter_records(run), epoch, None))
    return MissingMetricError(
        f"no metric {name!r} at epoch {epoch} of {history.names[run]!r}: "
        f"{name_advice(name, reported)} (with {argument('on_missing', 'skip')}, rules skip such "
        "epochs)"
    )
