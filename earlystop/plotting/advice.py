"""The picture of an advice: the trade-off that it was selected from, with the advice marked."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count
from ..language.rule_words import rule_words
from ..language.units import unit_words
from .findings import advice_finding
from .style import (
    FAINT,
    LARGEST,
    LINE_STYLES,
    LOGGED,
    LineStyle,
    axes_for,
    brief,
    legend_below,
    plain,
    star,
    styled,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..advising.findings import Line, Outcome
    from ..advising.result import Advice

__all__ = ["plot_advice"]

_FAR = 15  # times the requested level
_ALSO = LineStyle("#9a9a9a", "-", ".")


def plot_advice(advice: Advice, *, ax: Any = None) -> Figure:
    """The trade-off between cost and regret; see `Advice.plot`."""
    with styled():
        figure, (axes,) = axes_for(ax, 1, (8.0, 4.6 + 0.2 * (len(advice.lines) + 3)))
        _trade_off(axes, advice)
    return figure


def _trade_off(ax: Axes, advice: Advice) -> None:
    from matplotlib.ticker import PercentFormatter

    share = advice.at_most is not None
    styles = itertools.chain(LINE_STYLES, itertools.repeat(_ALSO))
    for line, style in zip(advice.lines, styles, strict=False):
        _line(ax, line, line.over if share else line.regret, style, advice.logged)
    level = advice.at_most if advice.at_most is not None else advice.max_regret
    ax.axhline(level, color=LOGGED, lw=1, ls="-", label="asked for: at most this")
    for outcome in advice.defaults:
        ax.annotate(
            f"{getattr(outcome.rule, 'patience', '')}",
            _at(outcome, share),
            textcoords="offset points",
            xytext=(6, 5),
            fontsize=8,
        )
    if advice.defaults:
        points = np.array([_at(outcome, share) for outcome in advice.defaults])
        label = "the usual choices of patience"
        ax.plot(*points.T, "o", mfc="none", color="black", ms=8, label=label)
    label = plain(f"the advice: {rule_words(advice.rule)}", 90)
    star(ax, *_at(advice.outcome, share), label, 16, clip_on=False)
    _scale(ax, level)
    ax.set_ylim(bottom=0)
    ax.set_xlim(0, 1.02)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if share or advice.unit != "metric":
        ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel(f"{plain(unit_words(advice.cost_unit), 40)} used, share of those logged")
    what = {
        "improvement": "mean regret,\nshare of the run's improvement",
        "best": "mean regret,\nshare of the best value",
        "metric": f"mean regret: {advice.monitor}",
    }[advice.unit]
    if share:
        what = f"runs that lose more than {advice.amount(advice.max_regret)}"
    ax.set_ylabel("\n".join(map(plain, what.split("\n"))))
    title(ax, advice_finding(advice), f"{advice.monitor}, {count(advice.runs, 'run')}")
    legend_below(ax)


def _scale(ax: Axes, level: float) -> None:
    """Compress the axis far above the requested level: what matters is near it."""
    from matplotlib.ticker import SymmetricalLogLocator

    if ax.get_ylim()[1] <= _FAR * level:
        return
    linear = max(2 * level, 1e-12)
    ax.set_yscale("symlog", linthresh=linear)
    locator = SymmetricalLogLocator(base=10, linthresh=linear, subs=[1, 2, 5])
    ax.yaxis.set_major_locator(locator)


def _line(ax: Axes, line: Line, height: Any, style: LineStyle, logged: float) -> None:
    ax.plot(
        line.used / logged,
        np.clip(height, 0, LARGEST),
        color=style.color if style is not _ALSO else FAINT,
        ls=style.dashes,
        marker=style.marker,
        ms=3,
        lw=1.4,
        label=plain(brief(line.name), 70),
    )


def _at(outcome: Outcome, share: bool) -> tuple[float, float]:
    """The coordinates of an outcome."""
    return 1 - outcome.saved, min(outcome.over if share else outcome.regret, LARGEST)
