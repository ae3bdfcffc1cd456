"""The picture of many runs: how much each rule uses and gives up, as shares of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..language.units import unit_words
from .axis import common_unit
from .findings import regret_finding, used_finding
from .shared import scale_regret, watched_metric, with_styles
from .style import (
    LARGEST,
    LineStyle,
    legend_below,
    plain,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..replaying.replay import Replay

__all__ = ["draw_distribution"]


def draw_distribution(axes: list[Axes], results: Sequence[Replay], names: list[str]) -> None:
    """Draw many runs: what share of its log each rule uses, and its regret, as shares of runs."""
    from matplotlib.ticker import PercentFormatter

    history = results[0].history
    left, right = axes
    words = plain(unit_words(common_unit(results)), 30)
    for result, name, style in with_styles(results, names):
        used = result.share_used
        stopped = result.stopped.mean()
        label = f"{name}: stops {stopped:.0%} of runs, uses {1 - result.share_saved:.0%} of {words}"
        _cumulative(left, used[~np.isnan(used)], style, label)
        regrets = result.known_regret
        if len(regrets):
            _cumulative(right, regrets, style, "_regret")
    left.set_xlim(0, 1.02)
    left.set_xlabel(f"share of the logged {words}")
    left.set_ylabel(f"runs with no more, of {history.runs:,}")
    left.xaxis.set_major_formatter(PercentFormatter(1))
    left.yaxis.set_major_formatter(PercentFormatter(1))
    left.set_ylim(0, 1.03)
    title(left, used_finding(results, names))
    monitor = watched_metric(results[0])
    if any(len(result.known_regret) for result in results):
        scale_regret(right, results)
        right.set_xlabel(plain(f"regret ({monitor})", 50))
    else:
        right.set_xticks([])
        right.text(0.5, 0.5, "nothing says\nwhich check is best", ha="center")
    title(right, regret_finding(results))
    legend_below(left)


def _cumulative(ax: Axes, values: Any, style: LineStyle, label: str) -> None:
    """Draw the share of values that are at most x, with markers at the tenths."""
    values = np.sort(np.clip(values, 0, None))
    finite = values[np.isfinite(values)]
    shares = np.arange(1, len(finite) + 1) / len(values)
    finite = np.clip(finite, 0, LARGEST)
    tenths = np.searchsorted(shares, np.arange(1, 11) / 10 - 1e-9)
    marked = {float(finite[index]): int(index) + 1 for index in tenths if index < len(finite)}
    ax.step(
        np.r_[0.0, finite],
        np.r_[0.0, shares],
        where="post",
        color=style.color,
        ls=style.dashes,
        lw=1.6,
        marker=style.marker,
        ms=5,
        markevery=sorted(marked.values()),
        label=label,
    )
