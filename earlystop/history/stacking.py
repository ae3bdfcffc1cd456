"""Stacks runs of unequal length into columns, as arrays or ragged, whichever takes less memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .arrays import Ints
from .ragged import new_column

__all__ = ["stacked"]


def stacked(
    names: Iterable[str], runs: Sequence[Mapping[str, tuple[Any, Any]]], lengths: Ints
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of these metrics, NaN where not reported, and masks of their gaps.

    runs: what each reports, by metric: the numbers of epochs, or a range of them, and the values
        there.
    """
    columns = {name: new_column(lengths, np.nan) for name in names}
    gaps = {name: new_column(lengths, fill=True) for name in columns}
    for row, run in enumerate(runs):
        for name, (epochs, values) in run.items():
            if name in columns:
                columns[name][row, epochs] = values
                gaps[name][row, epochs] = False
    return columns, gaps
