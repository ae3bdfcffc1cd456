"""Settings that differ in the dial of one `AdaptivePatience`, answered together by its score.

The levels of a run answer every dial (see `earlystop.replaying.score`). This module adds them up,
and looks up single dials.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.rule import AnyOf, Rule
from ..replaying.batches import slices
from ..replaying.regret import regret_of
from ..replaying.score.scan import Rises, ScoreScan, Spans
from ..replaying.tuning import DEFAULT, Tuning
from ..rules import AdaptivePatience, Best, Never
from .columns import Column
from .totals import Totals, sums_over_ranges

__all__ = ["AdaptiveFamily", "ScoreOutcome"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AdaptiveFamily:
    """Settings that differ only in the dial of `rule` in `rule | rest`.

    rule: the `AdaptivePatience`; its own dial is ignored.
    rest: the rule combined with it, or `Never()`.
    values: the values of the dial, in ascending order.
    settings: the number of the setting with each value.
    """

    rule: AdaptivePatience
    rest: Rule
    values: npt.NDArray[np.float64]
    settings: Ints

    def rules(self) -> Iterator[tuple[Rule, int]]:
        """The rule of each setting, and the number of the setting."""
        for value, setting in zip(self.values.tolist(), self.settings.tolist(), strict=True):
            rule = self.rule.replace(patience=value)
            yield rule if self.rest == Never() else AnyOf(rule, self.rest), setting

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """The metrics that each of the rules reads."""
        return tuple(dict.fromkeys((*self.rule.all_metrics, *self.rest.all_metrics)))


class ScoreOutcome:
    """What a family of settings did on some runs, from the levels found by a scan.

    A "position" is an index into the values of the family.
    """

    def __init__(
        self, family: AdaptiveFamily, best: Best, scan: ScoreScan, tuning: Tuning = DEFAULT
    ) -> None:
        self._family, self._scan, self._mode, self._tuning = family, scan, best.mode, tuning
        self._lanes = len(scan.epochs)
        self._reached: Ints = scan.level.astype(np.int64)
        self._unfired = Column(  # the outcome of dials that did not fire
            scan.epochs,
            scan.stopped,
            scan.best_epoch,
            scan.best,
            regret_of(scan.best, scan.best_of_log, best.mode),
        )

    @property
    def settings(self) -> int:
        """How many settings there are."""
        return len(self._family.values)

    @property
    def nbytes(self) -> int:
        """The memory used by the arrays, in bytes."""
        scan = self._scan
        arrays = (*scan.rises, *scan.spans, scan.level, *self._unfired, scan.best_of_log)
        return sum(array.nbytes for array in arrays)

    # Totals ----------------------------------------------------------------------------------

    def add_to(self, totals: Totals) -> None:
        """Add the runs to the totals of a sweep."""
        own, size = Totals(self.settings), self._tuning.intervals_at_a_time
        rises = self._scan.rises
        for part in slices(len(rises.lane), size):
            begin, end, epoch = rises.begin[part], rises.end[part], rises.epoch[part]
            own.epochs += sums_over_ranges(begin, end, epoch + 1, self.settings)
        spans = self._scan.spans
        for part in slices(len(spans.lane), size):
            some = Spans._make(array[part] for array in spans)
            own.add_regrets(some.begin, some.end, self._regret(some))
        for part in slices(self._lanes, size):
            end = np.full(part.stop - part.start, self.settings)
            rest = self._unfired.checks[part], self._unfired.regret[part]
            own.add_ranges(self._reached[part], end, *rest)
        own.runs_with_best += int(np.count_nonzero(~np.isnan(self._unfired.regret)))
        totals.merge(own, self._family.settings)

    def _regret(self, spans: Spans) -> npt.NDArray[np.float64]:
        return regret_of(spans.best, self._scan.best_of_log[spans.lane], self._mode)

    # Columns ---------------------------------------------------------------------------------

    def columns(self, wanted: range) -> Iterator[tuple[int, slice, Column]]:
        """What each of these settings did; yields (setting, lanes, column)."""
        order = np.argsort(self._scan.spans.begin, kind="stable")
        spans = Spans._make(array[order] for array in self._scan.spans)
        regrets = self._regret(spans)
        now = Column._make(array.copy() for array in self._unfired)  # of the latest span
        settings = self._family.settings.tolist()
        positions = [place for place, setting in enumerate(settings) if setting in wanted]
        first, stops = 0, _Stops(self._rises, 0, 0, self._lanes)
        for position in positions:
            new = slice(first, int(np.searchsorted(spans.begin, position, side="right")))
            first = new.stop
            lanes = spans.lane[new]
            now.best_check[lanes], now.best[lanes] = spans.best_epoch[new], spans.best[new]
            now.regret[lanes] = regrets[new]
            if position >= stops.end:
                end = min(positions[-1] + 1, position + self._at_a_time)
                stops = _Stops(self._rises, position, end, self._lanes)
            yield settings[position], slice(0, self._lanes), self._column(position, stops, now)

    @functools.cached_property
    def _rises(self) -> Rises:
        """The rises of the levels, sorted by their lane; those of a lane keep their order."""
        rises = self._scan.rises
        order = np.argsort(rises.lane, kind="stable")
        return Rises._make(array[order] for array in rises)

    @property
    def _at_a_time(self) -> int:
        """The stops of how many positions are worked out together."""
        return max(1, self._tuning.stops // self._lanes)

    def _column(self, position: int, stops: _Stops, now: Column) -> Column:
        rest, fired = self._unfired, self._reached > position
        return Column(
            np.where(fired, stops.epoch(position) + 1, rest.checks),
            fired | rest.stopped,
            np.where(fired, now.best_check, rest.best_check),
            np.where(fired, now.best, rest.best),
            np.where(fired, now.regret, rest.regret),
        )

    def epochs_used(self) -> Iterator[tuple[tuple[str, ...], npt.NDArray[Any]]]:
        """The metrics of the family, and the epochs used by its most patient setting."""
        last = self.settings - 1
        stops = _Stops(self._rises, last, last + 1, self._lanes).epoch(last)
        used = np.where(self._reached > last, stops + 1, self._unfired.checks)
        yield self._family.all_metrics, used


class _Stops:
    """At which epoch the positions from `begin` to before `end` fire, on every lane.

    Where a level rises by n at an epoch, n positions fire there. So a lane's epochs, each repeated
    as often as its level rises, are the epochs at which its positions fire, in order.

    rises: sorted by their lane.
    """

    def __init__(self, rises: Rises, begin: int, end: int, lanes: int) -> None:
        self.begin, self.end = begin, end
        fire = np.clip(rises.end, begin, end) - np.clip(rises.begin, begin, end)
        self._epochs = np.append(np.repeat(rises.epoch, fire), np.int32(0))
        fired = np.bincount(rises.lane, fire, lanes).astype(np.int64)
        self._first = np.cumsum(fired) - fired

    def epoch(self, position: int) -> npt.NDArray[Any]:
        """The epoch at which it fires, shape (lanes,); any number where it does not."""
        index = self._first + (position - self.begin)
        found: npt.NDArray[Any] = self._epochs[np.minimum(index, len(self._epochs) - 1)]
        return found
