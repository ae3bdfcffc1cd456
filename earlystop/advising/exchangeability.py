"""Do neighbouring runs resemble each other more than chance allows?

The guarantees of advice assume that the new run and the logged ones are exchangeable. Groups of
similar runs, or a drift over time, show up as serial dependence.
"""

from __future__ import annotations

import numpy as np

from .regret_scale import Floats

__all__ = ["serial_dependence"]


def serial_dependence(scores: Floats) -> float:
    """The excess similarity of neighbouring runs, in standard deviations.

    scores: one per run, in the order of the history. If the runs are exchangeable, the serial
    correlation of their ranks (Wald and Wolfowitz 1943) has the mean and variance of a random
    permutation, and is close to normal; where runs come in groups, or drift, it is larger.
    """
    runs = len(scores)
    if runs < 20:
        return 0.0
    ranks = _ranks(scores)
    ranks -= ranks.mean()
    square, fourth = float((ranks**2).sum()), float((ranks**4).sum())
    if not square:
        return 0.0
    mean = -square / (runs - 1)
    variance = (square**2 - fourth) / (runs - 1) - mean**2
    variance += (square**2 - 2 * fourth) / ((runs - 1) * (runs - 2))
    return float(((ranks * np.roll(ranks, 1)).sum() - mean) / np.sqrt(variance))


def _ranks(scores: Floats) -> Floats:
    """Ranks; equal scores share the mean of theirs."""
    _, value, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2)[value].astype(np.float64)
    return ranks
