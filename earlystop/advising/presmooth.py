"""A shortcut for `Smoothed` rules: their smoothed values, kept as a metric.

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
from ..history.ragged import slices_within
from ..language.positions import ELAPSED, EPOCH, STEP
from ..language.rule import Rule
from ..replaying.batches import RunBatch, batches_of
from ..replaying.interpreted import EpochMetrics
from ..rules import Best, Patience, Smoothed

__all__ = ["PresmoothedHistory"]

_CELLS, _MOST_PADDING = 2**22, 4


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
        for runs in self._parts():
            metrics: dict[str, Any] = {}
            places = {EPOCH, STEP, ELAPSED} & set(self.history.metrics)
            for name in {self.save.monitor, self.smoothed.monitor, *places}:
                values, reported = self.history.reported_in(runs, name)
                metrics[name] = np.ma.MaskedArray(values, ~reported)
            part = History(metrics, self.history.lengths[runs])
            values = np.full((part.runs, part.epochs), np.nan)
            with np.errstate(all="ignore"):
                self._smooth_into(values, part)
            missing = metrics[self.smoothed.monitor].mask
            metrics[self.monitor] = np.ma.MaskedArray(values, missing)
            coordinates = {
                name: column[runs, : part.epochs]
                for name, column in self.history.coordinates.all_stored().items()
            }
            yield History(metrics, part.lengths, coordinates=coordinates)

    def _parts(self) -> Iterator[slice]:
        """The runs in order, in batches that are not mostly padding."""
        for runs in batches_of(self.history.runs):
            lengths = self.history.lengths[runs]
            cells = max(_CELLS, _MOST_PADDING * int(lengths.sum()))
            for part in slices_within(lengths, cells):
                yield slice(runs.start + part.start, runs.start + part.stop)

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
