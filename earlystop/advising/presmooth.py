"""A short cut: what `Smoothed` shows its rule, written down as a metric.

A sweep steps a `Smoothed` rule once for every patience, and smooths anew each time. What it shows
does not depend on the patience; so it is taken from the rule once, and the `Patience` inside is
swept over it, all values at once.
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
    """A history with a metric more, in parts, as often as it is iterated over.

    rule: the patience inside the smoothed rule, on that metric.
    """

    history: History
    smoothed: Smoothed
    monitor: str
    judge: Best

    @classmethod
    def of(cls, rule: Rule, history: History, judge: Best) -> PresmoothedHistory | None:
        """For a smoothed patience; None for any other rule."""
        if type(rule) is not Smoothed or type(rule.rule) is not Patience:
            return None
        name = f"{rule.monitor} smoothed"
        while name in history.metrics:
            name += "'"
        return cls(history, rule, name, judge)

    @property
    def rule(self) -> Patience:
        inner: Any = self.smoothed.rule
        shown: Patience = inner.replace(monitor=self.monitor, mode=inner.mode)
        return shown

    def __iter__(self) -> Iterator[History]:
        for runs in batches_of(self.history.runs):
            names = {self.judge.monitor, self.smoothed.monitor}
            part = self.history[runs]
            metrics: dict[str, Any] = {
                name: np.ma.MaskedArray(part.metrics[name], ~part.reported(name)) for name in names
            }
            values = np.full((part.runs, part.epochs), np.nan)
            with np.errstate(all="ignore"):
                self._smooth(part, values)
            there = part.reported(self.smoothed.monitor)
            metrics[self.monitor] = np.ma.MaskedArray(values, ~there)
            yield History(metrics, part.lengths)

    def _smooth(self, part: History, values: Any) -> None:
        """Put what the rule is shown into `values`."""
        every, monitor = slice(0, part.runs), self.smoothed.monitor
        if not part.lengths.any():
            return
        state = self.smoothed.init()
        lanes = RunBatch(part, every, 1)
        for block in lanes.blocks():
            for epoch in block:
                metrics = EpochMetrics(epoch, (monitor,), {})
                state, shown = self.smoothed.smoothed(state, metrics)
                values[:, epoch.number] = shown[monitor]
