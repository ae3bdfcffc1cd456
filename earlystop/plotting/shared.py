"""What pictures of replays share: the metric that matters, styles, and an axis of regrets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import (
    LARGEST,
    LINE_STYLES,
    LineStyle,
    linear_limit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..replaying.replay import Replay

__all__ = ["scale_regret", "watched_metric", "with_styles"]


def with_styles(
    results: Sequence[Replay], names: Sequence[str]
) -> Iterator[tuple[Replay, str, LineStyle]]:
    """Each replay with its name and its line style; the styles repeat after the last."""
    return zip(results, names, itertools.cycle(LINE_STYLES), strict=False)


def watched_metric(result: Replay) -> str | None:
    """The metric that says which check is best, or else the first that the rule watches."""
    if result.best_rule is not None:
        return result.best_rule.monitor
    reported = [name for name in result.stop.all_metrics if name in result.history.metrics]
    return reported[0] if reported else None


def scale_regret(ax: Axes, results: Sequence[Replay]) -> None:
    """Scale an axis for regrets: many may be 0, the others of any magnitude."""
    values = np.concatenate([result.known_regret for result in results])
    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        ax.set_xlim(-0.05, 1)
        ax.set_xticks([0.0])
        return
    high, near = float(min(positive.max(), LARGEST)), float(np.quantile(positive, 0.1))
    if high > 50 * near:
        linear = linear_limit(near)
        ax.set_xscale("symlog", linthresh=linear)
        ax.set_xlim(-0.1 * linear, high * 1.5)
    else:
        ax.set_xlim(-0.03 * high, high * 1.05)
