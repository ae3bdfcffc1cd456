"""What may be promised about a new run, given what happened on logged ones.

Settings that differ in their patience alone, by falling patience, never lose less: a run that stops
earlier has seen less. On such a path there are two promises that hold for any distribution of runs:

In expectation (conformal risk control; Angelopoulos, Bates, Fisch, Lei and Schuster 2022): losses
lie between 0 and B; take the smallest patience from which on up `(sum of the losses + B) / (n + 1)`
is at most alpha. If the new run is exchangeable with the n logged ones, its expected loss is at
most alpha: had its own loss, B at most, been among the sum, the same patience or a smaller one
would have been taken, and which of the n + 1 runs is the new one is a matter of chance.

With confidence (Learn then Test; Angelopoulos, Bates, Candès, Jordan and Lei 2021): for each
patience, from the largest down, test that more than a share q of all runs loses more than allowed,
with the binomial p-value of how many of the n did, and end at the first test that does not reject.
Each test is made only if all before it rejected (a fixed sequence), so none needs a correction. Of
several paths each has its part of the error (Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..history.arrays import Bools

__all__ = ["Guarantee", "most_that_reject"]


@dataclass(frozen=True)
class Guarantee:
    """What is to hold for new runs.

    max_regret: what a run may lose. bound: what it can lose at most (capped there), for a promise
    in expectation. at_most: the share of runs that may lose more, for one with confidence; None:
    in expectation.
    """

    max_regret: float
    bound: float
    at_most: float | None
    confidence: float

    @property
    def cap(self) -> float:
        """Where losses are capped; a promise with confidence only counts those above another."""
        return self.bound if self.at_most is None else 2 * self.max_regret

    def kept(self, runs: int, total: Any, over: Any, paths: int = 1) -> Bools:
        """Which settings of a path, by rising patience, keep the promise.

        total: the sums of what `runs` runs lose, capped at the bound. over: how many lose more than
        `max_regret`. paths: how many paths there are to choose from with the same runs.
        """
        if self.at_most is None:
            holds = (total + self.bound) / (runs + 1) <= self.max_regret
        else:
            holds = over <= most_that_reject(runs, self.at_most, (1 - self.confidence) / paths)
        # A setting counts only if all above it do.
        result: Bools = np.logical_and.accumulate(np.atleast_1d(holds)[::-1])[::-1]
        return result

    def roughly(self, paths: int = 1) -> float:
        """How many runs it takes to promise it, give or take two; infinity: more than floats go."""
        if self.at_most is None:
            return self.bound / self.max_regret
        return math.log((1 - self.confidence) / paths) / math.log1p(-self.at_most)

    def needed(self, paths: int = 1) -> int:
        """How many runs it takes to promise it, if none of them loses anything."""
        least = 0 if self.at_most is None else 1
        runs = max(math.ceil(self.roughly(paths)) - 2, least)
        while not self._could(runs, paths):
            runs += 1
        return runs

    def _could(self, runs: int, paths: int) -> bool:
        """Could so many runs promise it, if none of them loses anything?"""
        if self.at_most is None:
            return self.bound / (runs + 1) <= self.max_regret
        none_over = np.exp(runs * math.log1p(-self.at_most))
        return bool(none_over <= (1 - self.confidence) / paths)

    def least(self, runs: int, paths: int = 1) -> float:
        """The least expected regret, or share of runs, that so many runs could promise."""
        if self.at_most is None:
            return self.bound / (runs + 1)
        return float(1 - ((1 - self.confidence) / paths) ** (1 / runs))


def most_that_reject(runs: int, share: float, error: float) -> int:
    """The most cases among `runs` runs that let one say: they are at most so large a share of all.

    That is, if they were more, so few cases (or fewer) would come up with a probability of at most
    `error`. -1: not even none at all says so.

    >>> [most_that_reject(runs, share=0.1, error=0.1) for runs in (21, 22, 100)]
    [-1, 0, 5]
    """
    cases = np.arange(1, runs + 1)
    with np.errstate(divide="ignore"):  # the last ratio is that to runs + 1 cases
        ratios = np.log((runs - cases + 1) / cases) + math.log(share) - math.log1p(-share)
    chances = np.exp(runs * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(ratios)]))
    return int(np.count_nonzero(np.cumsum(chances) <= error)) - 1
