"""Quantiles of values that may be infinite or unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..replaying.batches import Runs, slices
from .columns import Column

__all__ = ["quantile", "quantiles", "share_of"]


def quantile(values: npt.NDArray[np.float64], q: float) -> float:
    """`np.quantile`, but it ignores NaN and is defined between infinite neighbours.

    values: shape (n,); without any known value the result is NaN.
    q: from 0 to 1.

    >>> quantile(np.array([1.0, 2.0, np.nan, np.inf]), 0.5)
    2.0
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan
    if np.isfinite(known).all():
        return float(np.quantile(known, q))
    known.sort()
    below, share = divmod(q * (len(known) - 1), 1.0)
    low, high = known[int(below)], known[min(int(below) + 1, len(known) - 1)]
    return float(low if share == 0 or low == high else low + (high - low) * share)


def share_of(q: Any, name: str) -> float:
    """The argument `q` of a method for quantiles. Raises RuleError if it is not from 0 to 1."""
    if not isinstance(q, (int, float)) or not 0 <= q <= 1:
        raise RuleError(f"`quantile_{name}(q)` must be one number from 0 to 1, got {q!r}")
    return float(q)


def quantiles(
    columns: Callable[[range], Iterator[tuple[int, Runs, Column]]],
    shape: tuple[int, int],
    q: float,
    what: Callable[[int, Runs, Column], Any],
    most_bytes: int,
) -> npt.NDArray[np.float64]:
    """A quantile over runs of what each setting did, shape (settings,).

    columns: what each of some settings did; see `Sweep.columns`. shape: (settings, runs).
    most_bytes: of the values that are held at a time; those of one setting always are.
    """
    settings, runs_of_all = shape
    result = np.empty(settings)
    for chunk in slices(settings, max(1, most_bytes // (8 * runs_of_all))):
        rows = np.empty((chunk.stop - chunk.start, runs_of_all))
        for setting, runs, column in columns(range(chunk.start, chunk.stop)):
            rows[setting - chunk.start, runs] = what(setting, runs, column)
        result[chunk] = [quantile(row, q) for row in rows]
    return result
