"""Pictures of replays: one run, some runs, or many runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._plots import Kind
from ..errors import RuleError
from ..language.rule_words import labels_of
from ..language.settings import validated
from .curve import draw_curve
from .distribution import draw_distribution
from .rows import chosen_rows, draw_rows
from .style import (
    axes_for,
    plain,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    kind = _kind(kind, run, history.runs)
    with styled():
        if kind == "curve":
            figure, axes = axes_for(ax, 1, (8.0, 4.6 + 0.25 * len(results)))
            draw_curve(axes[0], results, names, history.row(0 if run is None else run), metrics)
        elif kind == "rows":
            rows = chosen_rows(results)
            height = 2.1 + 0.25 * len(results) + len(rows) * min(0.28, 0.14 * (1 + len(results)))
            with_regret = ax is not None or any(result.best_rule is not None for result in results)
            options = {"sharey": True, "width_ratios": [3, 2]} if with_regret else {}
            figure, axes = axes_for(ax, (1, 1 + with_regret), (9.0, height), **options)
            draw_rows(axes, results, names, rows)
        else:
            figure, axes = axes_for(ax, 2, (9.5, 4.4 + 0.25 * len(results)), sharey=True)
            draw_distribution(axes, results, names)
    return figure


def _kind(kind: Kind, run: int | str | None, runs: int) -> Kind:
    """The kind of picture, by the number of runs if it is "auto"."""
    if kind != "auto":
        return kind
    if run is not None or runs == 1:
        return "curve"
    return "rows" if runs <= _MOST_ROWS else "distribution"


def _labels(results: Sequence[Replay], labels: Sequence[str] | None) -> list[str]:
    """The names of the rules: the given labels, or the rules as they are written."""
    if labels is None:
        return [plain(label, 70) for label in labels_of([result.stop for result in results])]
    labels = [labels] if isinstance(labels, str) else list(labels)
    if len(labels) != len(results):
        raise RuleError(
            f"`plot(labels=...)` must be {len(results)}, one a replay, got {len(labels)}"
        )
    return [plain(label, 70) for label in labels]
