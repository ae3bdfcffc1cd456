"""What can be promised about a new run, given what happened on logged ones.

Take settings that differ only in their patience. As the patience falls, a run never loses less,
because a run that stops earlier has seen less. On such a path two promises hold for any
distribution of runs.

In expectation (conformal risk control; Angelopoulos, Bates, Fisch, Lei and Schuster 2022). Losses
lie between 0 and B. Take the smallest patience such that, for it and every larger one,
`(sum of the losses + B) / (n + 1)` is at most alpha. If the new run is exchangeable with the n
logged ones, its expected loss is at most alpha: had its own loss, which is at most B, been part of
the sum, the same patience or a smaller one would have been taken, and which of the n + 1 runs is
the new one is a matter of chance.

With confidence (Learn then Test; Angelopoulos, Bates, Candès, Jordan and Lei 2021). For each
patience, from the largest down, test the hypothesis that more than a share q of all runs loses more
than allowed, with the binomial p-value of how many of the n did. End at the first test that does
not reject. Each test is made only if all before it rejected (a fixed sequence), so none needs a
correction. Several paths share the error equally (Bonferroni).
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
    """A promise that is requested: what has to hold for new runs.

    max_regret: what a run may lose.
    bound: the most that a run can lose, for a promise in expectation; losses are capped there.
    is_natural: whether no run can lose more than the bound anyway.
    at_most: for a promise with confidence, the share of runs that may lose more; None for one in
        expectation.
    """

    max_regret: float
    bound: float
    at_most: float | None
    confidence: float
    is_natural: bool = False

    @property
    def level(self) -> float:
        """What is kept small: the share of runs that lose more, or the expected regret."""
        return self.max_regret if self.at_most is None else self.at_most

    @property
    def cap(self) -> float:
        """Where losses are capped; infinity if none is.

        A promise with confidence only counts losses over a limit, and no run can lose more than
        all of its improvement.
        """
        return np.inf if self.at_most is not None or self.is_natural else self.bound

    def holds(self, runs: int, total: Any, over: Any, paths: int = 1) -> Bools:
        """Whether it holds for each setting of a path, by rising patience: a boolean mask.

        total: for each setting, the sum of what `runs` runs lose, capped at the bound.
        over: for each setting, how many runs lose more than `max_regret`.
        paths: the number of paths to choose from with the same runs.
        """
        if self.at_most is None:
            small = (total + self.bound) / (runs + 1) <= self.max_regret
        else:
            small = over <= most_that_reject(runs, self.at_most, (1 - self.confidence) / paths)
        # A setting counts only if all with more patience do.
        result: Bools = np.logical_and.accumulate(np.atleast_1d(small)[::-1])[::-1]
        return result

    def needed_roughly(self, paths: int = 1) -> float:
        """The number of runs that it takes, to within two; infinity beyond floats."""
        if self.at_most is None:
            return self.bound / self.max_regret
        return math.log((1 - self.confidence) / paths) / math.log1p(-self.at_most)

    def needed(self, paths: int = 1) -> int:
        """The number of runs that it takes if none of them loses anything."""
        least = 0 if self.at_most is None else 1
        runs = max(math.ceil(self.needed_roughly(paths)) - 2, least)
        while not self._can_hold(runs, paths):
            runs += 1
        return runs

    def _can_hold(self, runs: int, paths: int) -> bool:
        """Can this number of runs support it, if none of them loses anything?"""
        if self.at_most is None:
            return self.bound / (runs + 1) <= self.max_regret
        chance_of_no_loss = np.exp(runs * math.log1p(-self.at_most))
        return bool(chance_of_no_loss <= (1 - self.confidence) / paths)

    def least(self, runs: int, paths: int = 1) -> float:
        """The least level that this number of runs can support."""
        if self.at_most is None:
            return self.bound / (runs + 1)
        return float(1 - ((1 - self.confidence) / paths) ** (1 / runs))


def most_that_reject(runs: int, share: float, error: float) -> int:
    """The most cases in `runs` runs that still show that at most this share of all are cases.

    If the share were larger, so few cases would come up with a probability of at most `error`.
    -1: not even a sample without any case shows it.

    >>> [most_that_reject(runs, share=0.1, error=0.1) for runs in (21, 22, 100)]
    [-1, 0, 5]
    """
    cases = np.arange(1, runs + 1)
    with np.errstate(divide="ignore"):  # the last ratio is that to runs + 1 cases
        ratios = np.log((runs - cases + 1) / cases) + math.log(share) - math.log1p(-share)
    chances = np.exp(runs * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(ratios)]))
    return int(np.count_nonzero(np.cumsum(chances) <= error)) - 1
