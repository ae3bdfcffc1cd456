"""Stacks runs of unequal length into columns, as arrays or ragged, whichever takes less memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .arrays import Ints
from .ragged import new_column

__all__ = ["stacked"]


def stacked(
    names: Iterable[str],
    runs: Sequence[Mapping[str, tuple[Any, Any]]],
    lengths: Ints,
    *,
    owned: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of these metrics, NaN where not reported, and masks of their gaps.

    Of one run, a metric that all epochs report has no mask.

    runs: what each reports, by metric: the numbers of epochs, in ascending order, or a range of
        them, and the values there.
    owned: whether arrays of values may become columns as they are, rather than be copied.
    """
    if len(runs) == 1:
        return _columns_of_one(names, runs[0], int(lengths[0]), owned)
    columns = {name: new_column(lengths, np.nan) for name in names}
    gaps = {name: new_column(lengths, fill=True) for name in columns}
    for row, run in enumerate(runs):
        for name, (epochs, values) in run.items():
            if name in columns:
                columns[name][row, epochs] = values
                gaps[name][row, epochs] = False
    return columns, gaps


def _columns_of_one(
    names: Iterable[str], run: Mapping[str, tuple[Any, Any]], length: int, owned: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    columns, gaps = {}, {}
    for name in names:
        epochs, values = run.get(name, (slice(0), ()))
        if owned and len(values) == length:
            columns[name] = values[None]
            continue
        column, gap = np.full((1, length), np.nan), np.ones((1, length), np.bool_)
        column[0, epochs], gap[0, epochs] = values, False
        columns[name], gaps[name] = column, gap
    return columns, gaps
