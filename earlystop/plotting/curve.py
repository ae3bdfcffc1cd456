"""The picture of one run: what it logged, where each rule stops, and what it keeps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count, number
from ..language.units import amount_in_words
from ..replaying.text import places_of
from .axis import RunAxis, common_unit, run_axis, whole_ticks
from .findings import run_finding
from .shared import watched_metric, with_styles
from .style import (
    FAINT,
    LARGEST,
    LOGGED,
    LineStyle,
    draw_metric,
    legend_below,
    mark_stop,
    plain,
    scale_values,
    star,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..history.history import History
    from ..replaying.replay import Replay

__all__ = ["draw_curve"]


def draw_curve(
    ax: Axes, results: Sequence[Replay], names: list[str], row: int, metrics: Sequence[str]
) -> None:
    """Draw one run: what it logged, its best, and where each rule stops and what it keeps."""
    history = results[0].history
    every_row = all(result.replayed.rows is None for result in results)
    axis = run_axis(history, row, common_unit(results), every_row)
    monitors = [name for name in dict.fromkeys(map(watched_metric, results)) if name is not None]
    drawn = list(dict.fromkeys([*(monitors or list(history.metrics)[:1]), *metrics]))
    history.require(metrics, "`plot(metrics=...)`")
    greys = itertools.cycle([(LOGGED, "-"), (FAINT, "-"), (FAINT, "--"), (FAINT, ":")])
    for name, (color, dashes) in zip(drawn, greys, strict=False):
        values, reported = _logged(history, name, row)
        draw_metric(ax, values, reported, at=axis.at, label=name, color=color, ls=dashes)
    _best_of_log(ax, results, row, axis)
    stops = 0
    for index, (result, name, style) in enumerate(with_styles(results, names)):
        _draw_rule(ax, result, name, style, row, axis, stops, index)
        stops += int(result.stopped[row])
    if len(results) == 1 and results[0].stopped[row]:
        end, last = axis.at[results[0].end_index[row]], axis.at[-1]
        if end < last:
            ax.axvspan(end, last, color="#eeeeee", lw=0, label="not run")
    values = [values[reported] for values, reported in (_logged(history, n, row) for n in drawn)]
    modes = {best.mode for result in results if (best := result.best_rule) is not None}
    scale_values(ax, np.concatenate(values), falls="max" not in modes)
    _scale_run(ax, axis)
    ax.set_ylabel(plain(", ".join(drawn), 50))
    logged = _logged_text(results, row, axis)
    title(ax, run_finding(results, names, row, logged), pad=10 + 9 * stops)
    legend_below(ax)


def _scale_run(ax: Axes, axis: RunAxis) -> None:
    """Scale the axis of one run, with a margin of at least half the distance between rows."""
    whole_ticks(ax, axis.at)
    low, high = (float(axis.at.min()), float(axis.at.max())) if len(axis.at) else (0.0, 0.0)
    margin = max(0.5 * (high - low) / max(len(axis.at) - 1, 1), 0.02 * (high - low)) or 0.5
    ax.set_xlim(low - margin, high + margin)
    ax.set_xlabel(plain(axis.name, 50))


def _logged_text(results: Sequence[Replay], row: int, axis: RunAxis) -> str:
    """How much of the unit of the axis the checks of a run take."""
    result = results[0]
    if axis.unit is None:
        return count(int(result.replayed.history.lengths[row]), "check")
    checks = result.replayed.history.lengths[[row]]
    amount = result.replayed.positions.amount(axis.unit, checks, [row])[0]
    return plain(amount_in_words(float(amount), axis.unit), 60)


def _logged(history: History, name: str, row: int) -> tuple[Any, Any]:
    """The values of a run, and a boolean mask of those that were reported."""
    length = int(history.lengths[row])
    values = history.values(name)[row, :length].astype(np.float64)
    gaps = history.gaps(name)
    return values, np.ones(length, dtype=bool) if gaps is None else ~gaps[row, :length]


def _best_of_log(ax: Axes, results: Sequence[Replay], row: int, axis: RunAxis) -> None:
    """Mark the best value of the log with a star, once for each metric that is watched."""
    seen = set()
    for result in results:
        if result.best_rule is None or result.best_rule.monitor in seen:
            continue
        seen.add(result.best_rule.monitor)
        whole = result.whole_log
        index, value = int(whole.saved_index[row]), float(whole.best[row])
        if index >= 0 and math.isfinite(value):
            place = _place(whole, whole.saved_check, row)
            label = f"best of the log: {place}, {number(value)}"
            at = float(axis.at[index])
            star(ax, at, float(np.clip(value, -LARGEST, LARGEST)), plain(label, 90), 13, zorder=4)


def _draw_rule(
    ax: Axes,
    result: Replay,
    name: str,
    style: LineStyle,
    row: int,
    axis: RunAxis,
    level: int,
    index: int,
) -> None:
    """Draw where a rule stops and what it keeps, with one line in the legend."""
    kept = int(result.saved_index[row])
    value = float(result.best[row]) if result.best_rule is not None else math.nan
    label = f"{name}: {_rule_text(result, row)}"
    ax.plot([], [], color=style.color, ls=style.dashes, marker=style.marker, lw=1.3, label=label)
    if result.stopped[row]:
        mark_stop(ax, float(axis.at[result.end_index[row]]), style, level, label="_line")
    if kept >= 0 and math.isfinite(value):
        ax.plot(
            [axis.at[kept]],
            [np.clip(value, -LARGEST, LARGEST)],
            style.marker,
            color=style.color,
            mfc="none",
            mew=1.6,
            ms=9 + 4 * index,  # markers of rules that keep the same check surround one another
            zorder=5,
            label="_kept",
        )


def _rule_text(result: Replay, row: int) -> str:
    """What a rule did to a run, in words."""
    kept = int(result.saved_check[row])
    text = "does not stop"
    if result.stopped[row]:
        text = f"stops after {_place(result, result.checks - 1, row)}"
    if kept >= 0:
        text += f", keeps {_place(result, result.saved_check, row)}"
    if result.best_rule is not None:
        if kept >= 0:
            text += f" ({number(float(result.best[row]))})"
        if result.regret[row] > 0:
            text += f", regret {number(float(result.regret[row]))}"
    return text


def _place(result: Replay, checks: Any, row: int) -> str:
    """Where one check of a run stands; `checks` has one of each run."""
    return places_of(result.replayed.positions, checks[[row]], [row])[0]
