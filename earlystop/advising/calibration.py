"""`Calibration`: what the candidates did on the logged runs, and which of these count for what.

Rules of one family differ only in one dial, and along it a promise needs no correction (see
`guarantee.py`). Picking the best of several families is another matter. If the promise rested on
the same runs, it would not hold, because luck makes the picked family seem better than it is.

So, for a promise in expectation, the runs are split at random. A third of them selects the
family: the one that is the cheapest there. The others have no part in that, and support the
promise. A promise with confidence needs no split: it is tested for every family, each with its
share of the error, and any family that passes may be taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..rules import Patience
from .candidates import Family
from .exchangeability import serial_dependence
from .findings import Line
from .guarantee import Guarantee
from .logged_runs import LoggedRuns
from .look import Look
from .tallies import Measuring, OfFamily, Split, Tally

__all__ = ["Calibration", "calibrated"]

_SELECTING_SHARE = 1 / 3


class _Tallied(NamedTuple):
    """Tallies of the runs that select, of those that support the promise, and of all runs.

    The losses in `all` are not capped.
    """

    selecting: Tally
    calibrating: Tally
    all: Tally


class Calibration:
    """Families of rules, measured on the logged runs.

    runs: how many runs are usable. logged: how much of the unit of cost these have.
    chose: how many of the runs select the family.
    tallies: one for each family.
    """

    def __init__(
        self,
        look: Look,
        guarantee: Guarantee,
        families: Sequence[Family],
        measured: Sequence[OfFamily],
    ) -> None:
        self.guarantee, self.families = guarantee, list(families)
        self.runs, self.logged = look.usable, look.logged
        self.chose = selecting(self.runs, guarantee, len(families))
        self.tallies = [self._tallied(found) for found in measured]

    def _tallied(self, found: OfFamily) -> _Tallied:
        every = found.selecting.plus(found.calibrating)
        uncapped = found.uncapped if self.guarantee.cap < np.inf else every
        supporting = found.calibrating if self.chose else every
        return _Tallied(found.selecting.tally(), supporting.tally(), uncapped.tally())

    @property
    def paths(self) -> int:
        """The number of families that share the error of a promise with confidence."""
        return max(len(self.families), 1)

    def needed(self) -> int:
        """The number of runs that it takes, those that select the family included."""
        if self.guarantee.at_most is not None:
            return self.guarantee.needed(self.paths)
        runs = needed = self.guarantee.needed()
        # A run more adds at most one run to those that support it, so this ends at the fewest.
        while (short := needed - (runs - selecting(runs, self.guarantee, self.paths))) > 0:
            runs += short
        return runs

    def lines(self) -> Iterator[Line]:
        """The trade-off along each family."""
        for family, tallies in zip(self.families, self.tallies, strict=True):
            used, total, over = tallies.all
            means = (total / self.runs, over / self.runs)
            yield Line(str(family), np.array(family.values), used / self.runs, *means)


def selecting(runs: int, guarantee: Guarantee, families: int) -> int:
    """How many of this number of runs select the family."""
    several = families > 1 and guarantee.at_most is None
    return int(runs * _SELECTING_SHARE) if several else 0


class Calibrated(NamedTuple):
    """The candidates, and plain patience on the same runs for the same promise.

    patience: a plain patience on the metric.
    dependence: how much more alike neighbouring runs are than by chance; see `serial_dependence`.
    """

    candidates: Calibration
    plain: Calibration
    patience: Patience
    dependence: float


def calibrated(
    runs: LoggedRuns,
    look: Look,
    guarantee: Guarantee,
    families: Sequence[Family],
    plain: Sequence[Family],
    patience: Patience,
    seed: int,
) -> Calibrated:
    """Measure families, and plain patience beside them, in one pass over the runs."""
    more = [family for family in plain if family not in families]
    measured = [*families, *more]
    split = Split(seed, look.usable, selecting(look.usable, guarantee, len(families)))
    work = Measuring(measured, guarantee, look.unit, split)
    usable = look.usable_of_parts()
    before = [int(end) - own for end, own in zip(np.cumsum(usable), usable, strict=True)]
    found = runs.total(work, before)
    of_plain = [found.families[measured.index(family)] for family in plain]
    return Calibrated(
        Calibration(look, guarantee, families, found.families[: len(families)]),
        Calibration(look, guarantee, plain, of_plain),
        patience,
        serial_dependence(found.scores),
    )
