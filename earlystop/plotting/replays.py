"""Pictures of replays: one run, some runs, many runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._plots import Kind
from .._text import count, number
from ..errors import RuleError
from ..language.settings import validated
from ..rules import Best
from .style import (
    FAINT,
    LARGEST,
    LOGGED,
    LOOKS,
    LineStyle,
    axes_for,
    brief,
    drawn,
    legend_below,
    linear_to,
    mark_stop,
    plain,
    scaled,
    star,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..history.history import History
    from ..replaying.replay import Replay

__all__ = ["plot_replays"]


_MOST_ROWS = 25


def plot_replays(
    results: Sequence[Replay],
    *,
    run: int | str | None = None,
    kind: Kind = "auto",
    metrics: Sequence[str] = (),
    labels: Sequence[str] | None = None,
    ax: Any = None,
) -> Figure:
    """What rules did over the runs of one history; see `Replay.plot`."""
    history = results[0].history
    if any(result.history is not history for result in results):
        raise RuleError("`plot`: the replays must be of one history, these are of several")
    kind = validated(Kind, kind, "plot(kind=...)")
    names = _labels(results, labels)
    if kind == "auto":
        kind = "curve" if run is not None or history.runs == 1 else "rows"
        if kind == "rows" and history.runs > _MOST_ROWS:
            kind = "distribution"
    with styled():
        if kind == "curve":
            figure, axes = axes_for(ax, 1, (8.0, 4.6 + 0.25 * len(results)))
            _curve(axes[0], results, names, history.row(0 if run is None else run), metrics)
        elif kind == "rows":
            rows = min(history.runs, 400)
            height = 1.9 + 0.25 * len(results) + rows * max(0.28, 0.14 * len(results))
            judged = ax is not None or any(isinstance(result.save, Best) for result in results)
            options = {"sharey": True, "width_ratios": [3, 2]} if judged else {}
            figure, axes = axes_for(ax, (1, 1 + judged), (9.0, height), **options)
            _rows(axes, results, names)
        else:
            figure, axes = axes_for(ax, 2, (9.5, 4.4 + 0.25 * len(results)), sharey=True)
            _distribution(axes, results, names)
    return figure


def _labels(results: Sequence[Replay], labels: Sequence[str] | None) -> list[str]:
    """What the rules are called: those given, or the rules as they are written."""
    if labels is None:
        return [plain(brief(repr(result.stop)), 70) for result in results]
    labels = [labels] if isinstance(labels, str) else list(labels)
    if len(labels) != len(results):
        raise RuleError(
            f"`plot(labels=...)` must be {len(results)}, one a replay, got {len(labels)}"
        )
    return [plain(label, 70) for label in labels]


def _monitor(result: Replay) -> str | None:
    """The metric by which a replay tells what is best, or else the first that its rule watches."""
    if isinstance(result.save, Best):
        return result.save.monitor
    there = [name for name in result.stop.all_metrics if name in result.history.metrics]
    return there[0] if there else None


def _curve(
    ax: Axes, results: Sequence[Replay], names: list[str], row: int, metrics: Sequence[str]
) -> None:
    """One run: what it logged, its best, and where each rule stops and what it keeps."""
    from matplotlib.ticker import MaxNLocator

    history = results[0].history
    length = int(history.lengths[row])
    monitors = [name for name in dict.fromkeys(map(_monitor, results)) if name is not None]
    shown = list(dict.fromkeys([*(monitors or list(history.metrics)[:1]), *metrics]))
    history.require(metrics, "`plot(metrics=...)`")
    greys = itertools.cycle([(LOGGED, "-"), (FAINT, "-"), (FAINT, "--"), (FAINT, ":")])
    for name, (color, dashes) in zip(shown, greys, strict=False):
        drawn(ax, *_logged(history, name, row), label=name, color=color, ls=dashes)
    _best_of_log(ax, results, row)
    stops = 0
    for index, (result, name, look) in enumerate(
        zip(results, names, itertools.cycle(LOOKS), strict=False)
    ):
        _what_it_did(ax, result, name, look, row, stops, index)
        stops += int(result.stopped[row])
    if len(results) == 1 and results[0].epochs[row] < length:
        ax.axvspan(results[0].epochs[row] - 1, length - 1, color="#eeeeee", lw=0, label="not run")
    values = [_logged(history, name, row) for name in shown]
    modes = {result.save.mode for result in results if isinstance(result.save, Best)}
    scaled(ax, np.concatenate([v[there] for v, there in values]), falls="max" not in modes)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    margin = max(0.5, 0.02 * length)
    ax.set_xlim(-margin, max(length, 1) - 1 + margin)
    ax.set_xlabel("epoch (the first is 0)")
    ax.set_ylabel(plain(", ".join(shown), 50))
    title = f"{plain(history.names[row])}: {count(length, 'epoch')} logged"
    ax.set_title(title, loc="left", pad=10 + 9 * stops)
    legend_below(ax)


def _logged(history: History, name: str, row: int) -> tuple[Any, Any]:
    """The values of a run, and where they were reported."""
    length = int(history.lengths[row])
    values = history.metrics[name][row, :length].astype(np.float64)
    gaps = history.gaps(name)
    return values, np.ones(length, dtype=bool) if gaps is None else ~gaps[row, :length]


def _best_of_log(ax: Axes, results: Sequence[Replay], row: int) -> None:
    """A star for the best there was, once for every metric that is watched."""
    seen = set()
    for result in results:
        if not isinstance(result.save, Best) or result.save.monitor in seen:
            continue
        seen.add(result.save.monitor)
        epoch, value = int(result.whole_log.saved_epoch[row]), float(result.whole_log.best[row])
        if epoch >= 0 and math.isfinite(value):
            label = plain(f"best of the log: epoch {epoch}, {number(value)}", 90)
            star(ax, epoch, float(np.clip(value, -LARGEST, LARGEST)), label, 13, zorder=4)


def _what_it_did(
    ax: Axes, result: Replay, name: str, look: LineStyle, row: int, level: int, index: int
) -> None:
    """Where a rule stops, and what it keeps; told in one line of the legend."""
    kept, last = int(result.saved_epoch[row]), int(result.epochs[row]) - 1
    stopped = bool(result.stopped[row])
    text = f"stops after epoch {last}" if stopped else "does not stop"
    value = math.nan
    if kept >= 0:
        text += f", keeps epoch {kept}"
    if isinstance(result.save, Best):
        value = float(result.best[row])
        if kept >= 0:
            text += f" ({number(value)})"
        if result.regret[row] > 0:
            text += f", regret {number(float(result.regret[row]))}"
    label = f"{name}: {text}"
    ax.plot([], [], color=look.color, ls=look.dashes, marker=look.marker, lw=1.3, label=label)
    if stopped:
        mark_stop(ax, last, look, level, label="_line")
    if kept >= 0 and math.isfinite(value):
        ax.plot(
            [kept],
            [np.clip(value, -LARGEST, LARGEST)],
            look.marker,
            color=look.color,
            mfc="none",
            mew=1.6,
            ms=9 + 4 * index,  # rules that keep the same epoch stand around one another
            zorder=5,
            label="_kept",
        )


def _rows(axes: list[Axes], results: Sequence[Replay], names: list[str]) -> None:
    """A row for every run: how long it was, where each rule stops, what is kept and given up."""
    history = results[0].history
    ax, places = axes[0], np.arange(history.runs, dtype=float)
    ax.barh(
        places,
        history.lengths,
        height=0.75,
        color="#e4e4e4",
        label="epochs logged",
    )
    step = 0.7 / len(results)
    for number_of_rule, (result, name, look) in enumerate(
        zip(results, names, itertools.cycle(LOOKS), strict=False)
    ):
        at = places + (number_of_rule - (len(results) - 1) / 2) * step
        stopped = result.stopped
        ax.hlines(at, 0, result.epochs, color=look.color, lw=1.2, label="_used")
        ax.plot(
            result.epochs[stopped],
            at[stopped],
            look.marker,
            color=look.color,
            ms=6,
            label=f"{name}: stops {int(stopped.sum()):,} of {count(history.runs, 'run')}",
        )
        if len(axes) > 1 and isinstance(result.save, Best):
            regret = result.regret
            finite = np.isfinite(regret)
            axes[1].plot(
                np.clip(regret[finite], 0, LARGEST),
                at[finite],
                look.marker,
                color=look.color,
                ms=6,
                ls="none",
                label=f"{name}: regret",
            )
        saved = result.saved_epoch >= 0
        ax.plot(
            result.saved_epoch[saved] + 1,
            at[saved],
            "|",
            color=look.color,
            ms=9,
            mew=2,
            label="_kept",
        )
    if any((result.saved_epoch >= 0).any() for result in results):
        ax.plot([], [], "|", color="#606060", ms=9, mew=2, label="the epoch that is kept")
    ax.set_yticks(places, [plain(name, 38) for name in history.names], fontsize=8)
    ax.set_ylim(history.runs - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("epochs")
    longest = int(history.lengths.max())
    if longest > 50 * max(int(np.median(history.lengths)), 1):
        ax.set_xscale("symlog", linthresh=max(int(np.median(history.lengths)), 1))
    ax.set_xlim(0, max(longest, 1) * 1.03)
    ax.set_title(f"{count(history.runs, 'run')}: epochs used", loc="left")
    legend_below(ax)
    if len(axes) > 1:
        right, monitor = axes[1], _monitor(results[0])
        right.grid(axis="y", visible=False)
        right.tick_params(axis="y", left=False)
        right.axvline(0, color=FAINT, lw=0.8)
        _scale_regret(right, results)
        right.set_xlabel(plain(f"regret ({monitor})", 50))
        right.set_title("What is given up", loc="left")


def _scale_regret(ax: Axes, results: Sequence[Replay]) -> None:
    """An axis for regrets, of which many may be 0 and others of any magnitude."""
    values = np.concatenate([result.known_regret for result in results])
    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        ax.set_xlim(-0.05, 1)
        ax.set_xticks([0.0])
        return
    high, near = float(min(positive.max(), LARGEST)), float(np.quantile(positive, 0.1))
    if high > 50 * near:
        linear = linear_to(near)
        ax.set_xscale("symlog", linthresh=linear)
        ax.set_xlim(-0.1 * linear, high * 1.5)
    else:
        ax.set_xlim(-0.03 * high, high * 1.05)


def _distribution(axes: list[Axes], results: Sequence[Replay], names: list[str]) -> None:
    """Many runs: how much of them each rule uses, and how much it gives up, as shares of runs."""
    from matplotlib.ticker import PercentFormatter

    history = results[0].history
    left, right = axes
    for result, name, look in zip(results, names, itertools.cycle(LOOKS), strict=False):
        used = result.epochs / np.maximum(history.lengths, 1)
        stopped = result.stopped.mean()
        label = f"{name}: stops {stopped:.0%} of runs, uses {1 - result.share_saved:.0%} of epochs"
        _cumulative(left, used, look, label)
        regrets = result.known_regret
        if len(regrets):
            _cumulative(right, regrets, look, "_regret")
    left.set_xlim(0, 1.02)
    left.set_xlabel("share of the logged epochs")
    left.set_ylabel(f"runs with no more, of {history.runs:,}")
    left.xaxis.set_major_formatter(PercentFormatter(1))
    left.yaxis.set_major_formatter(PercentFormatter(1))
    left.set_ylim(0, 1.03)
    left.set_title("Epochs used", loc="left")
    monitor = _monitor(results[0])
    if any(len(result.known_regret) for result in results):
        _scale_regret(right, results)
        right.set_xlabel(plain(f"regret ({monitor})", 50))
    else:
        right.set_xticks([])
        right.text(0.5, 0.5, "nothing says\nwhich epoch is best", ha="center")
    right.set_title("What is given up", loc="left")
    legend_below(left)


def _cumulative(ax: Axes, values: Any, look: LineStyle, label: str) -> None:
    """The share of values that are at most x, with markers at the tenths."""
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
        color=look.color,
        ls=look.dashes,
        lw=1.6,
        marker=look.marker,
        ms=5,
        markevery=sorted(marked.values()),
        label=label,
    )
