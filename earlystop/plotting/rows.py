"""The picture of some runs: a row for each, with what it uses and its regret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count, distinct_names
from ..language.units import axis_of
from .axis import common_unit
from .findings import regret_finding, used_finding
from .shared import scale_regret, watched_metric, with_styles
from .style import (
    FAINT,
    LARGEST,
    LineStyle,
    legend_below,
    plain,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..replaying.replay import Replay

__all__ = ["chosen_rows", "draw_rows"]

_MOST = 60  # rows of a picture


def chosen_rows(results: Sequence[Replay]) -> Any:
    """The numbers of the runs that have a row: all, or, of many, those that give up the most."""
    history = results[0].history
    lost = [result.regret for result in results if result.best_rule is not None]
    if history.runs <= _MOST or not lost:
        return np.arange(min(history.runs, _MOST))
    worst = np.max([np.where(np.isnan(each), -1.0, each) for each in lost], axis=0)
    return np.sort(np.argsort(-worst, kind="stable")[:_MOST])


def draw_rows(axes: list[Axes], results: Sequence[Replay], names: list[str], chosen: Any) -> None:
    """Draw a row for each run: how long it was, where each rule stops, what is kept and given up.

    axes: one for what runs use, and maybe one for regrets. chosen: the numbers of the runs.
    """
    history = results[0].history
    rows = np.arange(len(chosen), dtype=float)
    unit = common_unit(results)
    logged = _largest([result.logged for result in results])[chosen]
    divisor, words = axis_of(unit, float(logged.max(initial=0.0)))
    words = plain(words, 40)
    axes[0].barh(rows, logged / divisor, height=0.75, color="#e4e4e4", label=f"{words} logged")
    step = 0.7 / len(results)
    for index, (result, name, style) in enumerate(with_styles(results, names)):
        heights = rows + (index - (len(results) - 1) / 2) * step
        _draw_rule(axes, result, name, style, heights, divisor, chosen)
    if any((result.saved_check >= 0).any() for result in results):
        axes[0].plot([], [], "|", color="#606060", ms=9, mew=2, label="where the best is kept")
    short = distinct_names(history.names, 38)
    axes[0].set_yticks(rows, [plain(short[run], 40) for run in chosen], fontsize=8)
    _use_axis(axes[0], logged / divisor, words)
    which = count(history.runs, "run")
    if len(chosen) < history.runs:
        which = f"{len(chosen)} of {which}, those that give up the most"
    axes[0].set_ylabel(which)
    title(axes[0], used_finding(results, names))
    legend_below(axes[0])
    if len(axes) > 1:
        _regret_axis(axes[1], results)


def _largest(amounts: Sequence[Any]) -> Any:
    """The largest amount of each run; 0 where none is known."""
    return np.nan_to_num(np.max([np.nan_to_num(each) for each in amounts], axis=0))


def _draw_rule(
    axes: list[Axes],
    result: Replay,
    name: str,
    style: LineStyle,
    heights: Any,
    divisor: float,
    chosen: Any,
) -> None:
    """Draw where a rule stops each run, what it keeps, and what that gives up."""
    stopped, saved = result.stopped[chosen], result.saved_check[chosen] >= 0
    end = np.asarray(result.used / divisor)[chosen]
    kept = result.replayed.positions.amount(result.unit, result.saved_check + 1)[chosen] / divisor
    axes[0].hlines(heights, 0, end, color=style.color, lw=1.2, label="_used")
    axes[0].plot(
        end[stopped],
        heights[stopped],
        style.marker,
        color=style.color,
        ms=6,
        label=f"{name}: stops {int(result.stopped.sum()):,} of {count(len(result), 'run')}",
    )
    if len(axes) > 1 and result.best_rule is not None:
        regret = result.regret[chosen]
        finite = np.isfinite(regret)
        axes[1].plot(
            np.clip(regret[finite], 0, LARGEST),
            heights[finite],
            style.marker,
            color=style.color,
            ms=6,
            ls="none",
            label=f"{name}: regret",
        )
    axes[0].plot(
        kept[saved],
        heights[saved],
        "|",
        color=style.color,
        ms=9,
        mew=2,
        label="_kept",
    )


def _use_axis(ax: Axes, logged: Any, words: str) -> None:
    """Put the first run on top; a logarithmic axis if the longest run would hide the others."""
    ax.set_ylim(len(logged) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(words)
    longest = float(logged.max())
    usual = max(float(np.median(logged)), 1.0)
    if longest > 50 * usual:
        ax.set_xscale("symlog", linthresh=usual)
    ax.set_xlim(0, (longest or 1) * 1.03)


def _regret_axis(ax: Axes, results: Sequence[Replay]) -> None:
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", left=False)
    ax.axvline(0, color=FAINT, lw=0.8)
    scale_regret(ax, results)
    ax.set_xlabel(plain(f"regret ({watched_metric(results[0])})", 50))
    title(ax, regret_finding(results))
