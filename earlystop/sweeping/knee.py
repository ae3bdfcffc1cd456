"""The knee of a trade-off: the setting beyond which longer runs gain little."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["find_knee"]

Floats = npt.NDArray[np.float64]


def find_knee(used: Floats, regret: Floats) -> int | None:
    """The number of the setting at the knee; None if there is no knee.

    Mean use and mean regret are scaled to the range from 0 to 1, from the cheapest setting to
    the cheapest of those with the least regret. The knee is the setting farthest below the straight
    line between these two (the chord of Satopaa et al., "Finding a 'Kneedle' in a Haystack", 2011).
    If no setting lies below the line, there is no knee. Settings with infinite regret are ignored.

    used: what runs use on average under each setting, shape (settings,).
    regret: the mean regret of each setting, shape (settings,).

    >>> find_knee(np.array([3.0, 4.0, 9.0]), np.array([0.8, 0.1, 0.0]))
    1
    """
    finite = np.flatnonzero(np.isfinite(regret))
    if not len(finite):
        return None
    order = finite[np.lexsort((regret[finite], used[finite]))]  # the cheapest first
    cheapest, least = order[0], order[np.argmin(regret[order])]
    width, height = used[least] - used[cheapest], regret[cheapest] - regret[least]
    if not (width > 0 and height > 0):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        cost = (used[order] - used[cheapest]) / width
        loss = (regret[order] - regret[least]) / height
    below = 1 - cost - loss
    farthest = int(np.argmax(below))
    return int(order[farthest]) if below[farthest] > 0 else None
