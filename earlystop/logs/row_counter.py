"""The coordinate that counts the rows of a log: its step, its epoch, or both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..language.coordinate_names import EPOCHS, INNER, STEPS, plain_name
from .run import Points, Run

__all__ = ["Counter", "rises", "row_counter", "row_counters", "share_replaced"]

_MOST_REPLACED = 0.3  # of a metric; logs that repeat epochs have 0.06, those of other counters 0.75
_MOST_FALLS = 0.25  # of the steps between rows, for what may be an amount instead of a counter
_AT_A_TIME = 2**16  # keys that are compared, so that a long run takes no more memory


class Counter(NamedTuple):
    """What counts the rows of a run.

    name: the name of the coordinate, or of both.
    keys: the values that count the rows, shape (rows,), NaN where a row has none.
    counts: whether rows of one key are one row, rather than several that share it.
    """

    name: str
    keys: npt.NDArray[np.float64]
    counts: bool = True


def row_counter(run: Run, coordinate: str | None) -> Counter | None:
    """The finest of the coordinates that count the rows; None if there is none.

    coordinate: the coordinate to use; by default, the step or the epoch.

    Where rows that share a value report the same metrics again and again, it does not count rows.
    """
    found = row_counters(run, coordinate)
    shares = [share_replaced(run, counter.keys) for counter in found]
    for counter, share in zip(found, shares, strict=True):
        if share <= _MOST_REPLACED:
            return counter
    return found[int(np.argmin(shares))]._replace(counts=False) if found else None


def row_counters(run: Run, coordinate: str | None) -> list[Counter]:
    """The coordinates that may count the rows, the finest first; see `row_counter`."""
    if coordinate is not None:
        points = run.coordinates.get(coordinate)
        return [] if points is None else [Counter(coordinate, _dense(points, run.length))]
    epochs = _counters(run, (*EPOCHS, "episode"))[:1]
    found = []
    for step in _counters(run, (*STEPS, *INNER)):
        if epochs and _restarts(run, step.keys, epochs[0].keys):
            found.append(_pairs(epochs[0], step))
        elif plain_name(step.name) not in INNER or _mostly_rises(step.keys):
            found.append(step)
    return found + epochs


def share_replaced(run: Run, keys: npt.NDArray[np.float64]) -> float:
    """The share of the values of a metric that another value at the same key would replace.

    The highest share of all metrics; a single value is not counted.
    """
    highest = 0.0
    if rises(keys):
        return highest
    for points in run.metrics.values():
        key, values = keys[points.rows], points.values
        again = np.flatnonzero(key[1:] == key[:-1])
        number = int(np.count_nonzero(~_equal(values[again + 1], values[again])))
        if number > 1:
            highest = max(highest, number / len(values))
    return highest


def rises(keys: npt.NDArray[np.float64]) -> bool:
    """Is every key greater than the one before it? False if one is NaN, unless it is the only."""
    later = keys[1:]
    parts = (slice(begin, begin + _AT_A_TIME) for begin in range(0, len(later), _AT_A_TIME))
    return all(bool((later[part] > keys[:-1][part]).all()) for part in parts)


def _equal(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    equal: npt.NDArray[np.bool_] = (one == other) | (np.isnan(one) & np.isnan(other))
    return equal


def _counters(run: Run, names: tuple[str, ...]) -> list[Counter]:
    """Those of these coordinates that the run has and that distinguish its rows."""
    by_name = {plain_name(name): name for name in reversed(run.coordinates)}
    found = []
    for plain in names:
        name = by_name.get(plain)
        if name is None:
            continue
        points = run.coordinates[name]
        finite = _finite(points.values)
        if len(finite) and ((finite != finite[0]).any() or _is_one_epoch(run)):
            found.append(Counter(name, _dense(points, run.length)))
    return found


def _restarts(run: Run, step: npt.NDArray[np.float64], epoch: npt.NDArray[np.float64]) -> bool:
    """Does the step begin anew with each epoch?

    It may begin anew within an epoch, too, for the validation, which reports other metrics.
    """
    rows = np.flatnonzero(~np.isnan(step) & ~np.isnan(epoch))
    falls = np.flatnonzero(np.diff(step[rows]) < 0)
    before, after = rows[falls], rows[falls + 1]
    moves = epoch[after] - epoch[before]
    other = moves == 0
    if other.any():
        other &= ~_share_metrics(run, before, after)
    return bool(2 * np.count_nonzero(moves > 0) > len(falls) - np.count_nonzero(other))


def _share_metrics(
    run: Run, rows: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Is there a metric that both rows of a pair report?"""
    shared = np.zeros(len(rows), bool)
    for points in run.metrics.values():
        reported = np.zeros(run.length, bool)
        reported[points.rows] = True
        shared |= reported[rows] & reported[others]
    return shared


def _mostly_rises(step: npt.NDArray[np.float64]) -> bool:
    differences = np.diff(step[~np.isnan(step)])
    return bool(np.count_nonzero(differences < 0) <= _MOST_FALLS * len(differences))


def _pairs(epoch: Counter, step: Counter) -> Counter:
    """The rank of each pair (epoch, step) among all pairs."""
    both = ~np.isnan(epoch.keys) & ~np.isnan(step.keys)
    key = np.full(len(step.keys), np.nan)
    pairs = np.stack([epoch.keys[both], step.keys[both]], axis=1)
    key[both] = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    return Counter(f"{epoch.name} and {step.name}", key)


def _dense(points: Points, length: int) -> npt.NDArray[np.float64]:
    if len(points.rows) == length == len(_finite(points.values)):
        return points.values
    dense = np.full(length, np.nan)
    dense[points.rows] = points.values
    dense[~np.isfinite(dense)] = np.nan
    return dense


def _finite(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    finite = np.isfinite(values)
    return values if finite.all() else values[finite]


def _is_one_epoch(run: Run) -> bool:
    """Is no metric reported twice?"""
    return all(len(points.rows) < 2 for points in run.metrics.values())
