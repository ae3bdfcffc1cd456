"""Waits, tracked epoch after epoch: each record wait of a track becomes an interval.

For the theory, with an example, see `earlystop.replaying.patience`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...history import Bools
from ...language.improvement import Improvement
from ...language.ops import Dtype
from ...rules import Best, Patience
from ..batches import Epoch, RunBatch, TooManyLanesError
from ..tuning import DEFAULT, Tuning
from .held_waits import HeldWaits
from .intervals import PatienceIntervals, shortest_waits
from .references import ReferenceTracker

__all__ = ["IntervalScan"]

Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


class _Records(NamedTuple):
    """Record waits of some tracks; arrays of shape (records,)."""

    tracks: Any
    before: Any  # the longest wait before it
    wait: Any
    reference_epoch: Any
    best_epoch: Any
    best: Any


class _WaitTracker:
    """The longest waits so far on the tracks of a reference tracker.

    numbers: the numbers of the tracker's rules among all rules of the scan.
    longest: the longest wait of each track, but at least one less than the shortest of interest.
    records: record waits that have not been converted to intervals yet.
    """

    def __init__(self, references: ReferenceTracker, numbers: Sequence[int], shortest: int) -> None:
        self.references, self.numbers = references, np.array(numbers, dtype=np.int32)
        self.longest = np.full(len(references.value), shortest - 1, dtype=np.int32)
        self.records: list[_Records] = []
        self.grows = any(rule.wait_grows for rule in references.rules)
        self.held = HeldWaits(references) if references.gated else None

    def long_enough(self, tracks: Any, waits: Any, reference_epoch: Any) -> Bools:
        """Are these waits as long as growth requires? Only needed if `grows`."""
        required = np.zeros(len(waits), dtype=np.int64)
        for number, rule in enumerate(self.references.rules):
            own = tracks // self.references.lanes == number
            required[own] = shortest_waits(rule, reference_epoch[own])
        enough: Bools = waits >= required
        return enough


class IntervalScan:
    """Finds the intervals of several rules on the lanes of a batch, fed epoch after epoch.

    rules: `Patience` rules that differ in more than their patience; their metrics must not have
        gaps.
    best: decides which epoch is best.
    shortest: the shortest required wait of interest.
    """

    def __init__(
        self,
        rules: Sequence[Patience],
        best: Best,
        batch: RunBatch,
        shortest: int,
        tuning: Tuning = DEFAULT,
    ) -> None:
        self._best, self._trackers = _trackers(rules, best, batch, shortest, tuning)
        plains = (tracker.references.plain for tracker in self._trackers)
        self._references = dict.fromkeys(
            [
                self._best,
                *(plain for plain in plains if plain is not None),
                *(tracker.references for tracker in self._trackers),
            ]
        )
        self._lanes, self._shortest = len(batch), shortest
        self._ids = np.arange(self._lanes, dtype=np.int32)  # of the lanes not dropped
        self._intervals: list[PatienceIntervals] = []
        self._notes, self._most_notes = 0, tuning.notes
        self._type = np.int16 if batch.longest < np.iinfo(np.int16).max - 1 else np.int32
        self._room = tuning.intervals if self._lanes > 1 else np.inf

    def step(self, epoch: Epoch) -> None:
        """Take an epoch. Raises TooManyLanesError if there are too many intervals."""
        for references in self._references:
            references.compare(epoch)
        for tracker in self._trackers:
            if tracker.held is not None:
                self._end_gated_waits(tracker, tracker.held, epoch)
                continue
            if epoch.number - tracker.references.start < self._shortest:
                continue  # no wait can be long enough yet
            # An interval ends where the best changes, and where the reference does.
            self._end_waits(tracker, self._best.improved, epoch.number)
            own = tracker.references
            if own.plain is not self._best and own is not self._best:
                tracks = own.improved
                if tracks.dtype == np.bool_:
                    tracks = tracks.nonzero()[0]
                begun, before = own.epoch[tracks], tracker.longest[tracks]
                self._note(tracker, tracks % own.lanes, tracks, begun, before, epoch.number)
        for references in self._references:
            references.update(epoch)
        for tracker in self._trackers:
            if tracker.held is not None and epoch.number >= tracker.references.start:
                self._note_late_stops(tracker, tracker.held, epoch)

    def _end_gated_waits(self, tracker: _WaitTracker, held: HeldWaits, epoch: Epoch) -> None:
        """Note the waits that the epoch ends or interrupts; see `held_waits.py`."""
        own = tracker.references
        if epoch.number < own.start:
            return
        best_changes = self._best.improved
        if best_changes.dtype != np.bool_:
            best_changes = np.bincount(best_changes, minlength=own.lanes).astype(np.bool_)
        tracks = held.interrupted(own.tracks_of(best_changes)).nonzero()[0]
        begun, before = own.epoch[tracks], tracker.longest[tracks]
        self._note(tracker, tracks % own.lanes, tracks, begun, before, epoch.number)

    def _note_late_stops(self, tracker: _WaitTracker, held: HeldWaits, epoch: Epoch) -> None:
        """Note the waits that stop at this epoch, because none of those before was a check."""
        own = tracker.references
        tracks = held.over(own, epoch).nonzero()[0]
        waits = epoch.number - own.epoch[tracks]
        late = np.maximum(waits - tracker.longest[tracks], 0)
        tracker.longest[tracks] = np.maximum(waits, tracker.longest[tracks])
        if not late.any():
            return
        tracks = np.repeat(tracks, late)
        # Each wait from the longest so far on, as if it had begun so many checks before this one.
        wait = np.repeat(waits, late) - _counted_down(late)
        lanes = tracks % own.lanes
        self._keep(tracker, lanes, tracks, wait - 1, epoch.number - wait, wait)

    def _end_waits(self, tracker: _WaitTracker, lanes: Any, end: Any) -> None:
        """End the waits on these lanes before epoch `end`, and note those that are records."""
        rules, references = len(tracker.numbers), tracker.references
        begun, before = references.epoch, tracker.longest
        if lanes.dtype == np.bool_:
            longer = (end - 1) - begun > before
            tracks = (longer & references.tracks_of(lanes)).nonzero()[0]
            lanes = tracks if rules == 1 else tracks % references.lanes
            self._note(tracker, lanes, tracks, begun[tracks], before[tracks], end)
        elif rules == 1:
            self._note(tracker, lanes, lanes, begun[lanes], before[lanes], end)
        elif len(lanes):
            begun = references.by_rule(begun).take(lanes, axis=1)
            before = references.by_rule(before).take(lanes, axis=1)
            rule, which = ((end - 1) - begun > before).nonzero()
            tracks = lanes[which] + rule * references.lanes
            end = end if isinstance(end, int) else end[which]
            self._note(tracker, lanes[which], tracks, begun[rule, which], before[rule, which], end)

    def _note(
        self, tracker: _WaitTracker, lanes: Any, tracks: Any, begun: Any, before: Any, end: Any
    ) -> None:
        """Note the waits on these tracks, from `begun` to before `end`, that are records."""
        waits = (end - 1) - begun
        is_record = waits > before
        if tracker.grows:
            is_record &= tracker.long_enough(tracks, waits, begun)
        which = is_record.nonzero()[0]
        if not len(which):
            return
        if len(which) < len(waits):
            lanes, tracks, before = lanes[which], tracks[which], before[which]
            begun, waits = begun[which], waits[which]
        tracker.longest[tracks] = waits
        self._keep(tracker, lanes, tracks, before, begun, waits)

    def _keep(
        self, tracker: _WaitTracker, lanes: Any, tracks: Any, before: Any, begun: Any, waits: Any
    ) -> None:
        """Keep records, to be converted to intervals."""
        best_epoch = begun if tracker.references is self._best else self._best.epoch[lanes]
        best = self._best.value[lanes]
        tracker.records.append(_Records(tracks, before, waits, begun, best_epoch, best))
        self._room -= len(tracks)
        self._notes += len(tracks)
        if self._room < 0:
            raise TooManyLanesError
        if self._notes > self._most_notes:
            self.collect()

    def collect(self) -> None:
        """Convert the records noted so far to intervals; required before lanes are dropped."""
        self._notes = 0
        for tracker in self._trackers:
            if not tracker.records:
                continue
            records = _Records(*map(np.concatenate, zip(*tracker.records, strict=True)))
            tracker.records.clear()
            lanes: Any = records.tracks
            rules: Any = tracker.numbers[0]
            if len(tracker.numbers) > 1:
                rules, lanes = np.divmod(records.tracks, tracker.references.lanes)
                rules = tracker.numbers[rules]
            records.best[records.best_epoch < 0] = np.nan
            track = self._ids[lanes] + rules * np.int32(self._lanes)
            waits = (records.before + 1, records.wait)
            epochs = (records.reference_epoch, records.best_epoch)
            columns = (column.astype(self._type) for column in (*waits, *epochs))
            self._intervals.append(PatienceIntervals._make([track, *columns, records.best]))

    def answered(self, longest: int, number: int) -> Bools:
        """A mask of the lanes on which every rule has waited for `longest` before an epoch."""
        result = np.ones(len(self._ids), dtype=np.bool_)
        for tracker in self._trackers:
            begun = tracker.references.epoch
            now = (number - 1) - begun
            if tracker.held is not None:  # the wait may go on without a check
                now = np.zeros_like(now)
            if tracker.grows:
                now = np.where(tracker.long_enough(np.arange(len(now)), now, begun), now, 0)
            waited = np.maximum(tracker.longest, now) >= longest
            result &= tracker.references.by_rule(waited).all(axis=0)
        return result

    def keep(self, lanes: Any) -> None:
        """Drop all other lanes; call `end` for them first."""
        for tracker in self._trackers:
            tracks = tracker.references.tracks_of(lanes)
            tracker.longest = tracker.longest[tracks]
            if tracker.held is not None:
                tracker.held.keep(tracks)
        for references in self._references:
            references.keep(lanes)
        self._ids = self._ids[lanes]

    def end(self, lanes: Any, ends: Any) -> None:
        """End the lanes of these numbers before these epochs."""
        for tracker in self._trackers:
            if tracker.held is None:
                self._end_waits(tracker, lanes, ends)
                continue
            own = tracker.references
            tracks = np.concatenate(
                [lanes + number * own.lanes for number in range(len(own.rules))]
            )
            ended = np.tile(ends, len(own.rules))
            which = ~tracker.held.holding[tracks]
            tracks, ended = tracks[which], ended[which]
            begun, before = own.epoch[tracks], tracker.longest[tracks]
            self._note(tracker, tracks % own.lanes, tracks, begun, before, ended)
        self.collect()

    def best(self) -> tuple[Int32s, Floats]:
        """The best epoch so far of each lane, -1 for none, and its value."""
        epoch = self._best.epoch
        return epoch, np.where(epoch < 0, np.nan, self._best.value)

    def intervals(self) -> PatienceIntervals:
        """All intervals found."""
        self.collect()
        columns = [list(column) for column in zip(*self._intervals, strict=True)]
        self._intervals.clear()
        if not columns:
            types = ("i4", "i2", "i2", "i2", "i2", "f8")
            return PatienceIntervals(*(np.empty(0, dtype) for dtype in types))
        return PatienceIntervals(
            *(np.concatenate(columns.pop(0)) for _ in PatienceIntervals._fields)
        )


def _trackers(
    rules: Sequence[Patience], best: Best, batch: RunBatch, shortest: int, tuning: Tuning
) -> tuple[ReferenceTracker, list[_WaitTracker]]:
    """A tracker for the best, and trackers for the rules, which share one where possible."""
    as_rule = Patience(
        best.monitor,
        mode=best.mode,
        min_delta=best.min_delta,
        baseline=best.baseline,
        dtype=best.dtype,
        relative=best.relative,
        improvement=best.improvement.replace(
            first="taken" if best.improvement.first == "taken" else "judged"  # it does not wait
        ),
    )
    best_tracker = ReferenceTracker([as_rule], None, batch, tuning)
    plains = {as_rule: best_tracker}
    sharing: dict[tuple[Patience, bool, Dtype, Improvement, bool], list[int]] = {}
    trackers = []
    for number, rule in enumerate(rules):
        if rule.replace(patience=0) == as_rule:
            trackers.append(_WaitTracker(best_tracker, [number], shortest))
            continue
        plain = Patience(rule.monitor, mode=rule.mode, start_from_epoch=rule.start_from_epoch)
        look = plain, rule.terms.relative, rule.dtype, rule.improvement, rule.gate is not None
        sharing.setdefault(look, []).append(number)
    for (plain, relative, _, improvement, gated), numbers in sharing.items():
        by_plain = not relative and improvement == Improvement() and not gated
        if by_plain and plain not in plains:
            plains[plain] = ReferenceTracker([plain], None, batch, tuning)
        shared = [rules[number] for number in numbers]
        references = ReferenceTracker(shared, plains[plain] if by_plain else None, batch, tuning)
        trackers.append(_WaitTracker(references, numbers, shortest))
    return best_tracker, trackers


def _counted_down(counts: Any) -> Any:
    """For each of the counts, the numbers from one less down to 0, one after another."""
    ends = np.repeat(np.cumsum(counts), counts)
    return ends - 1 - np.arange(len(ends))
