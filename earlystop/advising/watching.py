"""Whether new runs look like those that a promise rests on, and whether it has held so far.

*Alike?* The rank test of Mann, Whitney and Wilcoxon, on the number of checks after which the rule
stops a run: of the logged runs, and of the new ones. It is known for runs that were stopped, too.

*Kept?* Bounds on the mean that hold at any time, however often one looks (by betting; Waudby-Smith
and Ramdas 2023). To refute that the mean is at most m, bet a share c of the money on it at every
run: the money becomes the product of 1 + c (x / m - 1). If the mean is at most m, the money is not
expected to grow, so the chance that it is ever 1 / error times what it was is at most the error
(Ville 1939). The money is split among several c, as the best is not known. Likewise for at least m,
with 1 - c (x - m) and losses as shares of the most that can be lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._text import count, number
from ..language.state import number_to_json
from .counts import Counts
from .regret_scale import Floats
from .text import percent

__all__ = ["PromiseReport", "bounds_at_any_time", "rank_test"]

_ERROR = 0.05  # of the bounds
_UNLIKE = 0.01  # the p-value below which runs count as unlike
_BETS = np.geomspace(0.01, 0.95, 16)


def rank_test(one: Counts, other: Counts) -> float:
    """The p-value of how far apart the ranks are, if both come from one distribution.

    It is two-sided and close to normal, with a correction for ties.

    >>> round(rank_test(Counts.of([1, 2, 3, 4, 5, 6]), Counts.of([3, 4, 5, 6, 7, 8])), 2)
    0.13
    """
    n, m = one.total, other.total
    if not n or not m:
        return 1.0
    both, total = one.plus(other), n + m
    ties = both.times.astype(np.float64)
    spread = float((ties**3 - ties).sum()) / (total * max(total - 1, 1))
    variance = n * m / 12 * (total + 1 - spread)
    if not variance > 0:
        return 1.0
    ranks = np.cumsum(both.times) - (both.times - 1) / 2  # equal numbers share their mean rank
    ranks_of_one = ranks[np.searchsorted(both.numbers, one.numbers)]
    return _p_value(abs(float((ranks_of_one * one.times).sum()) - n * (total + 1) / 2), variance)


def least_p_value(n: int, m: int) -> float:
    """The p-value of `rank_test` where all of n numbers are beyond all of m others.

    >>> [round(least_p_value(n, 150), 3) for n in (1, 2, 3)]
    [0.087, 0.016, 0.003]
    """
    return _p_value(n * m / 2, n * m / 12 * (n + m + 1)) if n and m else 1.0


def _p_value(distance: float, variance: float) -> float:
    return math.erfc(max(distance - 0.5, 0.0) / math.sqrt(2 * variance))


def bounds_at_any_time(shares: Floats, error: float = _ERROR) -> tuple[float, float]:
    """A lower and an upper bound, from 0 to 1, on the mean that these shares are drawn around.

    They hold with a probability of at least 1 - error, for all numbers of draws at once.

    >>> low, high = bounds_at_any_time(np.zeros(200))
    >>> low, round(high, 3)
    (0.0, 0.033)
    """
    if not len(shares):
        return 0.0, 1.0

    def below(mean: float) -> Any:  # what refutes that the mean is at most this
        return 1 + _BETS[:, None] * (shares / mean - 1)

    def above(mean: float) -> Any:
        return 1 - _BETS[:, None] * (shares - mean)

    low = _edge(lambda mean: _wins(below(mean), error / 2))
    high = _edge(lambda mean: not _wins(above(mean), error / 2))
    return low, high


def _wins(factors: Any, error: float) -> bool:
    """Does money that is bet in this way ever become 1 / error times what it was?"""
    logarithms = np.cumsum(np.log(factors), axis=1)
    highest = logarithms.max(axis=0)
    with np.errstate(under="ignore"):
        money = highest + np.log(np.exp(logarithms - highest).mean(axis=0))
    return bool(money.max() >= -math.log(error))


def _edge(refuted: Callable[[float], bool]) -> float:
    """The largest number from 0 to 1 that is refuted; all smaller numbers are, too."""
    low, high = 0.0, 1.0
    if refuted(1.0):
        return 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


class PromiseReport(NamedTuple):
    """How new runs compare with those that a promise rests on. Made by `Advice.check`.

    runs: the new runs that report the metric; old_runs: those that the promise rests on.
    unseen: how many of them end where the rule stops, so that what they lost is unknown.
    likeness: the p-value of a rank test of where the rule stops old and new runs.
    promise: what was promised, in words.
    level: the same as a number: the expected regret, or the share of runs that lose more.
    observed: what it was on the new runs. low, high: bounds on what it is for all such runs, with
        95 % confidence at any time. All three are NaN if some runs are unseen, or if the rule
        stops none.
    in_metric: whether these numbers are in the unit of the metric; otherwise they are shares.
    """

    runs: int
    old_runs: int
    unseen: int
    likeness: float
    promise: str
    level: float
    observed: float
    low: float
    high: float
    in_metric: bool

    @property
    def alike(self) -> bool:
        """Whether the new runs look like the old ones, as far as can be told."""
        return self.likeness >= _UNLIKE

    @property
    def held(self) -> bool | None:
        """Whether the promise holds, as far as can be told from the new runs; None for unknown."""
        if self.high <= self.level:
            return True
        return False if self.low > self.level else None

    def __str__(self) -> str:
        return "\n".join([self._of_likeness(), self._of_promise()])

    def _of_likeness(self) -> str:
        p = f"rank test, p = {self.likeness:.2g}"
        if least_p_value(self.runs, self.old_runs) >= _UNLIKE:
            few = "is too few" if self.runs == 1 else "are too few"
            return (
                f"{count(self.runs, 'new run')} {few} to tell whether they stop where the old ones "
                "do."
            )
        if self.alike:
            return f"{count(self.runs, 'new run')}: they stop where the old ones do ({p})."
        return (
            f"{count(self.runs, 'new run')}: they stop elsewhere than the old ones ({p}). They are "
            "of another kind, about which nothing was promised: ask for advice on logs of it."
        )

    def _of_promise(self) -> str:
        if self.unseen:
            return (
                f"{count(self.unseen, 'run')} of {self.runs:,} end where the rule stops, so what "
                "they lost cannot be seen. To watch the promise, choose some runs beforehand, let "
                "them go to their end, and check those."
            )
        if math.isnan(self.observed):
            return "The rule stops none of them, so nothing is lost."
        verdict = {
            True: "the promise holds",
            False: "the promise is broken",
            None: "too few to tell whether the promise holds",
        }[self.held]
        text = number if self.in_metric else percent
        return (
            f"Promised: {self.promise}. On these it was {text(self.observed)}, and of all such "
            f"runs it is between {text(self.low)} and {text(self.high)} (95 % confidence, however "
            f"often one looks): {verdict}."
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON data; NaN as text."""
        fields = {
            name: number_to_json(value) if isinstance(value, float) else value
            for name, value in self._asdict().items()
        }
        return {**fields, "alike": self.alike, "held": self.held}
