"""Why Lightning's arguments stopped a fit: which of them, as Lightning names it, and in words."""

from __future__ import annotations

import math
from typing import Any

from earlystop.language.ops import better

__all__ = ["KINDS", "why"]

KINDS = (
    *("NOT_STOPPED", "STOPPING_THRESHOLD", "DIVERGENCE_THRESHOLD", "PATIENCE_EXHAUSTED"),
    *("NON_FINITE_METRIC",),
)
"""The names of Lightning's `EarlyStoppingReason`."""


def why(arguments: Any, reason: str, value: float) -> tuple[str, str]:
    """The name of Lightning's reason, and the reason in words.

    arguments: what has Lightning's arguments as attributes. reason: that of the rules.
    value: of the metric, where the fit was stopped.
    """
    target, limit = arguments.stopping_threshold, arguments.divergence_threshold
    if arguments.check_finite and not math.isfinite(value):
        return "NON_FINITE_METRIC", reason
    if target is not None and better(value, target, arguments.mode):
        return "STOPPING_THRESHOLD", reason
    if limit is not None and better(limit, value, arguments.mode):
        return "DIVERGENCE_THRESHOLD", reason
    return "PATIENCE_EXHAUSTED", reason
