"""References: the value that a `Patience` rule compares with on each lane, and its epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...history import Bools
from ...language.improvement import Improvement
from ...rules import Patience
from ..batches import Epoch, RunBatch
from ..tuning import DEFAULT, Tuning

__all__ = ["ReferenceTracker"]


class ReferenceTracker:
    """Tracks the references of rules that differ only in `min_delta` and `baseline`.

    A *track* is a rule on a lane. Arrays have shape (tracks,): all lanes of the first rule, then
    all lanes of the second, and so on.

    value: the reference of each track.
    epoch: the epoch that set it; before the first improvement, the epoch before the rule starts.
    improved: the tracks that improve at the current epoch (with a gate: and beat it): their numbers
        or, if they are many, a boolean mask.
    plain: a tracker of the same rule in float64, without `min_delta` and `baseline`, or None. An
        epoch that improves on the reference of one of these rules is better than all epochs before
        it: an earlier epoch as good as it would have improved on the reference at that time, which
        was no harder to beat. Rounding to float32 keeps the order. So only tracks whose plain
        reference improves need to be compared. (With a relative margin, rounding might break this,
        and an `Improvement` of its own may, so `plain` is None.)
    """

    def __init__(
        self,
        rules: Sequence[Patience],
        plain: ReferenceTracker | None,
        batch: RunBatch,
        tuning: Tuning = DEFAULT,
    ) -> None:
        self.rules, self.plain, self.monitor = rules, plain, rules[0].monitor
        self.start = min(rules[0].start_from_epoch, batch.longest)
        self.lanes = len(batch)
        self.value = np.repeat([rule.init().reference for rule in rules], self.lanes)
        self.epoch = np.full(len(self.value), self.start - 1, dtype=np.int32)
        self.improved: Any = np.empty(0, dtype=np.intp)
        self._improved_lanes = self.improved  # the lane of each, unless `improved` is a mask
        self.gated = rules[0].gate is not None
        self.held: Any = None  # a mask of the tracks that improve but do not beat their gate
        self._unset = np.ones(len(self.value), dtype=np.bool_)  # only kept with a gate
        self._is_plain = not self.gated and rules[0].improvement == Improvement()
        self._moves_apart = self.gated or rules[0].improvement.moves_apart
        self._moves: Any = False  # a mask of the tracks whose value moves, if not the improved
        self._min_delta = np.array([[rule.min_delta] for rule in rules])
        self._many_share = tuning.many_share

    def compare(self, epoch: Epoch) -> None:
        """Find the tracks that improve at an epoch."""
        if epoch.number < self.start:
            return
        row = epoch.row(self.monitor)
        if self.plain is not None and self.plain.improved.dtype != np.bool_:
            self._compare_lanes(row, self.plain.improved)
        else:
            self._compare_all(row, epoch.inside)

    def _compare_lanes(self, row: Any, lanes: Any) -> None:
        references = self.by_rule(self.value).take(lanes, axis=1)
        improves = self.rules[0].improves(row[lanes], references, self._min_delta)
        rule, which = improves.nonzero()
        self._improved_lanes = lanes[which]
        self.improved = self._improved_lanes + rule * self.lanes

    def _compare_all(self, row: Any, inside: Any) -> None:
        improves = np.empty((len(self.rules), self.lanes), dtype=np.bool_)
        if self._is_plain:
            self._compare_plainly(row, inside, improves)
        else:
            improves = self._judge_all(row, inside, improves)
        tracks = improves.ravel()
        if self.gated or np.count_nonzero(tracks) > self._many_share * len(tracks):
            self.improved = tracks
            return
        self.improved = self._improved_lanes = tracks.nonzero()[0]
        if len(self.rules) > 1:
            self._improved_lanes = self.improved % self.lanes

    def _compare_plainly(self, row: Any, inside: Any, improves: Bools) -> None:
        tracked = zip(self.rules, self.by_rule(self.value), improves, strict=True)
        for rule, value, result in tracked:
            result[:] = rule.improves(row, value)
        if inside is not None:
            improves &= inside

    def _judge_all(self, row: Any, inside: Any, improves: Bools) -> Bools:
        """As `_compare_plainly`, for rules with an `Improvement` of their own, or a gate."""
        moves = self._moves_apart and np.empty_like(improves)
        tracked = self.by_rule(self.value), self.by_rule(self.epoch)
        for number, (rule, value, epoch) in enumerate(zip(self.rules, *tracked, strict=True)):
            judged = rule.judge(row, value, self._is_first(number, rule, epoch))
            improves[number] = judged.no_miss
            if moves is not False:
                moves[number] = judged.moves
        checks = self._checks(row, inside)
        if checks is not None:
            improves &= checks
            if moves is not False:
                moves &= checks
        self._moves = moves if moves is False else moves.ravel()
        return self._behind_gate(row, improves) if self.gated else improves

    def _is_first(self, number: int, rule: Patience, epoch: Any) -> Any:
        """A mask of the lanes on which a rule has had no value yet; False where nothing asks."""
        if not rule.improvement.asks_for_first:
            return False
        return self.by_rule(self._unset)[number] if self.gated else epoch < self.start

    def _behind_gate(self, row: Any, improves: Bools) -> Bools:
        """A mask of the improvements that end the wait; the others are held."""
        beats = np.array([rule.improves(row, rule.gate) for rule in self.rules])
        self.held = (improves & ~beats).ravel()
        self._unset &= ~improves.ravel()
        ending: Bools = improves & beats
        return ending

    def _checks(self, row: Any, inside: Any) -> Any:
        """A mask of the lanes on which the epoch is a check; None for all."""
        counts = self.rules[0].improvement.counts(row)
        if counts is True or inside is None:
            return inside if counts is True else counts
        return counts & inside

    def update(self, epoch: Epoch) -> None:
        """Set the epoch as the reference of the tracks that improve."""
        tracks = self.improved
        if epoch.number < self.start or (self._moves is False and not len(tracks)):
            return
        row = epoch.row(self.monitor)
        if self._moves is not False:
            np.copyto(self.by_rule(self.value), row, where=self.by_rule(self._moves))
            self.epoch[tracks] = epoch.number
        elif tracks.dtype == np.bool_:
            np.copyto(self.by_rule(self.value), row, where=self.by_rule(tracks))
            np.copyto(self.epoch, epoch.number, where=tracks)
        else:
            self.value[tracks] = row[self._improved_lanes]
            self.epoch[tracks] = epoch.number

    def keep(self, lanes: Any) -> None:
        """Drop all other lanes."""
        tracks = self.tracks_of(lanes)
        self.lanes = len(lanes)
        self.value, self.epoch = self.value[tracks], self.epoch[tracks]
        self._unset = self._unset[tracks]

    def by_rule(self, array: Any) -> Any:
        """An array over tracks reshaped to (rules, lanes)."""
        return array.reshape(len(self.rules), -1)

    def tracks_of(self, lanes: Any) -> Any:
        """The tracks of some lanes: numbers for numbers, a mask for a mask."""
        if len(self.rules) == 1:
            return lanes
        if lanes.dtype == np.bool_:
            return np.concatenate([lanes] * len(self.rules))
        return (np.arange(0, len(self.value), self.lanes)[:, None] + lanes).ravel()
