"""The picture of one run: what it logged, where each rule stops, and what it keeps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count, number
from ..rules import Best
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
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..history.history import History
    from ..replaying.replay import Replay

__all__ = ["draw_curve"]


def draw_curve(
    ax: Axes, results: Sequence[Replay], names: list[str], row: int, metrics: Sequence[str]
) -> None:
    """One run: what it logged, its best, and where each rule stops and what it keeps."""
    history = results[0].history
    length = int(history.lengths[row])
    monitors = [name for name in dict.fromkeys(map(watched_metric, results)) if name is not None]
    drawn = list(dict.fromkeys([*(monitors or list(history.metrics)[:1]), *metrics]))
    history.require(metrics, "`plot(metrics=...)`")
    greys = itertools.cycle([(LOGGED, "-"), (FAINT, "-"), (FAINT, "--"), (FAINT, ":")])
    for name, (color, dashes) in zip(drawn, greys, strict=False):
        draw_metric(ax, *_logged(history, name, row), label=name, color=color, ls=dashes)
    _best_of_log(ax, results, row)
    stops = 0
    for index, (result, name, style) in enumerate(with_styles(results, names)):
        _draw_rule(ax, result, name, style, row, stops, index)
        stops += int(result.stopped[row])
    if len(results) == 1 and results[0].stopped[row] and results[0].end_index[row] < length - 1:
        end = results[0].end_index[row]
        ax.axvspan(end, length - 1, color="#eeeeee", lw=0, label="not run")
    values = [values[reported] for values, reported in (_logged(history, n, row) for n in drawn)]
    modes = {result.save.mode for result in results if isinstance(result.save, Best)}
    scale_values(ax, np.concatenate(values), falls="max" not in modes)
    unit = "row" if any(result.checks.rows is not None for result in results) else "epoch"
    _epoch_axis(ax, length, unit)
    ax.set_ylabel(plain(", ".join(drawn), 50))
    title = f"{plain(history.names[row])}: {count(length, unit)} logged"
    ax.set_title(title, loc="left", pad=10 + 9 * stops)
    legend_below(ax)


def _epoch_axis(ax: Axes, length: int, unit: str) -> None:
    """An axis of whole epochs, or of rows."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    margin = max(0.5, 0.02 * length)
    ax.set_xlim(-margin, max(length, 1) - 1 + margin)
    ax.set_xlabel(f"{unit}{' of the log' if unit == 'row' else ''} (the first is 0)")


def _logged(history: History, name: str, row: int) -> tuple[Any, Any]:
    """The values of a run, and a boolean mask of those that were reported."""
    length = int(history.lengths[row])
    values = history.values(name)[row, :length].astype(np.float64)
    gaps = history.gaps(name)
    return values, np.ones(length, dtype=bool) if gaps is None else ~gaps[row, :length]


def _best_of_log(ax: Axes, results: Sequence[Replay], row: int) -> None:
    """A star for the best value of the log, once for each metric that is watched."""
    seen = set()
    for result in results:
        if not isinstance(result.save, Best) or result.save.monitor in seen:
            continue
        seen.add(result.save.monitor)
        whole = result.whole_log
        epoch, value = int(whole.saved_epoch[row]), float(whole.best[row])
        if epoch >= 0 and math.isfinite(value):
            label = f"best of the log: {_unit(result)} {epoch}, {number(value)}"
            at = int(whole.saved_index[row])
            star(ax, at, float(np.clip(value, -LARGEST, LARGEST)), plain(label, 90), 13, zorder=4)


def _draw_rule(
    ax: Axes, result: Replay, name: str, style: LineStyle, row: int, level: int, index: int
) -> None:
    """Where a rule stops and what it keeps, with one line in the legend."""
    kept = int(result.saved_index[row])
    value = float(result.best[row]) if isinstance(result.save, Best) else math.nan
    label = f"{name}: {_rule_text(result, row)}"
    ax.plot([], [], color=style.color, ls=style.dashes, marker=style.marker, lw=1.3, label=label)
    if result.stopped[row]:
        mark_stop(ax, int(result.end_index[row]), style, level, label="_line")
    if kept >= 0 and math.isfinite(value):
        ax.plot(
            [kept],
            [np.clip(value, -LARGEST, LARGEST)],
            style.marker,
            color=style.color,
            mfc="none",
            mew=1.6,
            ms=9 + 4 * index,  # markers of rules that keep the same epoch surround one another
            zorder=5,
            label="_kept",
        )


def _rule_text(result: Replay, row: int) -> str:
    """What a rule did to a run, in words."""
    kept = int(result.saved_epoch[row])
    stopped = bool(result.stopped[row])
    text = (
        f"stops after {_unit(result)} {int(result.epochs[row]) - 1}" if stopped else "does not stop"
    )
    if kept >= 0:
        text += f", keeps {_unit(result)} {kept}"
    if isinstance(result.save, Best):
        if kept >= 0:
            text += f" ({number(float(result.best[row]))})"
        if result.regret[row] > 0:
            text += f", regret {number(float(result.regret[row]))}"
    return text


def _unit(result: Replay) -> str:
    """What the numbers of a replay count."""
    return "epoch" if result.checks.rows is None else "check"
