"""Settings that differ in one patience, answered together by intervals of patience.

The intervals of a run answer every patience (see `earlystop.replaying.patience`). This module finds
the settings that each interval covers, and adds them up without visiting every run for every
setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.rule import AnyOf, Rule
from ..replaying.batches import slices
from ..replaying.patience.intervals import PatienceIntervals, PatienceScan, shortest_waits
from ..replaying.regret import regret_of
from ..replaying.tuning import DEFAULT, Tuning
from ..rules import Best, Never, Patience
from .columns import Column
from .totals import Totals, sums_over_ranges

__all__ = ["IntervalOutcome", "PatienceFamily"]

Ints = npt.NDArray[np.int64]

_LONGEST_WAIT = np.iinfo(np.int32).max - 1  # no run is longer


@dataclass(frozen=True)
class PatienceFamily:
    """Settings that differ only in the patience of `rule` in `rule | rest`.

    rule: the `Patience`; its own patience is ignored.
    rest: the rule combined with it, or `Never()`.
    values: the values of patience, in ascending order.
    settings: the number of the setting with each value.
    """

    rule: Patience
    rest: Rule
    values: Ints
    settings: Ints

    @property
    def waits(self) -> Ints:
        """The required wait for each value, without growth."""
        waits = self.rule.required_wait(-1, patience=self.values)
        limited: Ints = np.minimum(np.ceil(waits), _LONGEST_WAIT).astype(np.int64)
        return limited

    def rules(self) -> Iterator[tuple[Rule, int]]:
        """The rule of each setting, and the number of the setting."""
        for value, setting in zip(self.values.tolist(), self.settings.tolist(), strict=True):
            yield self.rule_with(value), setting

    def rule_with(self, patience: int) -> Rule:
        """The combined rule with this patience."""
        rule = self.rule.replace(patience=patience)
        return rule if self.rest == Never() else AnyOf(rule, self.rest)


class IntervalOutcome:
    """What families of settings did on some runs, from the intervals found by a scan.

    All families share one list of settings: those of the first, those of the second, and so on. A
    "position" is an index into this list.
    """

    def __init__(
        self,
        families: list[PatienceFamily],
        best: Best,
        scan: PatienceScan,
        tuning: Tuning = DEFAULT,
    ) -> None:
        self._families, self._mode, self._tuning = families, best.mode, tuning
        self._waits = [family.waits for family in families]
        self._offsets = np.cumsum([0, *(len(waits) for waits in self._waits)])
        self._lanes = len(scan.epochs)
        self._intervals, self._best_of_log = scan.intervals, scan.best_of_log
        self._uncovered = Column(  # the outcome where no interval covers a setting
            scan.epochs,
            scan.stopped,
            scan.best_epoch,
            scan.best,
            regret_of(scan.best, scan.best_of_log, best.mode),
        )
        self._position_table = self._tabulated()

    @property
    def settings(self) -> int:
        """How many settings there are."""
        return int(self._offsets[-1])

    @property
    def nbytes(self) -> int:
        """The memory used by the arrays, in bytes."""
        arrays = (*self._intervals, *self._uncovered, self._best_of_log)
        return sum(array.nbytes for array in arrays)

    # Which settings an interval covers -------------------------------------------------------

    def _tabulated(self) -> Any:
        """The first position with at least a given wait: a table of shape (families, waits).

        None if the table would be too large.
        """
        longest = max(int(waits[-1]) for waits in self._waits)
        if (longest + 2) * len(self._families) > self._tuning.table_entries:
            return None
        every_wait = np.arange(longest + 2)
        return np.stack(
            [
                offset + np.searchsorted(waits, every_wait)
                for offset, waits in zip(self._offsets, self._waits, strict=False)
            ]
        )

    def _positions(self, track: Any, wait: Any) -> Ints:
        """The first position in each track's family with at least this wait."""
        if self._position_table is not None:
            family = track // self._lanes if len(self._families) > 1 else 0
            table = self._position_table
            found: Ints = table[family, np.minimum(wait, table.shape[1] - 1)]
            return found
        positions = np.empty(len(track), dtype=np.int64)
        for number, waits in enumerate(self._waits):
            own = track // self._lanes == number
            positions[own] = self._offsets[number] + np.searchsorted(waits, wait[own])
        return positions

    def _covered_settings(self, which: Any) -> tuple[PatienceIntervals, Ints, Ints]:
        """Select intervals, and keep those that cover a setting.

        Returns (intervals, begin, end): interval i covers the positions begin[i]:end[i].
        """
        intervals = self._intervals.select(which)
        begin = self._positions(intervals.track, intervals.first)
        end = self._positions(intervals.track, intervals.last + 1)
        covers = begin < end
        if covers.all():
            return intervals, begin, end
        return intervals.select(covers), begin[covers], end[covers]

    # Totals ----------------------------------------------------------------------------------

    def add_to(self, totals: Totals) -> None:
        """Add the runs to the totals of a sweep."""
        own = Totals(self.settings)
        covered = self._add_intervals(own)
        self._add_uncovered(own, covered)
        own.runs_with_best += int(np.count_nonzero(~np.isnan(self._uncovered.regret)))
        totals.merge(own, np.concatenate([family.settings for family in self._families]))

    def _add_intervals(self, totals: Totals) -> Ints:
        """Add the covered settings; return the position up to which each track is covered."""
        waits = np.concatenate(self._waits)
        covered = np.repeat(self._offsets[:-1], self._lanes)
        for part in slices(len(self._intervals.track), self._tuning.intervals_at_a_time):
            intervals, begin, end = self._covered_settings(part)
            best_of_log = self._best_of_log[intervals.track % self._lanes]
            regret = regret_of(intervals.best, best_of_log, self._mode)
            # A run uses the epochs up to its reference plus the wait of the setting or the wait
            # that growth requires, whichever is longer.
            by_setting = begin
            if any(family.rule.wait_grows for family in self._families):
                shortest = self._shortest_waits(intervals)
                by_setting = np.clip(self._positions(intervals.track, shortest), begin, end)
                totals.epochs += sums_over_ranges(begin, by_setting, shortest, self.settings)
            totals.epochs += sums_over_ranges(by_setting, end, None, self.settings) * waits
            totals.add_ranges(begin, end, intervals.reference_epoch + 1, regret)
            covered[intervals.track] = end  # in ascending order, so the last one of a track stays
        return covered

    def _add_uncovered(self, totals: Totals, covered: Ints) -> None:
        end, rest = np.repeat(self._offsets[1:], self._lanes), self._uncovered
        for part in slices(len(covered), self._tuning.intervals_at_a_time):
            lanes = np.arange(part.start, part.stop) % self._lanes
            totals.add_ranges(covered[part], end[part], rest.checks[lanes], rest.regret[lanes])

    def _shortest_waits(self, intervals: PatienceIntervals) -> Ints:
        waits = np.zeros(len(intervals.track), dtype=np.int64)
        for number, family in enumerate(self._families):
            own = intervals.track // self._lanes == number
            waits[own] = shortest_waits(family.rule, intervals.reference_epoch[own])
        return waits

    # Columns ---------------------------------------------------------------------------------

    def columns(self, wanted: range) -> Iterator[tuple[int, slice, Column]]:
        """What each of these settings did; yields (setting, lanes, column) for slices of lanes."""
        for number, family in enumerate(self._families):
            begin, end = number * self._lanes, (number + 1) * self._lanes
            tracks = self._intervals.track
            own = np.flatnonzero((tracks >= begin) & (tracks < end))
            positions = [
                (int(self._offsets[number]) + index, int(wait), setting)
                for index, (wait, setting) in enumerate(
                    zip(self._waits[number], family.settings.tolist(), strict=True)
                )
                if setting in wanted
            ]
            parts = max(1, len(own) // self._tuning.intervals_at_a_time)
            for lanes in slices(self._lanes if positions else 0, -(-self._lanes // parts)):
                lane = tracks[own] - begin
                inside = own[(lane >= lanes.start) & (lane < lanes.stop)]
                yield from self._columns_of(family, positions, lanes, inside)

    def _columns_of(
        self,
        family: PatienceFamily,
        positions: list[tuple[int, int, int]],
        lanes: slice,
        which: Any,
    ) -> Iterator[tuple[int, slice, Column]]:
        """What settings of a family did on some lanes.

        positions: the position, the wait and the number of each setting.
        which: the indices of the intervals of these lanes.
        """
        intervals, begin, _ = self._covered_settings(which)
        order = np.argsort(begin, kind="stable")
        intervals, begin = intervals.select(order), begin[order]
        answer = _Answer(
            Column._make(array[lanes] for array in self._uncovered),
            intervals,
            intervals.track % self._lanes - lanes.start,
            self._best_of_log[intervals.track % self._lanes],
            shortest_waits(family.rule, intervals.reference_epoch),
            self._mode,
        )
        start = 0
        for position, wait, setting in positions:
            stop = int(np.searchsorted(begin, position, side="right"))
            answer.advance(slice(start, stop))
            start = stop
            yield setting, lanes, answer.column(wait)

    def epochs_used(self) -> Iterator[tuple[tuple[str, ...], npt.NDArray[Any]]]:
        """The metrics of each family, and the epochs used by its most patient setting."""
        for family in self._families:
            setting, epochs = int(family.settings[-1]), np.empty(self._lanes, dtype=np.int64)
            for _, lanes, column in self.columns(range(setting, setting + 1)):
                epochs[lanes] = column.checks
            yield family.rule_with(0).all_metrics, epochs


class _Answer:
    """The interval that answers each lane, advanced from setting to setting."""

    def __init__(
        self,
        uncovered: Column,
        intervals: PatienceIntervals,
        lane: Any,
        best_of_log: Any,
        shortest: Any,
        mode: str,
    ) -> None:
        self._uncovered, self._intervals, self._lane = uncovered, intervals, lane
        self._shortest = shortest
        self._regrets = regret_of(intervals.best, best_of_log, mode)
        lanes = len(uncovered.checks)
        self._last, self._least = np.zeros(lanes, dtype=np.int32), np.zeros(lanes, dtype=np.int64)
        self._reference = uncovered.checks.copy()
        self._best_epoch, self._best = uncovered.best_check.copy(), uncovered.best.copy()
        self._regret = uncovered.regret.copy()

    def advance(self, new: slice) -> None:
        """Advance to these intervals, which come later on their lanes."""
        lane, intervals = self._lane[new], self._intervals
        self._reference[lane] = intervals.reference_epoch[new]
        self._last[lane], self._least[lane] = intervals.last[new], self._shortest[new]
        self._best_epoch[lane], self._best[lane] = intervals.best_epoch[new], intervals.best[new]
        self._regret[lane] = self._regrets[new]

    def column(self, wait: int) -> Column:
        """What a setting with this wait did."""
        rest, covered = self._uncovered, self._last >= wait
        epochs = self._reference + np.maximum(wait, self._least) + 1
        return Column(
            np.where(covered, epochs, rest.checks),
            covered | rest.stopped,
            np.where(covered, self._best_epoch, rest.best_check),
            np.where(covered, self._best, rest.best),
            np.where(covered, self._regret, rest.regret),
        )
