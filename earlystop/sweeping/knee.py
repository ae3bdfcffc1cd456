"""The knee of a trade-off: the setting beyond which more epochs bring little."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["find_knee"]

Floats = npt.NDArray[np.float64]


def find_knee(epochs: Floats, regret: Floats) -> int | None:
    """The number of the setting at the knee, or None where there is none.

    Mean epochs and mean regret are both scaled to go from 0 to 1, from the cheapest setting to the
    cheapest of those with the least regret; the knee is the setting that lies farthest below the
    straight line between these two (the chord of Satopaa et al., "Finding a 'Kneedle' in a
    Haystack", 2011). There is none where no setting lies below the line. Settings with an infinite
    regret take no part.

    epochs, regret: of each setting, shape (settings,).

    >>> find_knee(np.array([3.0, 4.0, 9.0]), np.array([0.8, 0.1, 0.0]))
    1
    """
    finite = np.flatnonzero(np.isfinite(regret))
    if not len(finite):
        return None
    order = finite[np.lexsort((regret[finite], epochs[finite]))]  # the cheapest first
    cheapest, least = order[0], order[np.argmin(regret[order])]
    width, height = epochs[least] - epochs[cheapest], regret[cheapest] - regret[least]
    if not (width > 0 and height > 0):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        used = (epochs[order] - epochs[cheapest]) / width
        given_up = (regret[order] - regret[least]) / height
    below = 1 - used - given_up
    farthest = int(np.argmax(below))
    return int(order[farthest]) if below[farthest] > 0 else None
