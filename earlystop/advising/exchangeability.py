"""A test of the assumption behind every promise: that runs are exchangeable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Codes", "codes_of", "ranks_of", "serial_dependence"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint16]


def serial_dependence(scores: Floats | Codes) -> float:
    """How much more alike neighbouring runs are than by chance, in standard deviations.

    scores: one per run, in the order of the history.

    If the runs are exchangeable, the serial correlation of their ranks (Wald and Wolfowitz 1943)
    has the mean and variance of a random permutation, and is close to normal. Where runs come in
    groups, or drift, it is larger. Fewer than 20 runs give 0.
    """
    runs = len(scores)
    if runs < 20:
        return 0.0
    ranks = ranks_of(scores)
    ranks -= ranks.mean()
    square, fourth = float((ranks**2).sum()), float((ranks**4).sum())
    if not square:
        return 0.0
    mean = -square / (runs - 1)
    variance = (square**2 - fourth) / (runs - 1) - mean**2
    variance += (square**2 - 2 * fourth) / ((runs - 1) * (runs - 2))
    return float(((ranks * np.roll(ranks, 1)).sum() - mean) / np.sqrt(variance))


def codes_of(scores: Floats) -> Codes:
    """Scores of at least 0, by their leading 16 bits: as large as they were, within 0.8 %."""
    with np.errstate(over="ignore"):
        bits = np.asarray(scores, np.float32).view(np.uint32)
    return np.asarray(bits >> 16, np.uint16)


def ranks_of(scores: Floats | Codes) -> Floats:
    """The ranks of the scores; equal scores share their mean rank."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2)[inverse].astype(np.float64)
    return ranks
