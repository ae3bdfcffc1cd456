"""The arguments of `advise`, checked: which promise is requested."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments import argument
from ..errors import RuleError
from ..language.settings import NonNegative, validated
from .guarantee import Guarantee
from .regret_scale import Unit

__all__ = ["requested_guarantee"]

_MOST_RUNS = 1e12  # nobody has more


def requested_guarantee(
    max_regret: Any, confidence: Any, at_most: Any, unit: Any, bound: Any
) -> Guarantee:
    """The requested promise. Raises RuleError or RuleTypeError for impossible ones."""
    max_regret = validated(NonNegative, max_regret, "advise(max_regret=...)")
    confidence = validated(float, confidence, "advise(confidence=...)")
    unit = validated(Unit, unit, "advise(unit=...)")
    for name, value in (("confidence", confidence), ("at_most", at_most)):
        if value is not None and not 0 < validated(float, value, f"advise({name}=...)") < 1:
            which = argument(name, owner="advise")
            raise RuleError(f"{which} must lie between 0 and 1, got {value!r}")
    if unit == "improvement" and max_regret >= 1:
        raise RuleError(
            f"{argument('max_regret', owner='advise')} must be below 1, which is all of a run's "
            f"improvement, got {max_regret!r} (0.01 is 1 %)"
        )
    if at_most is not None:
        return _within_reach(Guarantee(max_regret, np.inf, float(at_most), confidence))
    if max_regret == 0:
        raise RuleError(
            f"{argument('max_regret', owner='advise')}: no number of runs can promise an expected "
            f"regret of 0: ask for more than 0, or, with {argument('at_most', 0.1)}, that at most "
            "10 % of runs lose anything"
        )
    most = _bound(bound, unit, max_regret)
    return _within_reach(Guarantee(max_regret, most, None, confidence, unit == "improvement"))


def _bound(bound: Any, unit: Unit, max_regret: float) -> float:
    """The most that a run can lose: 1 for shares of the improvement, else as given."""
    if unit == "improvement":
        if bound not in (None, 1):
            which = argument("bound", owner="advise")
            raise RuleError(f"{which} is 1 for shares of the improvement, leave it out")
        return 1.0
    if bound is None:
        raise RuleError(
            f"an expected regret in unit {unit!r} can be promised only if it is bounded: pass "
            f"{argument('bound')}, the most that a run can lose; or {argument('at_most', 0.1)} for "
            f"a promise that needs no bound; or {argument('unit', 'improvement')}, where the bound "
            "is 1"
        )
    most = float(validated(NonNegative, bound, "advise(bound=...)"))
    if most <= max_regret:
        raise RuleError(
            f"{argument('bound', owner='advise')}, the most that a run can lose, must be above "
            f"{argument('max_regret', max_regret)}, got {most!r}"
        )
    return most


def _within_reach(guarantee: Guarantee) -> Guarantee:
    """The promise, refused if it takes more runs than anyone has."""
    if guarantee.needed_roughly() > _MOST_RUNS:
        name = "max_regret" if guarantee.at_most is None else "at_most"
        raise RuleError(
            f"{argument(name, guarantee.level, 'advise')}: to promise so little takes more than "
            f"{_MOST_RUNS:.0e} runs: ask for more"
        )
    return guarantee
