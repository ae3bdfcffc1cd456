"""What the advised rule, and others beside it, would have done on the logged runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..replaying.binned import Binned
from ..replaying.exact_sum import ExactSums
from ..rules import Never, Patience
from .calibration import Calibrated
from .candidates import Family
from .counts import Counts
from .findings import Outcome
from .guarantee import Guarantee
from .logged_runs import LoggedRuns
from .look import Look
from .measured import Measured
from .regret_scale import Floats
from .selection import select, select_without_guarantee
from .truncation import Truncation

__all__ = ["USUAL_PATIENCES", "Outcomes", "outcomes_of"]

USUAL_PATIENCES = (5, 10, 20)
_APART = 2**16  # different losses that are told apart exactly


class _Amounts:
    """How much there is of something on all runs; that on other runs can be added."""

    def __init__(self, amounts: Floats) -> None:
        infinite = np.isinf(amounts)
        self._infinite, self._sum = int(np.count_nonzero(infinite)), ExactSums(1)
        self._sum.add(0, amounts[~infinite])

    def merge(self, other: _Amounts) -> None:
        """Add other runs."""
        self._infinite += other._infinite
        self._sum.merge(other._sum, np.array([0]))

    def mean(self, runs: int = 1) -> float:
        """The sum divided by the number of runs, rounded once."""
        return np.inf if self._infinite else float(self._sum.means(np.array([runs]))[0])


class _Found:
    """What one rule does on runs; what it does on others can be added.

    distribution: of what runs lose. checks: after how many checks runs end.
    over: how many lose more than requested. beyond: how many lose more than the bound.
    """

    def __init__(self, guarantee: Guarantee, lost: Floats, used: Floats, checks: Counts) -> None:
        self.lost, self.used = _Amounts(lost), _Amounts(used)
        self.capped = _Amounts(np.minimum(lost, guarantee.bound))
        self.over = int(np.count_nonzero(lost > guarantee.max_regret))
        self.beyond = int(np.count_nonzero(lost > guarantee.bound))
        self.distribution, self.checks = Binned(_APART), checks
        self.distribution.add(lost)

    def merge(self, other: _Found) -> None:
        """Add other runs."""
        for mine, others in (
            (self.lost, other.lost),
            (self.used, other.used),
            (self.capped, other.capped),
        ):
            mine.merge(others)
        self.over += other.over
        self.beyond += other.beyond
        self.distribution.merge(other.distribution)
        self.checks = self.checks.plus(other.checks)

    def outcome(self, rule: Any, look: Look) -> Outcome:
        """The outcome of the rule on all usable runs."""
        runs = look.usable
        saved = 1 - self.used.mean() / (look.logged or 1)
        return Outcome(rule, self.lost.mean(runs), self.over / runs, self.used.mean(runs), saved)


class _FoundAll:
    """What several rules do."""

    def __init__(self, found: list[_Found]) -> None:
        self.found = found

    def merge(self, other: _FoundAll) -> None:
        """Add other runs."""
        for mine, others in zip(self.found, other.found, strict=True):
            mine.merge(others)


@dataclass(frozen=True)
class _Finding:
    """Finds what the rules of some families do on a part of the runs. unit: that of cost."""

    families: Sequence[Family]
    guarantee: Guarantee
    unit: str

    def __call__(self, measured: Measured, told: None) -> _FoundAll:
        usable, cost = measured.scale.usable, measured.cost(self.unit)
        found = []
        for family in self.families:
            table = measured.swept(family)
            for regret, checks in zip(table.regret, table.checks, strict=True):
                lost = measured.scale.lost(regret, slice(0, len(usable)))[usable]
                used, ends = cost.of(checks)[usable], Counts.of(checks[usable])
                found.append(_Found(self.guarantee, lost, used, ends))
        return _FoundAll(found)


class Outcomes(NamedTuple):
    """What the advice, and others beside it, would have done.

    advised: the advised rule. plain: the cheapest plain patience of which the same can be promised;
        None where there is none, and where the advice is one.
    unpromised: without a promise, the cheapest rule that lost no more than requested.
    usual: the usual choices of patience.
    quantiles: of what runs lose by the advice, as far as `Binned` tells them apart.
    checks: after how many checks the advice ends runs.
    beyond: how many of them lose more than the bound. capped: the mean of what they lose, where
        those count as losing just that.
    """

    advised: Outcome
    plain: Outcome | None
    unpromised: Outcome | None
    usual: tuple[Outcome, ...]
    quantiles: dict[str, float]
    checks: Counts
    beyond: int
    capped: float


def outcomes_of(
    runs: LoggedRuns,
    look: Look,
    calibrated: Calibrated,
    selected: Family | None,
    truncation: Truncation | None,
) -> Outcomes:
    """Find them all, in one pass over the runs.

    selected: the rule that is advised; None is to stop as the logs were stopped, or to train to the
        end.
    """
    guarantee = calibrated.candidates.guarantee
    advised = selected
    if advised is None and truncation is not None:
        advised = Family(truncation.rule, (), (truncation.rule.patience,))
    plain = _same_promise(calibrated, selected)
    unpromised = select_without_guarantee(calibrated.candidates) if selected is None else None
    usual = _usual(calibrated, truncation)
    families = [family for family in (advised, plain, unpromised, usual) if family is not None]
    work = _Finding(families, guarantee, look.unit)
    found = iter(runs.total(work).found if families else [])
    by_family = {id(family): [next(found) for _ in family.values] for family in families}

    def outcomes(family: Family | None) -> list[Outcome]:
        many = enumerate(by_family.get(id(family), []))
        return [one.outcome(family.member(number), look) for number, one in many if family]

    if advised is None:
        own = _Found(guarantee, np.zeros(1), np.zeros(1), look.lengths)
        first = Outcome(Never(), 0.0, 0.0, look.logged / look.usable, 0.0)
    else:
        own, first = by_family[id(advised)][0], outcomes(advised)[0]
    return Outcomes(
        first,
        next(iter(outcomes(plain)), None),
        next(iter(outcomes(unpromised)), None),
        tuple(outcomes(usual)),
        _quantiles(own.distribution),
        own.checks,
        own.beyond,
        own.capped.mean(look.usable),
    )


def _quantiles(distribution: Binned) -> dict[str, float]:
    """What runs lose: quantiles that some run did lose."""
    shares = {"median": 0.5, "0.9": 0.9, "0.95": 0.95, "max": 1.0}
    return {name: distribution.at_least(share) for name, share in shares.items()}


def _same_promise(calibrated: Calibrated, selected: Family | None) -> Family | None:
    plain = calibrated.plain
    own = None if selected is None else selected.rule
    if not plain.families:
        return None
    if type(own) is Patience and own.replace(patience=0) == plain.families[0].rule:
        return None
    return select(plain)


def _usual(calibrated: Calibrated, truncation: Truncation | None) -> Family | None:
    """The usual choices of patience; None if logs that were stopped early allow for none."""
    longest = max(USUAL_PATIENCES) if truncation is None else truncation.rule.patience
    usual = tuple(patience for patience in USUAL_PATIENCES if patience <= longest)
    return Family(calibrated.patience, (), usual) if usual else None
