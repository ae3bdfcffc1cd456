"""The closed form of `Patience`: how long runs waited, which answers every patience at once.

Call the epochs that set the reference t_1 < t_2 < ...: patience P stops at t_j + P for the first j
whose gap to t_(j+1) exceeds P. So only the gaps that are longer than all before them matter: each
owns the patience values between the longest gap before it and itself. A run has few of those, and
they answer every patience. Where a better best comes up within such a gap, which `min_delta` or
another metric to judge by allows, the gap is divided there. Where the patience grows with the run,
only gaps as long as the growth asks for at their epoch count, and the stop comes no earlier.

Improvements are sought with the rule's own `improves`; properties hold the outcome to its `step`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..history.history import Bools, History
from ..language.ops import Dtype
from ..language.rule import AnyOf, Rule
from ..rules import Best, Never, Patience
from . import batches as lanes_module
from .batches import (
    Epoch,
    RunBatch,
    Runs,
    TooManyLanesError,
    in_parts,
    numbers_of,
    part_of,
    program_for,
    slices,
)

__all__ = [
    "PatienceIntervals",
    "Waited",
    "grown",
    "scan_patience",
    "split_by_missing",
    "split_patience",
]

Ints = npt.NDArray[np.signedinteger[Any]]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

# Where more lanes than this share improve at an epoch, all are worked on rather than picked out.
_MANY = 1 / 4
# So many pieces are kept for the lanes of one pass, and so many lanes taken, times the rules. They
# bound the memory: a piece has 20 bytes, or 28 where runs are longer than 32,000 epochs.
_MOST_PIECES, _MOST_TRACKS = 1_200_000, 100_000
# So many are noted before pieces are made of them: a note takes more room.
_MOST_NOTES = 65536


class PatienceIntervals(NamedTuple):
    """Which epoch answers for which patience: arrays of shape (pieces,), as small as will do.

    The pieces of a track do not overlap, and come in the order of their patience.
    """

    track: Int32s  # the lane, plus the number of the rule times how many lanes there are
    first: Ints  # the smallest patience that the piece is about
    last: Ints  # and the largest
    reference_epoch: Ints  # the stop comes so many epochs after it as the patience says
    best_epoch: Ints  # the best up to the stop; -1: none
    best: Floats  # its value; NaN: none

    def only(self, which: Any) -> PatienceIntervals:
        """Some of them, with room to calculate."""
        whole = (array[which].astype(np.int32, copy=False) for array in self[:-1])
        return PatienceIntervals._make([*whole, self.best[which]])


def grown(rule: Patience, reference_epoch: Any) -> Any:
    """The shortest wait that the growth of a rule allows after these epochs; 0: any."""
    if not rule.growth:
        return 0
    asked = np.ceil(rule.growth * reference_epoch)
    asked[reference_epoch < rule.start_from_epoch] = 0.0  # there is no reference yet
    return np.minimum(asked, np.iinfo(np.int32).max).astype(np.int64)


class Waited(NamedTuple):
    """What a pass over lanes found.

    epochs, stopped, best_epoch, best: shape (lanes,): what holds for a patience that no piece is
    about: the other rule has ended the run, or its log. best_of_log: of the whole log; NaN: none.
    """

    pieces: PatienceIntervals
    epochs: npt.NDArray[np.int64]
    stopped: Bools
    best_epoch: Int32s
    best: Floats
    best_of_log: Floats


class _Tracks:
    """What rules compare with that differ in `min_delta` and `baseline`, and since when.

    A track is a rule on a lane; arrays have the lanes of one rule after those of another.

    plain: the tracks of the rule without `min_delta` and `baseline`, in float64. An epoch that
    improves on the reference of one of the rules is better than all epochs before it: had one of
    them been as good, it would have improved on the reference of its time, which was no harder to
    improve on (rounded to float32 or not: rounding keeps the order). So only
    where the plain reference improves the others have to be asked. None: everywhere (for a margin
    relative to the reference, rounding might have it otherwise).
    """

    def __init__(self, rules: Sequence[Patience], plain: _Tracks | None, lanes: RunBatch) -> None:
        self.rules, self.plain, self.monitor = rules, plain, rules[0].monitor
        self.start = min(rules[0].start_from_epoch, lanes.longest)
        self.lanes = len(lanes)
        self.value = np.repeat([rule.init().reference for rule in rules], self.lanes)
        self.epoch = np.full(len(self.value), self.start - 1, dtype=np.int32)
        self._min_delta = np.array([[rule.min_delta] for rule in rules])
        # The tracks that improve at this epoch: their numbers, or a truth for each if many do; and
        # in the first case, their lanes.
        self.improved: Any = np.empty(0, dtype=np.intp)
        self._improved_lanes = self.improved

    def look(self, epoch: Epoch) -> None:
        """See which tracks improve."""
        if epoch.number < self.start:
            return
        row, plain = epoch.row(self.monitor), self.plain
        if plain is not None and plain.improved.dtype != np.bool_:
            lanes = plain.improved
            references = self._by_rule(self.value).take(lanes, axis=1)
            improves = self.rules[0].improves(row[lanes], references, self._min_delta)
            rule, which = improves.nonzero()
            self._improved_lanes = lanes[which]
            self.improved = self._improved_lanes + rule * self.lanes
            return
        everything = np.empty((len(self.rules), self.lanes), dtype=np.bool_)
        for rule, value, improves in zip(
            self.rules, self._by_rule(self.value), everything, strict=True
        ):
            improves[:] = rule.improves(row, value)
        if epoch.inside is not None:
            everything &= epoch.inside
        improves = everything.ravel()
        if np.count_nonzero(improves) > _MANY * len(improves):
            self.improved = improves
            return
        self.improved = self._improved_lanes = improves.nonzero()[0]
        if len(self.rules) > 1:
            self._improved_lanes = self.improved % self.lanes

    def _by_rule(self, array: Any) -> Any:
        return array.reshape(len(self.rules), -1)

    def of(self, lanes: Any) -> Any:
        """The tracks of these lanes."""
        if len(self.rules) == 1:
            return lanes
        if lanes.dtype == np.bool_:
            return np.concatenate([lanes] * len(self.rules))
        return (np.arange(0, len(self.value), self.lanes)[:, None] + lanes).ravel()

    def move(self, epoch: Epoch) -> None:
        """Go on to the values of the tracks that improve."""
        tracks = self.improved
        if not len(tracks) or epoch.number < self.start:
            return
        row = epoch.row(self.monitor)
        if tracks.dtype == np.bool_:
            np.copyto(self._by_rule(self.value), row, where=self._by_rule(tracks))
            np.copyto(self.epoch, epoch.number, where=tracks)
        else:
            self.value[tracks] = row[self._improved_lanes]
            self.epoch[tracks] = epoch.number

    def keep(self, lanes: Any) -> None:
        """Go on with these lanes alone."""
        tracks = self.of(lanes)
        self.lanes = len(lanes)
        self.value, self.epoch = self.value[tracks], self.epoch[tracks]


class _Wait:
    """The longest waits on some tracks.

    numbers: those of the rules of the tracks. found: what has been found since the last block: the
    tracks, the longest wait before, the wait, since when, the best epoch by its end and its value.
    """

    def __init__(self, tracks: _Tracks, numbers: Sequence[int], shortest: int) -> None:
        self.tracks, self.numbers = tracks, np.array(numbers, dtype=np.int32)
        self.longest = np.full(len(tracks.value), shortest - 1, dtype=np.int32)
        self.found: list[tuple[Any, ...]] = []
        self.grows = any(rule.growth for rule in tracks.rules)

    def counts(self, tracks: Any, waited: Any, begun: Any) -> Any:
        """Have these tracks waited as long as growth asks for? Asked where `grows`."""
        asked = np.zeros(len(waited), dtype=np.int64)
        for number, rule in enumerate(self.tracks.rules):
            ours = tracks // self.tracks.lanes == number
            asked[ours] = grown(rule, begun[ours])
        return waited >= asked


class _Waits:
    """A pass over lanes, epoch by epoch, that finds the pieces of several rules.

    rules: each a `Patience`, all different, the patience aside; none may have gaps in its metric.
    judge: says which epoch is best. lanes: the lanes of the pass. shortest: the smallest patience
    that is asked for.
    """

    def __init__(
        self, rules: Sequence[Patience], judge: Best, lanes: RunBatch, shortest: int
    ) -> None:
        judging = Patience(
            judge.monitor,
            mode=judge.mode,
            min_delta=judge.min_delta,
            baseline=judge.baseline,
            dtype=judge.dtype,
        )
        self._judge = _Tracks([judging], None, lanes)
        plains = {judging: self._judge}
        alike: dict[tuple[Patience, bool, Dtype], list[int]] = {}
        self._waits = []
        for number, rule in enumerate(rules):
            if rule.replace(patience=0) == judging:
                self._waits.append(_Wait(self._judge, [number], shortest))
                continue
            plain = Patience(rule.monitor, mode=rule.mode, start_from_epoch=rule.start_from_epoch)
            alike.setdefault((plain, rule.relative, rule.dtype), []).append(number)
        for (plain, relative, _), numbers in alike.items():
            if not relative and plain not in plains:
                plains[plain] = _Tracks([plain], None, lanes)
            ours = [rules[number] for number in numbers]
            tracks = _Tracks(ours, None if relative else plains[plain], lanes)
            self._waits.append(_Wait(tracks, numbers, shortest))
        self._tracks = dict.fromkeys([*plains.values(), *(wait.tracks for wait in self._waits)])
        self._all, self._shortest = len(lanes), shortest
        self._ids = np.arange(self._all, dtype=np.int32)  # the lanes that are left
        self._pieces: list[PatienceIntervals] = []
        self._notes = 0
        self._kind = np.int16 if lanes.longest < np.iinfo(np.int16).max - 1 else np.int32
        self._room = _MOST_PIECES if self._all > 1 else np.inf

    def step(self, epoch: Epoch) -> None:
        """Take an epoch."""
        for tracks in self._tracks:
            tracks.look(epoch)
        for wait in self._waits:
            if epoch.number - wait.tracks.start < self._shortest:
                continue  # nobody can have waited so long
            # Where the best is another from now on, or the reference, another piece begins.
            self._divide(wait, self._judge.improved, epoch.number)
            if wait.tracks.plain is not self._judge and wait.tracks is not self._judge:
                tracks = wait.tracks.improved
                if tracks.dtype == np.bool_:
                    tracks = tracks.nonzero()[0]
                begun, before = wait.tracks.epoch[tracks], wait.longest[tracks]
                self._note(wait, tracks % wait.tracks.lanes, tracks, begun, before, epoch.number)
        for tracks in self._tracks:
            tracks.move(epoch)

    def _divide(self, wait: _Wait, lanes: Any, end: Any) -> None:
        """What has been waited on these lanes, before epoch `end`, is up to here a piece."""
        rules = len(wait.numbers)
        begun, before = wait.tracks.epoch, wait.longest
        if lanes.dtype == np.bool_:
            longer = (end - 1) - begun > before
            tracks = (longer & wait.tracks.of(lanes)).nonzero()[0]
            lanes = tracks if rules == 1 else tracks % wait.tracks.lanes
            self._note(wait, lanes, tracks, begun[tracks], before[tracks], end)
        elif rules == 1:
            self._note(wait, lanes, lanes, begun[lanes], before[lanes], end)
        elif len(lanes):
            begun = begun.reshape(rules, -1).take(lanes, axis=1)
            before = before.reshape(rules, -1).take(lanes, axis=1)
            rule, which = ((end - 1) - begun > before).nonzero()
            tracks = lanes[which] + rule * wait.tracks.lanes
            end = end if isinstance(end, int) else end[which]
            self._note(wait, lanes[which], tracks, begun[rule, which], before[rule, which], end)

    def _note(
        self, wait: _Wait, lanes: Any, tracks: Any, begun: Any, before: Any, end: Any
    ) -> None:
        """Note the waits that are longer than those before."""
        waited = (end - 1) - begun
        is_longer = waited > before
        if wait.grows:
            is_longer &= wait.counts(tracks, waited, begun)
        longer = is_longer.nonzero()[0]
        if not len(longer):
            return
        if len(longer) < len(waited):
            lanes, tracks, before = lanes[longer], tracks[longer], before[longer]
            begun, waited = begun[longer], waited[longer]
        wait.longest[tracks] = waited
        best_epoch = begun if wait.tracks is self._judge else self._judge.epoch[lanes]
        wait.found.append((tracks, before, waited, begun, best_epoch, self._judge.value[lanes]))
        self._room -= len(tracks)
        self._notes += len(tracks)
        if self._room < 0:
            raise TooManyLanesError
        if self._notes > _MOST_NOTES:
            self.collect()

    def collect(self) -> None:
        """Make pieces of what has been found; at the latest when lanes change."""
        self._notes = 0
        for wait in self._waits:
            if not wait.found:
                continue
            columns = zip(*wait.found, strict=True)
            tracks, before, last, since, best_epoch, best = map(np.concatenate, columns)
            wait.found.clear()
            lanes, rules = tracks, wait.numbers[0]
            if len(wait.numbers) > 1:
                rules, lanes = np.divmod(tracks, wait.tracks.lanes)
                rules = wait.numbers[rules]
            best[best_epoch < 0] = np.nan
            track = self._ids[lanes] + rules * np.int32(self._all)
            epochs = (each.astype(self._kind) for each in (before + 1, last, since, best_epoch))
            self._pieces.append(PatienceIntervals._make([track, *epochs, best]))

    def answered(self, longest: int, number: int) -> Bools:
        """The lanes that before this epoch have waited so long, for every rule."""
        result = np.ones(len(self._ids), dtype=np.bool_)
        for wait in self._waits:
            begun = wait.tracks.epoch
            now = (number - 1) - begun
            if wait.grows:
                now = np.where(wait.counts(np.arange(len(now)), now, begun), now, 0)
            waited = np.maximum(wait.longest, now) >= longest
            result &= waited.reshape(len(wait.numbers), -1).all(axis=0)
        return result

    def keep(self, lanes: Any) -> None:
        """Go on with these lanes alone; `end` has been called for the others."""
        for wait in self._waits:
            wait.longest = wait.longest[wait.tracks.of(lanes)]
        for tracks in self._tracks:
            tracks.keep(lanes)
        self._ids = self._ids[lanes]

    def end(self, lanes: Any, ends: Any) -> None:
        """These lanes, by number, end before these epochs."""
        for wait in self._waits:
            self._divide(wait, lanes, ends)
        self.collect()

    def best(self) -> tuple[Int32s, Floats]:
        """The best epoch so far of every lane, -1 for none, and its value."""
        epoch = self._judge.epoch
        return epoch, np.where(epoch < 0, np.nan, self._judge.value)

    def pieces(self) -> PatienceIntervals:
        """All pieces."""
        self.collect()
        columns = [list(column) for column in zip(*self._pieces, strict=True)]
        self._pieces.clear()
        if not columns:
            return PatienceIntervals(
                *(np.empty(0, kind) for kind in ("i4", "i2", "i2", "i2", "i2", "f8"))
            )
        return PatienceIntervals(
            *(np.concatenate(columns.pop(0)) for _ in PatienceIntervals._fields)
        )


def _cut(pieces: PatienceIntervals, ends: Any, rules: Sequence[Patience]) -> PatienceIntervals:
    """The pieces, for lanes that end before these epochs."""
    number, lane = np.divmod(pieces.track, len(ends))
    room = ends[lane] - 1 - pieces.reference_epoch
    pieces = pieces._replace(last=np.minimum(pieces.last, room).astype(pieces.last.dtype))
    there = pieces.last >= pieces.first
    for place, rule in enumerate(rules):
        if rule.growth:
            ours = (number == place).nonzero()[0]
            there[ours] &= grown(rule, pieces.reference_epoch[ours]) <= room[ours]
    return PatienceIntervals._make(array[there] for array in pieces)


def scan_patience(
    rules: Sequence[Patience],
    rest: Rule,
    judge: Best,
    history: History,
    runs: Runs,
    shortest: int = 1,
    longest: int | None = None,
) -> Iterator[tuple[Runs, Waited]]:
    """Find the pieces of rules that each stand beside the same `rest`: whichever fires first stops.

    judge: says which epoch is best. runs: which to take, one a lane; they are taken in parts where
    there are many pieces. shortest, longest: the patience values that are asked for, from and up
    to; with `longest`, a run that has waited so long is not followed any further, and what is found
    of its whole log is not to be used.
    """

    def work(runs: Runs) -> Waited:
        return _scan_patience(rules, rest, judge, history, runs, shortest, longest)

    count = len(numbers_of(runs))
    for part in slices(count, -(-count // -(-count * len(rules) // _MOST_TRACKS))):
        yield from in_parts(work, part_of(runs, part))


def _scan_patience(
    rules: Sequence[Patience],
    rest: Rule,
    judge: Best,
    history: History,
    runs: Runs,
    shortest: int,
    longest: int | None,
) -> Waited:
    """See `scan_patience`. Raises TooManyLanesError."""
    program = None if rest == Never() else program_for((rest,), history)
    metrics = {judge.monitor, *(rule.monitor for rule in rules)}
    lanes = RunBatch(history, runs, len(metrics) + (program.metrics if program else 0))
    waits = _Waits(rules, judge, lanes, shortest)
    epochs, stopped = lanes.lengths.copy(), np.zeros(len(lanes), dtype=np.bool_)
    best_epoch = np.full(len(lanes), -1, dtype=np.int32)
    best, best_of_log = np.full(len(lanes), np.nan), np.full(len(lanes), np.nan)
    ids = np.arange(len(lanes))  # the places in these arrays of the lanes that are left
    running = np.ones(len(lanes), dtype=np.bool_)  # of these: the other rule has not ended them
    if program is not None:
        program.start(len(lanes), lanes.longest)

    def leave(which: Any) -> None:
        waits.end(which, epochs[ids[which]])
        found, values = waits.best()
        best_of_log[ids[which]] = values[which]
        on = which[running[which]]
        best_epoch[ids[on]], best[ids[on]] = found[on], values[on]

    for block in lanes.blocks():
        waits.collect()
        if longest is not None and lanes.begun:
            done = waits.answered(longest, lanes.begun) | ~running | (lanes.lengths <= lanes.begun)
            if np.count_nonzero(done) > (1 - lanes_module.DENSE) * len(lanes):
                leave(done.nonzero()[0])
                left = (~done).nonzero()[0]
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
            if fires is False:
                continue
            ends = running & fires
            if epoch.inside is not None:
                ends &= epoch.inside
            if np.count_nonzero(ends):
                there, running = ids[ends], running & ~ends
                found, values = waits.best()
                epochs[there], stopped[there] = epoch.number + 1, True
                best_epoch[there], best[there] = found[ends], values[ends]
    if len(ids):
        leave(np.arange(len(ids)))
    pieces = waits.pieces()
    if program is not None:
        pieces = _cut(pieces, epochs, rules)
    return Waited(pieces, epochs, stopped, best_epoch, best, best_of_log)


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


def split_by_missing(
    names: Iterable[str], history: History, runs: Runs
) -> tuple[Runs | None, Runs | None]:
    """The runs that report these metrics at all epochs, and the others; None: there are none."""
    numbers = numbers_of(runs)
    lacks = np.zeros(len(numbers), dtype=np.bool_)
    for name in names:
        gaps = history.gaps(name)
        if name not in history.metrics:
            lacks[:] = True
        elif gaps is not None:
            lacks |= gaps[runs].any(axis=1)
    if not lacks.any():
        return runs, None
    return (None if lacks.all() else numbers[~lacks]), numbers[lacks]
