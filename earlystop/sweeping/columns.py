"""`Column`: what one setting of a sweep did on some runs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..history import Bools

__all__ = ["Column", "empty_columns"]


class Column(NamedTuple):
    """What a setting did; arrays of shape (runs,).

    checks: the checks used.
    stopped: whether the rule ended the run, rather than the end of its log.
    best_check: the best check up to then, -1 for none.
    best: its value, NaN for none.
    regret: how much worse it is than the best of the whole log.
    """

    checks: npt.NDArray[Any]
    stopped: Bools
    best_check: npt.NDArray[Any]
    best: npt.NDArray[np.float64]
    regret: npt.NDArray[np.float64]


def empty_columns(settings: int, runs: int) -> Column:
    """Uninitialised columns of all settings, stacked: arrays of shape (settings, runs)."""
    types = ("int64", "bool", "int64", "float64", "float64")
    return Column(*(np.empty((settings, runs), dtype) for dtype in types))
