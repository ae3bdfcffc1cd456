"""The knee of a trade-off: the setting beyond which longer runs bring next to nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["find_knee"]

Floats = npt.NDArray[np.float64]

_LITTLE = 0.01


def find_knee(used: Floats, regret: Floats) -> int | None:
    """The number of the setting at the knee; None if there is no knee.

    The cheapest setting has the most to avoid: its mean regret, above the least of all settings.
    The knee is the cheapest setting that avoids all but 1 % of that. If the cheapest setting has
    the least regret, there is no knee. Settings with infinite regret are ignored.

    used: what runs use on average under each setting, shape (settings,).
    regret: the mean regret of each setting, shape (settings,).

    >>> find_knee(np.array([3.0, 4.0, 6.0, 9.0]), np.array([0.8, 0.1, 0.006, 0.0]))
    2
    """
    finite = np.flatnonzero(np.isfinite(regret))
    if not len(finite):
        return None
    order = finite[np.lexsort((regret[finite], used[finite]))]  # the cheapest first
    shares = regret[order] / (regret[order].max() or 1.0)  # their differences cannot overflow
    avoidable = shares[0] - shares.min()
    if not avoidable > 0:
        return None
    return int(order[np.argmax(shares - shares.min() <= _LITTLE * avoidable)])
