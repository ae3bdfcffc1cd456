"""A shortcut for `Smoothed` rules: their smoothed values, written down as a metric.

A sweep steps a `Smoothed` rule once for every patience, and smooths the values anew each time. The
smoothed values do not depend on the patience. So they are computed once, and the `Patience` inside
is swept over them, all values together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..history.history import History
from ..language.rule import Rule
from ..replaying.batches import RunBatch, batches_of
from ..replaying.interpreted import EpochMetrics
from ..rules import Best, Patience, Smoothed

__all__ = ["PresmoothedHistory"]


@dataclass(frozen=True)
class PresmoothedHistory:
    """A history with one more metric, the smoothed values; an iterable of its batches of runs.

    monitor: the name of that metric.
    """

    history: History
    smoothed: Smoothed
    monitor: str
    save: Best

    @classmethod
    def of(cls, rule: Rule, history: History, save: Best) -> PresmoothedHistory | None:
        """The history for a smoothed patience; None for any other rule."""
        if type(rule) is not Smoothed or type(rule.rule) is not Patience:
            return None
        name = f"{rule.monitor} smoothed"
        while name in history.metrics:
            name += "'"
        return cls(history, rule, name, save)

    @property
    def rule(self) -> Patience:
        """The patience inside the smoothed rule, on the metric of smoothed values."""
        inner: Any = self.smoothed.rule
        rule: Patience = inner.replace(monitor=self.monitor, mode=inner.mode)
        return rule

    def __iter__(self) -> Iterator[History]:
        for runs in batches_of(self.history.runs):
            names = {self.save.monitor, self.smoothed.monitor}
            part = self.history[runs]
            metrics: dict[str, Any] = {
                name: np.ma.MaskedArray(part.metrics[name], ~part.reported(name)) for name in names
            }
            values = np.full((part.runs, part.epochs), np.nan)
            with np.errstate(all="ignore"):
                self._smooth_into(values, part)
            reported = part.reported(self.smoothed.monitor)
            metrics[self.monitor] = np.ma.MaskedArray(values, ~reported)
            yield History(metrics, part.lengths)

    def _smooth_into(self, values: Any, part: History) -> None:
        """Write the smoothed values of these runs into `values`."""
        every, monitor = slice(0, part.runs), self.smoothed.monitor
        if not part.lengths.any():
            return
        state = self.smoothed.init()
        batch = RunBatch(part, every, 1)
        for block in batch.blocks():
            for epoch in block:
                metrics = EpochMetrics(epoch, (monitor,), {})
                state, smoothed = self.smoothed.smoothed(state, metrics)
                values[:, epoch.number] = smoothed[monitor]
