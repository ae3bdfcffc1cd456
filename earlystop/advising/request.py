"""The arguments of `advise`, checked: which guarantee is requested."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import RuleError
from ..language.settings import NonNegative, validated
from .guarantee import Guarantee
from .regret_scale import Unit

__all__ = ["requested_guarantee"]

_MOST_RUNS = 1e12  # no one has more


def requested_guarantee(
    max_regret: Any, confidence: Any, at_most: Any, unit: Any, bound: Any
) -> Guarantee:
    """The requested guarantee. Raises RuleError or RuleTypeError for impossible ones."""
    owner = "advise(max_regret=...)"
    max_regret = validated(NonNegative, max_regret, owner)
    confidence = validated(float, confidence, "advise(confidence=...)")
    unit = validated(Unit, unit, "advise(unit=...)")
    for name, value in (("confidence", confidence), ("at_most", at_most)):
        if value is not None and not 0 < validated(float, value, f"advise({name}=...)") < 1:
            raise RuleError(f"`advise({name}=...)` must lie between 0 and 1, got {value!r}")
    if unit == "improvement" and max_regret >= 1:
        raise RuleError(
            f"`{owner}` must be below 1, which is all of a run's improvement, got {max_regret!r} "
            "(0.01 is 1 %)"
        )
    if at_most is not None:
        return _within_reach(Guarantee(max_regret, np.inf, float(at_most), confidence))
    if max_regret == 0:
        raise RuleError(
            f"`{owner}`: no number of runs can promise an expected regret of 0: ask for more than "
            "0, or, with at_most=0.1, that at most 10 % of runs lose anything"
        )
    if unit == "improvement":
        if bound not in (None, 1):
            raise RuleError("`advise(bound=...)` is 1 for shares of the improvement, leave it out")
        return _within_reach(Guarantee(max_regret, 1.0, None, confidence))
    if bound is None:
        raise RuleError(
            f"an expected regret in unit {unit!r} can be promised only if it is bounded: pass "
            "bound=, the most that a run can lose; or at_most=0.1 for a promise that needs no "
            'bound; or unit="improvement", where the bound is 1'
        )
    bound = validated(NonNegative, bound, "advise(bound=...)")
    if bound <= max_regret:
        raise RuleError(
            f"`advise(bound=...)`, the most that a run can lose, must be above max_regret "
            f"{max_regret!r}, got {bound!r}"
        )
    return _within_reach(Guarantee(max_regret, bound, None, confidence))


def _within_reach(promise: Guarantee) -> Guarantee:
    if promise.roughly() > _MOST_RUNS:
        argument = f"max_regret={promise.max_regret!r}"
        if promise.at_most is not None:
            argument = f"at_most={promise.at_most!r}"
        raise RuleError(
            f"`advise({argument})`: to promise so little takes more than {_MOST_RUNS:.0e} runs: "
            "ask for more"
        )
    return promise
