"""The coordinate that counts the rows of a log: its step, its epoch, or both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .columns import EPOCHS, STEPS
from .run import Points, Run

__all__ = ["row_keys"]


def row_keys(run: Run, coordinate: str | None) -> npt.NDArray[np.float64] | None:
    """The values that count the rows, shape (rows,), NaN where a row has none.

    coordinate: the coordinate to use; by default, the step or the epoch.

    Returns None if no coordinate counts the rows.
    """
    if coordinate is not None:
        points = run.coordinates.get(coordinate)
        return None if points is None else _dense(points, run.length)
    step, epoch = _first(run, STEPS), _first(run, EPOCHS)
    if step is not None and epoch is not None:
        both = ~np.isnan(step) & ~np.isnan(epoch)
        falls = np.diff(step[both]) < 0
        if falls.any() and 2 * (np.diff(epoch[both])[falls] > 0).sum() > falls.sum():
            return _ranks(epoch, step, both)
    return epoch if step is None else step


def _first(run: Run, names: tuple[str, ...]) -> npt.NDArray[np.float64] | None:
    """The first of these coordinates that the run has and that distinguishes its rows."""
    by_name = {name.lower(): points for name, points in reversed(run.coordinates.items())}
    for name in names:
        points = by_name.get(name)
        if points is None:
            continue
        finite = points.values[np.isfinite(points.values)]
        if len(finite) and ((finite != finite[0]).any() or _is_one_epoch(run)):
            return _dense(points, run.length)
    return None


def _ranks(
    epoch: npt.NDArray[np.float64], step: npt.NDArray[np.float64], both: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """The rank of each pair (epoch, step) among all pairs."""
    key = np.full(len(step), np.nan)
    pairs = np.stack([epoch[both], step[both]], axis=1)
    key[both] = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    return key


def _dense(points: Points, length: int) -> npt.NDArray[np.float64]:
    dense = np.full(length, np.nan)
    dense[points.rows] = points.values
    dense[~np.isfinite(dense)] = np.nan
    return dense


def _is_one_epoch(run: Run) -> bool:
    """Is no metric reported twice?"""
    return all(len(points.rows) < 2 for points in run.metrics.values())
