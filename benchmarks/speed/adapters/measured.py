"""What is measured: a case, with ours and its rivals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["NEVER", "Case", "measured"]

NEVER = 10**6  # a patience that no run uses up


class Case(NamedTuple):
    """What is measured, who does it, and how often each run is made.

    runs: by name, first ours. A run returns the seconds of each epoch, or of an average check.
    """

    what: str
    runs: Mapping[str, Callable[[], list[float]]]
    repeats: int


def measured(cases: Iterable[Case]) -> dict[tuple[str, str], npt.NDArray[np.float64]]:
    """The seconds of each epoch, the fastest of all repeats, by case and by whose run it is.

    The runs of a case take turns, forwards and backwards.
    """
    found = {}
    for case in cases:
        for name, run in case.runs.items():
            found[case.what, name] = np.array(run())
        for repeat in range(1, case.repeats):
            for name in list(case.runs)[:: -1 if repeat % 2 else 1]:
                before = found[case.what, name]
                found[case.what, name] = np.minimum(before, case.runs[name]())
    return found
