"""What the advised rule, and others beside it, would have done on the logged runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..rules import Never, Patience
from .calibration import Calibration
from .candidates import Family
from .findings import Outcome
from .regret_scale import Floats
from .selection import select, select_without_guarantee
from .truncation import Truncation

__all__ = [
    "USUAL_PATIENCES",
    "Detailed",
    "outcome_of_advice",
    "same_promise",
    "usual_outcomes",
    "without_promise",
]

USUAL_PATIENCES = (5, 10, 20)


class Detailed(NamedTuple):
    """An outcome, and that of each usable run: arrays of shape (runs,).

    lost: what it loses. checks: after how many checks it ends.
    """

    outcome: Outcome
    lost: Floats
    checks: npt.NDArray[np.int64]

    def quantiles(self) -> dict[str, float]:
        """Quantiles of what runs lose; each is what some run did lose."""
        shares = {"median": 0.5, "0.9": 0.9, "0.95": 0.95, "max": 1.0}
        return {
            name: float(np.quantile(self.lost, share, method="higher"))
            for name, share in shares.items()
        }


def outcome_of_advice(
    calibration: Calibration, selected: Family | None, truncation: Truncation | None
) -> Detailed:
    """What the advised rule would have done.

    If no rule was selected, the advice is to stop as the logs were stopped, or to train to the end.
    """
    if selected is None and truncation is not None:
        selected = Family(truncation.rule, (), (truncation.rule.patience,))
    if selected is None:
        whole = Outcome(Never(), 0.0, 0.0, calibration.logged / calibration.runs, 0.0)
        lengths = calibration.history.lengths[calibration.usable]
        return Detailed(whole, np.zeros(calibration.runs), lengths)
    return _outcomes(calibration, selected)[0]


def without_promise(calibration: Calibration) -> Outcome | None:
    """What the cheapest rule that lost no more than requested on these runs would have done."""
    family = select_without_guarantee(calibration)
    return None if family is None else _outcomes(calibration, family)[0].outcome


def same_promise(
    calibration: Calibration, selected: Family | None, plain: list[Family]
) -> Outcome | None:
    """What the cheapest plain patience with the same promise would have done.

    selected: the advice. plain: the family of plain patience.

    None if there is none, or if the advice is a plain patience itself.
    """
    own = None if selected is None else selected.rule
    if not plain or (type(own) is Patience and own.replace(patience=0) == plain[0].rule):
        return None
    family = select(calibration.of_others(plain))
    return None if family is None else _outcomes(calibration, family)[0].outcome


def usual_outcomes(calibration: Calibration, truncation: Truncation | None) -> tuple[Outcome, ...]:
    """What the usual choices of patience would have done."""
    usual = tuple(p for p in USUAL_PATIENCES if truncation is None or p <= truncation.rule.patience)
    if not usual:
        return ()
    plain = Patience(calibration.save.monitor, mode=calibration.save.mode)
    return tuple(each.outcome for each in _outcomes(calibration, Family(plain, (), usual)))


def _outcomes(calibration: Calibration, family: Family) -> list[Detailed]:
    """What each rule of a family would have done."""
    outcomes = []
    for number, (lost, used, checks) in enumerate(calibration.losses(family)):
        over = float((lost > calibration.guarantee.max_regret).mean())
        saved = 1 - used.sum() / (calibration.logged or 1)
        rule = family.member(number)
        outcome = Outcome(rule, float(lost.mean()), over, float(used.mean()), float(saved))
        outcomes.append(Detailed(outcome, lost, checks))
    return outcomes
