"""The picture of a sweep: the trade-off between what runs use and regret."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count, number
from ..errors import RuleError
from ..language.positions import ELAPSED
from ..language.units import axis_of, mean_cell, unit_words
from .findings import sweep_finding
from .style import (
    FAINT,
    LARGEST,
    LINE_STYLES,
    LOGGED,
    LineStyle,
    axes_for,
    legend_below,
    linear_limit,
    plain,
    star,
    styled,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..sweeping.sweep import Sweep

__all__ = ["plot_sweep"]


def plot_sweep(
    table: Sweep, *, band: tuple[float, float] | None = (0.1, 0.9), ax: Any = None
) -> Figure:
    """The trade-off between what runs use and regret; see `Sweep.plot`."""
    if band is not None and not (len(band) == 2 and 0 <= band[0] < band[1] <= 1):
        raise RuleError(f"`plot(band=...)` must be two rising quantiles or None, got {band!r}")
    with styled():
        figure, (axes,) = axes_for(ax, 1, (8.0, 5.6))
        _trade_off(axes, table, band)
    return figure


def _trade_off(ax: Axes, table: Sweep, band: tuple[float, float] | None) -> None:
    lines = _lines(table)
    used, words = _used(table)
    regret = np.clip(table.mean_regret, 0, LARGEST)
    if len(lines) > len(LINE_STYLES):  # too many to distinguish
        ax.plot(used, regret, ".", color=FAINT, ms=4, label=f"{count(len(table), 'setting')}")
        front = _front(used, regret)
        lines = {f"of the {count(len(front), 'setting')} that no other beats": front}
    edges = None if band is None else [table.quantile_regret(q) for q in band]
    for (name, indices), style in zip(lines.items(), LINE_STYLES, strict=False):
        finite = [index for index in indices if math.isfinite(table.mean_regret[index])]
        _line(ax, table, finite, style, name)
        if band is not None and edges is not None:
            _band(ax, table, finite, style, band, edges, alone=len(lines) == 1)
    if band is not None and len(lines) > 1:
        ax.plot([], [], color=FAINT, lw=0.8, label=f"thin: {band[1]:.0%} of runs have no more")
    _annotate(ax, table, _along(table), next(iter(lines.values())))
    _scale_regret(ax, regret[np.isfinite(table.mean_regret)])
    ax.set_xlabel(f"mean {plain(words, 40)} used")
    ax.set_xlim(left=0)
    ax.set_ylabel(plain(f"regret ({', '.join(table.monitors)})", 50))
    left_out = int((~np.isfinite(table.mean_regret)).sum())
    note = f"; {left_out:,} with an infinite regret left out" if left_out else ""
    settings, runs = count(len(table), "setting"), count(table.runs, "run")
    title(ax, sweep_finding(table), f"{settings} on {runs}{note}")
    _share_axis(ax, table)
    legend_below(ax)


def _used(table: Sweep) -> tuple[Any, str]:
    """What each setting uses on average, as the axis shows it, and what that counts."""
    divisor, words = axis_of(table.unit, float(table.mean_used.max(initial=0.0)))
    return table.mean_used / divisor, words


def _along(table: Sweep) -> str:
    """The axis of the grid that lines follow: the one with the most values."""
    axes = table.settings[0]
    return max(axes, key=lambda name: len({repr(setting[name]) for setting in table.settings}))


def _lines(table: Sweep) -> dict[str, list[int]]:
    """The indices of the settings of each line: they differ in one axis only."""
    along = _along(table)
    lines: dict[str, list[int]] = {}
    for index, setting in enumerate(table.settings):
        others = ", ".join(f"{n}={_value(v)}" for n, v in setting.items() if n != along)
        lines.setdefault(others, []).append(index)
    return lines


def _value(value: Any) -> str:
    return number(value) if isinstance(value, float) else plain(str(value), 40)


def _front(used: Any, regret: Any) -> list[int]:
    """The indices of the settings that no other beats in both use and regret, by use."""
    front, least = [], math.inf
    for index in np.lexsort((regret, used)).tolist():
        if regret[index] < least:
            front.append(index)
            least = float(regret[index])
    return front


def _line(ax: Axes, table: Sweep, indices: list[int], style: LineStyle, name: str) -> None:
    """Draw one line of settings."""
    ax.plot(
        _used(table)[0][indices],
        np.clip(table.mean_regret[indices], 0, LARGEST),
        color=style.color,
        ls=style.dashes if name else "-",
        marker=style.marker,
        ms=4 if len(indices) <= 60 else 2.5,
        lw=1.6,
        label=plain(f"mean, {name}" if name else "mean over runs", 70),
    )


def _band(
    ax: Axes,
    table: Sweep,
    indices: list[int],
    style: LineStyle,
    band: tuple[float, float],
    edges: Any,
    alone: bool,
) -> None:
    """Draw quantiles of the regret over runs: a band, or only the upper one if lines are many."""
    order = np.asarray(indices, dtype=int)[np.argsort(table.mean_used[indices], kind="stable")]
    low, high = (np.clip(edge[order], 0, LARGEST) for edge in edges)
    used = _used(table)[0][order]
    if alone:
        label = f"{band[0]:.0%} to {band[1]:.0%} of runs"
        ax.fill_between(used, low, high, color=style.color, alpha=0.15, lw=0, label=label)
    else:
        ax.plot(used, high, color=style.color, ls=style.dashes, lw=0.8, alpha=0.7, label="_high")


def _scale_regret(ax: Axes, regret: Any) -> None:
    """Make the axis linear, to show a knee; logarithmic if a few settings would hide the others."""
    positive = regret[regret > 0]
    if len(positive):
        near = float(np.quantile(positive, 0.5))
        if positive.max() / 1000 > near:
            ax.set_yscale("symlog", linthresh=linear_limit(near))
    ax.set_ylim(bottom=0)


def _annotate(ax: Axes, table: Sweep, along: str, line: list[int]) -> None:
    """Label the knee, and some settings along the first line that are not too close together."""
    knee = table.knee
    labelled: list[tuple[float, float]] = []
    finite = table.mean_regret[np.isfinite(table.mean_regret)]
    used, _ = _used(table)
    wide = float(np.ptp(used)) or 1.0
    high = float(np.ptp(np.clip(finite, 0, LARGEST))) if len(finite) else 0.0
    high = high or 1.0

    def at(index: int) -> tuple[float, float]:
        return float(used[index]), min(float(table.mean_regret[index]), LARGEST)

    if knee is not None:
        x, y = at(knee)
        labelled.append((x / wide, y / high))
        setting = ", ".join(f"{name}={_value(v)}" for name, v in table.settings[knee].items())
        ax.vlines(x, 0, y, color=LOGGED, lw=0.8, ls=":", label="_knee")
        ax.hlines(y, 0, x, color=LOGGED, lw=0.8, ls=":", label="_knee")
        saved = f"{table.share_saved[knee]:.0%} saved"
        cost = mean_cell(float(table.mean_used[knee]), table.unit)
        cost += "" if table.unit == ELAPSED else f" {unit_words(table.unit)}"
        label = plain(f"knee: {setting} ({cost}, {saved}, regret {number(y)})", 110)
        star(ax, x, y, label, 15)
    for index in line:
        if not math.isfinite(table.mean_regret[index]):
            continue
        x, y = at(index)
        if all(math.hypot(x / wide - a, y / high - b) > 0.09 for a, b in labelled):
            labelled.append((x / wide, y / high))
            ax.annotate(
                f"{plain(along, 20)} {_value(table.settings[index][along])}"
                if len(labelled) == 1 + (knee is not None)
                else _value(table.settings[index][along]),
                (x, y),
                textcoords="offset points",
                xytext=(5, 5),
                fontsize=8,
                color=LOGGED,
            )


def _share_axis(ax: Axes, table: Sweep) -> None:
    """Add an axis along the top: what is used, as a share of what was logged."""
    from matplotlib.ticker import PercentFormatter

    divisor, _ = axis_of(table.unit, float(table.mean_used.max(initial=0.0)))
    mean = float(table.logged.max()) / table.runs / divisor
    if mean <= 0:
        return

    def share(used: Any) -> Any:
        return used / mean

    def used_of(share: Any) -> Any:
        return share * mean

    top = ax.secondary_xaxis("top", functions=(share, used_of))
    top.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    top.set_xlabel(f"share of the logged {plain(unit_words(table.unit), 40)}")
