"""What runs cost: in steps, epochs, hours or checks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..history.history import History
from ..replaying.checks import Checks
from .regret_scale import Floats

__all__ = ["Cost"]


class Cost(NamedTuple):
    """The unit in which the cost of runs is measured, and how much they cost.

    checks: the checks of the logs.
    unit: "checks", "epoch", "step", "elapsed_seconds", or a metric.
    """

    checks: Checks
    unit: str

    @property
    def history(self) -> History:
        """The history of the checks alone."""
        return self.checks.history

    def of(self, checks: Any, runs: Any = slice(None)) -> Floats:
        """What a number of checks of some runs costs, shape (runs,)."""
        amounts = self.checks.positions.amount(self.unit, np.asarray(checks, np.int64), runs)
        return np.asarray(amounts, dtype=np.float64)
