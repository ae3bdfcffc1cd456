"""The closed form of `Patience`: how long runs waited, which answers every patience at once.

Call the epochs that set the reference t_1 < t_2 < ...: patience P stops at t_j + P for the first j
whose gap to t_(j+1) exceeds P. So only the gaps that are longer than all before them matter: each
owns the patience values between the longest gap before it and itself. A run has few of those, and
they answer every patience. Where a better best comes up within such a gap, which `min_delta` or
another metric to judge by allows, the gap is divided there.

Improvements are sought with the rule's own `improves`; properties hold the outcome to its `step`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import lanes as lanes_module
from .history import Bools, History
from .lanes import Epoch, Lanes, program_for
from .rule import AnyOf, Rule
from .rules import Best, Never, Patience

__all__ = ["Pieces", "Waited", "split_patience", "waited", "without_gaps"]

Int32s = npt.NDArray[np.int32]

# Where more lanes than this share improve at an epoch, all are worked on rather than picked out.
_MANY = 1 / 8
# So many notes are kept for the lanes of one pass. They bound the memory: up to 40 bytes each.
_MOST_NOTES = 600_000


class _TooManyError(Exception):
    """More to note than there is room for: take fewer lanes at a time."""


class Pieces(NamedTuple):
    """Which epoch answers for which patience: int32 arrays of shape (pieces,).

    The pieces of a lane do not overlap, and come in the order of their patience.
    """

    lane: Int32s
    first: Int32s  # the smallest patience that the piece is about
    last: Int32s  # and the largest
    reference_epoch: Int32s  # the stop comes so many epochs after it as the patience says
    best_epoch: Int32s  # the best up to the stop; -1: none

    def only(self, which: Any) -> Pieces:
        return Pieces(*(array[which] for array in self))


class _Reference:
    """What a `Patience` compares with, one value a lane, and the epoch that set it.

    among: a reference of which this one is never ahead: where that one does not improve, this one
    does not either.
    """

    def __init__(self, rule: Patience, among: _Reference | None, lanes: Lanes) -> None:
        self.rule, self.among = rule, among
        self.start = min(rule.start_from_epoch, lanes.longest)
        self.value = np.full(len(lanes), rule.init().reference)
        self.epoch = np.full(len(lanes), self.start - 1, dtype=np.int32)
        # The lanes that improve at this epoch: their numbers, or a truth for each if many do.
        self.improved: Any = np.empty(0, dtype=np.intp)

    def look(self, row: Any, inside: Bools | None) -> None:
        """See which lanes improve on it."""
        among = None if self.among is None else self.among.improved
        if among is not None and among.dtype != np.bool_:
            self.improved = among[self.rule.improves(row[among], self.value[among])]
            return
        improves = self.rule.improves(row, self.value)
        if inside is not None:
            improves &= inside
        few = np.count_nonzero(improves) < _MANY * len(improves)
        self.improved = np.flatnonzero(improves) if few else improves

    def move(self, row: Any, number: int) -> None:
        """Go on to the values of the lanes that improve."""
        lanes = self.improved
        if lanes.dtype == np.bool_:
            np.copyto(self.value, row, where=lanes)
            np.copyto(self.epoch, number, where=lanes)
        elif len(lanes):
            self.value[lanes] = row[lanes]
            self.epoch[lanes] = number

    def keep(self, lanes: Any) -> None:
        """Go on with these lanes alone."""
        self.value, self.epoch = self.value[lanes], self.epoch[lanes]


class _Wait:
    """The waits for one reference that are longer than all before, lane by lane."""

    def __init__(self, reference: _Reference, shortest: int, lanes: int) -> None:
        self.reference = reference
        self.longest = np.full(lanes, shortest - 1, dtype=np.int32)
        self.notes: list[Pieces] = []


class _Waits:
    """A pass over lanes, epoch by epoch, that finds the pieces of several rules.

    rules: each a `Patience`, whose patience is left aside; none may have gaps in its metric.
    judge: says which epoch is best. lanes: the lanes of the pass. shortest: the smallest patience
    that is asked for.
    """

    def __init__(
        self,
        rules: Sequence[Patience],
        judge: Best,
        lanes: Lanes,
        shortest: int,
    ) -> None:
        self._lanes, self._references = lanes, dict[Patience, _Reference]()
        self._ids = np.arange(len(lanes), dtype=np.int32)
        self._judge = self._refer(
            Patience(judge.monitor, mode=judge.mode, min_delta=judge.min_delta)
        )
        self._waits = [
            _Wait(self._refer(rule.replace(patience=0)), shortest, len(lanes)) for rule in rules
        ]
        self._room = _MOST_NOTES if len(lanes) > 1 else math.inf

    def _refer(self, rule: Patience) -> _Reference:
        """The reference of a rule; one for all that have the same.

        An epoch that improves by more than `min_delta` on the reference is better than all epochs
        before it: had one of them been as good, it would have improved on the reference of its
        time, which was no harder to improve on. So few lanes have to be asked. (For a margin
        relative to the reference, rounding might have it otherwise.)
        """
        if rule not in self._references:
            plain = Patience(rule.monitor, mode=rule.mode, start_from_epoch=rule.start_from_epoch)
            among = None if rule == plain or rule.relative else self._refer(plain)
            self._references[rule] = _Reference(rule, among, self._lanes)
        return self._references[rule]

    def step(self, epoch: Epoch) -> None:
        """Take an epoch."""
        number = epoch.number
        begun = [each for each in self._references.values() if number >= each.start]
        for reference in begun:
            reference.look(epoch.row(reference.rule.monitor), epoch.inside)
        for wait in self._waits:
            # Where the best is another from now on, another piece begins.
            if number > wait.reference.start and wait.reference is not self._judge:
                self._note(wait, self._judge.improved, number)
            if number >= wait.reference.start and wait.reference.among is not self._judge:
                self._note(wait, wait.reference.improved, number)
        for reference in begun:
            reference.move(epoch.row(reference.rule.monitor), number)

    def _note(self, wait: _Wait, lanes: Any, end: Any) -> None:
        """What has been waited on these lanes, before epoch `end`, is up to here a piece."""
        epoch = wait.reference.epoch
        if lanes.dtype == np.bool_:
            lanes = np.flatnonzero(((end - 1) - epoch > wait.longest) & lanes)
        if not len(lanes):
            return
        waited, longest = (end - 1) - epoch[lanes], wait.longest[lanes]
        longer = waited > longest
        if not longer.any():
            return
        lanes, waited = lanes[longer], waited[longer].astype(np.int32, copy=False)
        first, best = longest[longer] + np.int32(1), self._judge.epoch[lanes]
        wait.notes.append(Pieces(self._ids[lanes], first, waited, epoch[lanes], best))
        wait.longest[lanes] = waited
        self._room -= len(lanes)
        if self._room < 0:
            raise _TooManyError

    def answered(self, longest: int, number: int) -> Bools:
        """The lanes that before this epoch have waited so long, for every rule."""
        result = np.ones(len(self._ids), dtype=np.bool_)
        for wait in self._waits:
            waited = np.maximum(wait.longest, (number - 1) - wait.reference.epoch)
            result &= waited >= longest
        return result

    def keep(self, lanes: Any) -> None:
        """Go on with these lanes alone; `end` has been called for the others."""
        self._ids = self._ids[lanes]
        for reference in self._references.values():
            reference.keep(lanes)
        for wait in self._waits:
            wait.longest = wait.longest[lanes]

    def end(self, lanes: Any, ends: Any) -> None:
        """These lanes, by number, end before these epochs."""
        for wait in self._waits:
            self._note(wait, lanes, ends)

    def best_epoch(self) -> Int32s:
        """The best epoch so far of every lane; -1: none."""
        return self._judge.epoch

    def pieces(self, ends: Any) -> Iterator[Pieces]:
        """The pieces of every rule, for lanes that end before these epochs."""
        nothing = Pieces(*(np.empty(0, dtype=np.int32) for _ in Pieces._fields))
        for wait in self._waits:
            notes = zip(*(wait.notes or [nothing]), strict=True)
            pieces = Pieces(*(np.concatenate(note) for note in notes))
            last = np.minimum(pieces.last, ends[pieces.lane] - 1 - pieces.reference_epoch)
            there = last >= pieces.first
            pieces = pieces._replace(last=last.astype(np.int32))
            yield pieces if there.all() else pieces.only(there)


class Waited(NamedTuple):
    """What a pass over lanes found.

    pieces: of every rule. epochs, stopped, best_epoch: shape (lanes,): what holds for a patience
    that no piece is about: the other rule has ended the run, or its log. best_of_log: the best
    epoch of the whole log; -1: none.
    """

    pieces: list[Pieces]
    epochs: npt.NDArray[np.int64]
    stopped: Bools
    best_epoch: Int32s
    best_of_log: Int32s


def waited(
    rules: Sequence[Patience],
    rest: Rule,
    judge: Best,
    history: History,
    runs: slice,
    shortest: int = 1,
    longest: int | None = None,
) -> list[tuple[slice, Waited]]:
    """Find the pieces of rules that each stand beside the same `rest`: whichever fires first stops.

    judge: says which epoch is best. runs: which to take, one a lane; they are taken in parts where
    there is much to note. shortest, longest: the patience values that are asked for, from and up
    to; with `longest`, a run that has waited so long is not followed any further, and what is found
    of its whole log is not to be used.
    """
    try:
        return [(runs, _waited(rules, rest, judge, history, runs, shortest, longest))]
    except _TooManyError:
        middle = (runs.start + runs.stop) // 2
        return [
            each
            for part in (slice(runs.start, middle), slice(middle, runs.stop))
            for each in waited(rules, rest, judge, history, part, shortest, longest)
        ]


def _waited(
    rules: Sequence[Patience],
    rest: Rule,
    judge: Best,
    history: History,
    runs: slice,
    shortest: int,
    longest: int | None,
) -> Waited:
    """See `waited`. Raises _TooManyError."""
    lanes = Lanes(history, runs)
    waits = _Waits(rules, judge, lanes, shortest)
    found = Waited(
        [],
        lanes.lengths.copy(),
        np.zeros(len(lanes), dtype=np.bool_),
        np.full(len(lanes), -1, dtype=np.int32),
        np.full(len(lanes), -1, dtype=np.int32),
    )
    ids = np.arange(len(lanes))  # the places in what is found of the lanes that are left
    running = np.ones(len(lanes), dtype=np.bool_)  # of these: the other rule has not ended them
    program = None
    if rest != Never():
        program = program_for((rest,), history)
        program.start(len(lanes), lanes.longest)

    def leave(which: Any) -> None:
        waits.end(which, found.epochs[ids[which]])
        best, there = waits.best_epoch()[which], ids[which]
        found.best_of_log[there] = best
        found.best_epoch[there] = np.where(found.stopped[there], found.best_epoch[there], best)

    for block in lanes.blocks():
        if longest is not None and lanes.begun:
            done = waits.answered(longest, lanes.begun) | ~running | (lanes.lengths <= lanes.begun)
            if np.count_nonzero(done) > (1 - lanes_module.DENSE) * len(lanes):
                leave(np.flatnonzero(done))
                left = np.flatnonzero(~done)
                ids, running = ids[left], running[left]
                if not len(left):
                    break
                for part in (lanes, waits, *([program] if program else [])):
                    part.keep(left)
        for epoch in block:
            waits.step(epoch)
            if program is None:
                continue
            (fires,) = program(epoch)
            if fires is not False:
                ends = running & fires
                if epoch.inside is not None:
                    ends &= epoch.inside
                if np.count_nonzero(ends):
                    there, running = ids[ends], running & ~ends
                    found.epochs[there], found.stopped[there] = epoch.number + 1, True
                    found.best_epoch[there] = waits.best_epoch()[ends]
    if len(ids):
        leave(np.arange(len(ids)))
    found.pieces.extend(waits.pieces(found.epochs))
    return found


def split_patience(rule: Rule) -> tuple[Rule, Patience] | None:
    """The rest of a rule, and the one `Patience` whose values can be answered at once; None: none.

    >>> from earlystop import MaxEpochs, Patience
    >>> split_patience(Patience("loss", 5) | MaxEpochs(100))
    (MaxEpochs(100), Patience('loss', patience=5, mode='min'))
    """
    parts = rule.rules if type(rule) is AnyOf else (rule,)
    ours = [part for part in parts if type(part) is Patience]  # a subclass may decide otherwise
    if len(ours) != 1:
        return None
    rest = tuple(part for part in parts if part is not ours[0])
    return (rest[0] if len(rest) == 1 else AnyOf(*rest)) if rest else Never(), ours[0]


def without_gaps(names: Iterable[str], history: History, runs: slice) -> bool:
    """Are these metrics reported at all epochs of the runs?"""
    return all(
        name in history.metrics and ((gaps := history.gaps(name)) is None or not gaps[runs].any())
        for name in names
    )
