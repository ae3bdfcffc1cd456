"""The curves of runs as JSON data, with as many points as the page can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..replaying.replay import Replay
from .packing import numbers, packed

__all__ = ["curve_data", "thinned"]

Floats = npt.NDArray[np.float64]

_POINTS = 120_000  # of all curves together
_FEWEST, _MOST = 60, 2_000  # of one curve
_DIGITS = 5
_WIDE = 100  # from so many times the least value on, an axis is logarithmic
_FAR = 20  # times the usual magnitude: what lies above is cut off


def curve_data(result: Replay, metric: str, runs: int) -> list[dict[str, Any]]:
    """The curve of a metric over what is used, for each of the first `runs` runs.

    x: how much of the unit is used after each point, packed.
    y: the values, None where there is none.
    log: whether the axis is logarithmic.
    low, high: the ends of the axis, in the metric's unit.
    """
    checks = result.replayed.history
    best = result.best_rule
    falls = best is None or best.mode == "min"
    most = int(np.clip(_POINTS // max(runs, 1), _FEWEST, _MOST))
    return [
        {"x": packed(at), "y": numbers(values, _DIGITS), **_axis(values, falls)}
        for at, values in (
            thinned(*_points(result, checks, metric, run), most) for run in range(runs)
        )
    ]


def _points(result: Replay, checks: Any, metric: str, run: int) -> tuple[Floats, Floats]:
    """What is used after each check of a run, and the value there; NaN for none."""
    length = int(checks.lengths[run])
    values = checks.values(metric)[run, :length].astype(np.float64)
    gaps = checks.gaps(metric)
    if gaps is not None:
        values = np.where(gaps[run, :length], np.nan, values)
    counts = np.arange(1, length + 1)
    at = np.asarray(result.replayed.positions.amount(result.unit, counts, np.full(length, run)))
    if np.isnan(at.astype(np.float64)).any():
        at = counts
    return at, np.where(np.isfinite(values), values, np.nan)


def thinned(at: Floats, values: Floats, most: int) -> tuple[Floats, Floats]:
    """At most about `most` points of a curve: of each stretch the lowest and the highest.

    >>> at, values = thinned(np.arange(1.0, 9.0), np.array([5.0, 1, 2, 3, 9, 8, 7, 6]), 4)
    >>> values.tolist()
    [5.0, 1.0, 9.0, 6.0]
    """
    if len(values) <= most:
        return at, values
    wide = -(-2 * len(values) // most)
    padding = -len(values) % wide
    rows = np.append(values, np.full(padding, np.nan)).reshape(-1, wide)
    unknown = np.isnan(rows)
    pair = np.stack(
        [np.where(unknown, np.inf, rows).argmin(1), np.where(unknown, -np.inf, rows).argmax(1)]
    )
    pair.sort(axis=0)
    places = np.unique((np.arange(len(rows)) * wide + pair).ravel())
    places = np.minimum(places, len(values) - 1)
    return at[places], values[places]


def _axis(values: Floats, falls: bool) -> dict[str, Any]:
    """The axis of a curve; a few values far from all others do not hide the rest."""
    known = values[~np.isnan(values)]
    if not len(known):
        return {"log": False, "low": 0, "high": 1}
    low, high = float(known.min()), float(known.max())
    log = falls and low > 0 and high / _WIDE > low
    if not log:
        usual = float(np.quantile(np.abs(known), 0.75))
        low, high = max(low, -_FAR * usual), min(high, _FAR * usual)
    if not low < high:
        low, high = low - abs(low) / 2 - 0.5, high + abs(high) / 2 + 0.5
    ends = numbers([low, high])
    return {"log": bool(log), "low": ends[0], "high": ends[1]}
