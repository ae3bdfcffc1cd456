"""Quantiles of values that may be infinite or unknown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["quantile"]


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
