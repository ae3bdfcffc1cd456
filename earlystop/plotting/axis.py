"""Axes in the log's own unit: where rows stand along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import RuleError
from ..language.positions import CHECKS, ELAPSED, EPOCH, STEP
from ..language.units import axis_of, unit_words
from ..replaying.position_columns import row_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..history.history import History
    from ..replaying.replay import Replay

__all__ = ["RunAxis", "common_unit", "run_axis", "whole_ticks"]


class RunAxis(NamedTuple):
    """Where the rows of one run stand along an axis.

    at: the position of each row, shape (rows,). name: of the axis. unit: what it counts, None for
        rows.
    """

    at: Any
    name: str
    unit: str | None


def run_axis(history: History, run: int, unit: str, every_row: bool) -> RunAxis:
    """The axis of one run: along the unit, or its log's step, epoch, or rows.

    every_row: whether every row is a check.
    """
    alone = history[[run]]
    names = (STEP, EPOCH) if unit == CHECKS else (unit, STEP, EPOCH)
    for name in names:
        at = row_positions(alone, name)
        if at is None or np.isnan(at).any():
            continue
        divisor, words = axis_of(name, float(at.max(initial=0.0)))
        label = {STEP: "step", EPOCH: "epoch", ELAPSED: f"time ({words})"}
        return RunAxis(at / divisor, label.get(name, words), name)
    numbers = np.arange(int(history.lengths[run]), dtype=np.float64)
    name = "check" if every_row else "row of the log"
    return RunAxis(numbers, f"{name} (the first is 0)", CHECKS if every_row else None)


def whole_ticks(ax: Axes, values: Any) -> None:
    """Ticks at whole numbers, if all values are whole."""
    from matplotlib.ticker import MaxNLocator

    if (np.asarray(values) % 1 == 0).all():
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def common_unit(results: Sequence[Replay]) -> str:
    """The unit of replays that are drawn together. Raises RuleError for several."""
    units = list(dict.fromkeys(result.unit for result in results))
    if len(units) > 1:
        raise RuleError(
            "`plot`: the replays measure cost in several units, "
            f"{', '.join(map(unit_words, units))}: make all of them with one, such as "
            f"replay(..., unit={CHECKS!r})"
        )
    return units[0]
