"""`sweep`: what every combination of settings of a rule would have done on every run.

Settings go through the rules' own `step`, many at a time, over lanes (see `lanes.py`); the values
of one patience are answered all at once (see `waiting.py`). Runs are taken in blocks, and what a
block gives is added up exactly, so neither the blocks nor the threads they run on change a number.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from .._parallel import in_order, progress_bar
from ..errors import HistoryError, RuleError, RuleTypeError
from ..history.history import Bools, History, unreported
from ..language.rule import AnyOf, OnMissing, Rule
from ..language.settings import Count, Positive, validated
from ..replaying.batches import (
    RunBatch,
    Runs,
    blocks_of,
    in_parts,
    numbers_of,
    part_of,
    program_for,
    slices,
)
from ..replaying.patience import (
    PatienceIntervals,
    Waited,
    grown,
    scan_patience,
    split_by_missing,
    split_patience,
)
from ..replaying.replay import regret_of, require_all, run_by_run, values_at
from ..rules import ELAPSED, Best, Never, Patience
from .grid import Axis, apply_settings, axes_of, part_at, walk
from .totals import Totals, over_ranges

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Sweep", "default_best", "sweep"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Item = TypeVar("Item")

# Rules that are stepped together, and those whose patience is answered together: more share more,
# and keep more arrays in the cache.
_TOGETHER, _FAMILIES_TOGETHER = 32, 16
# Settings times runs below which they are stepped one by one.
_FEW = 100
# What blocks gave is kept for the arrays of single runs as long as it takes no more bytes than
# this; beyond that it is worked out again when asked for.
_KEEP = 12 * 2**20
# Arrays that are worked on at a time for quantiles take so many bytes.
_AT_A_TIME = 16 * 2**20
_PIECES_AT_A_TIME = 65536
_LARGEST_TABLE = 2**19


class Column(NamedTuple):
    """What one setting did on some runs: arrays of shape (runs,)."""

    epochs: npt.NDArray[Any]
    stopped: Bools
    best_epoch: npt.NDArray[Any]
    best: Floats
    regret: Floats


_DTYPES = {"epochs": "int64", "stopped": "bool", "best_epoch": "int64"}


# Settings that differ in one patience: answered at once -------------------------------------------


@dataclass(frozen=True)
class _Family:
    """Settings that differ in the patience of one `Patience`, which may stand in an any-of.

    patience: the `Patience`, its patience aside; rest: what it stands beside. values: of the
    patience, rising; places: of their settings.
    """

    patience: Patience
    rest: Rule
    values: Ints
    places: Ints

    def rules(self) -> Iterator[tuple[Rule, int]]:
        for value, place in zip(self.values.tolist(), self.places.tolist(), strict=True):
            yield self.rule(value), place

    def rule(self, patience: int) -> Rule:
        """The rule with a patience."""
        made = self.patience.replace(patience=patience)
        return made if self.rest == Never() else AnyOf(made, self.rest)


class _Answered:
    """What families did on a block of runs."""

    def __init__(self, families: list[_Family], judge: Best, found: Waited) -> None:
        self._families = families
        self._first_of = np.cumsum([0, *(len(family.values) for family in families)])
        self._lanes, self._mode = len(found.epochs), judge.mode
        self._of_log = found.best_of_log
        rest_regret = regret_of(found.best, found.best_of_log, judge.mode)
        self._otherwise = Column(
            found.epochs, found.stopped, found.best_epoch, found.best, rest_regret
        )
        self._pieces = found.pieces
        # For every family and patience, the first of its settings whose patience is not below it;
        # worked out beforehand where that is not much.
        largest = max(int(family.values[-1]) for family in families)
        self._table: Any = None
        if (largest + 2) * len(families) <= _LARGEST_TABLE:
            tracks = np.repeat(np.arange(len(families)) * self._lanes, largest + 2)
            every = np.tile(np.arange(largest + 2), len(families))
            self._table = self._nearest(tracks, every).reshape(len(families), -1)

    def _nearest(self, track: Any, patience: Any) -> Ints:
        family = track // self._lanes if len(self._families) > 1 else 0
        if self._table is not None:
            found: Ints = self._table[family, np.minimum(patience, self._table.shape[1] - 1)]
            return found
        nearest = np.empty(len(track), dtype=np.int64)
        for number, each in enumerate(self._families):
            ours = track // self._lanes == number
            nearest[ours] = self._first_of[number] + np.searchsorted(each.values, patience[ours])
        return nearest

    def _asked(self, which: Any) -> tuple[PatienceIntervals, Ints, Ints]:
        """Of these pieces those that answer a setting, and which: from, and to before which."""
        pieces = self._pieces.only(which)
        begin = self._nearest(pieces.track, pieces.first)
        end = self._nearest(pieces.track, pieces.last + 1)
        asked = begin < end
        if asked.all():
            return pieces, begin, end
        return pieces.only(asked), begin[asked], end[asked]

    def _grown(self, pieces: PatienceIntervals) -> Any:
        """The shortest wait that growth allows each piece."""
        least = np.zeros(len(pieces.track), dtype=np.int64)
        for number, family in enumerate(self._families):
            ours = pieces.track // self._lanes == number
            least[ours] = grown(family.patience, pieces.reference_epoch[ours])
        return least

    @property
    def settings(self) -> int:
        return int(self._first_of[-1])

    @property
    def nbytes(self) -> int:
        arrays = (*self._pieces, *self._otherwise, self._of_log)
        return sum(array.nbytes for array in arrays)

    def add_to(self, totals: Totals) -> None:
        """Add the runs of the block up, without a look at every run for every setting."""
        ours, rest = Totals(self.settings), self._otherwise
        values = np.concatenate([family.values for family in self._families])
        covered = np.repeat(self._first_of[:-1], self._lanes)
        for some in slices(len(self._pieces.track), _PIECES_AT_A_TIME):
            pieces, begin, end = self._asked(some)
            regret = regret_of(pieces.best, self._of_log[pieces.track % self._lanes], self._mode)
            # The epochs used are a number of their own, and the patience besides, or what growth
            # asks for where that is more.
            own = begin
            if any(family.patience.growth for family in self._families):
                least = self._grown(pieces)
                own = np.clip(self._nearest(pieces.track, least), begin, end)
                ours.epochs += over_ranges(begin, own, least, self.settings)
            ours.epochs += over_ranges(own, end, None, self.settings) * values
            ours.add_ranges(begin, end, pieces.reference_epoch + 1, regret)
            covered[pieces.track] = end  # of several pieces of a track, the last one stays
        last = np.repeat(self._first_of[1:], self._lanes)
        for some in slices(len(covered), _PIECES_AT_A_TIME):
            lanes = np.arange(some.start, some.stop) % self._lanes
            ours.add_ranges(covered[some], last[some], rest.epochs[lanes], rest.regret[lanes])
        ours.judged += int(np.count_nonzero(~np.isnan(rest.regret)))
        places = np.concatenate([family.places for family in self._families])
        totals.merge(ours, places)

    def columns(self, wanted: range) -> Iterator[tuple[int, slice, Column]]:
        """What each of these settings did on some of the lanes, part by part."""
        for number, family in enumerate(self._families):
            begin, end = number * self._lanes, (number + 1) * self._lanes
            ours = np.flatnonzero((self._pieces.track >= begin) & (self._pieces.track < end))
            settings = [
                each
                for each in zip(
                    itertools.count(int(self._first_of[number])),
                    family.values.tolist(),
                    family.places.tolist(),
                    strict=False,
                )
                if each[2] in wanted
            ]
            parts = max(1, len(ours) // _PIECES_AT_A_TIME)
            for lanes in slices(self._lanes if settings else 0, -(-self._lanes // parts)):
                track = self._pieces.track[ours] - begin
                there = ours[(track >= lanes.start) & (track < lanes.stop)]
                yield from self._columns_of(family, settings, lanes, there)

    def _columns_of(
        self, family: _Family, settings: list[tuple[int, int, int]], lanes: slice, which: Any
    ) -> Iterator[tuple[int, slice, Column]]:
        """What settings of a family did on some lanes, which these pieces are about.

        settings: of each the number, the patience and the place.
        """
        pieces, begin, _ = self._asked(which)
        order = np.argsort(begin, kind="stable")
        pieces, begin = pieces.only(order), begin[order]
        run = pieces.track % self._lanes
        regret = regret_of(pieces.best, self._of_log[run], self._mode)
        run -= lanes.start
        rest = Column._make(array[lanes] for array in self._otherwise)
        since, last = rest.epochs.copy(), np.zeros(len(rest.epochs), dtype=np.int32)
        least = np.zeros(len(since), dtype=np.int64)
        asked = np.broadcast_to(grown(family.patience, pieces.reference_epoch), run.shape)
        best_epoch, best, regrets = (array.copy() for array in rest[2:])
        taken = 0
        for number, patience, place in settings:
            new = slice(taken, int(np.searchsorted(begin, number, side="right")))
            taken, there = new.stop, run[new]
            since[there], last[there] = pieces.reference_epoch[new], pieces.last[new]
            best_epoch[there], best[there] = pieces.best_epoch[new], pieces.best[new]
            least[there] = asked[new]
            regrets[there] = regret[new]
            answered = last >= patience
            column = Column(
                np.where(answered, since + np.maximum(patience, least) + 1, rest.epochs),
                answered | rest.stopped,
                np.where(answered, best_epoch, rest.best_epoch),
                np.where(answered, best, rest.best),
                np.where(answered, regrets, rest.regret),
            )
            yield place, lanes, column

    def longest(self) -> Iterator[tuple[tuple[str, ...], npt.NDArray[Any]]]:
        """What the rules ask for, and up to which epoch one of them does."""
        for family in self._families:
            place, epochs = int(family.places[-1]), np.empty(self._lanes, dtype=np.int64)
            for _, lanes, column in self.columns(range(place, place + 1)):
                epochs[lanes] = column.epochs
            yield family.rule(0).all_metrics, epochs


# Any rule: settings side by side ------------------------------------------------------------------


class _Stepped:
    """What some rules did on a block of runs, through their own steps.

    Raises TooManyLanesError.
    """

    def __init__(
        self, rules: Sequence[tuple[Rule, int]], judge: Best, history: History, runs: Runs
    ) -> None:
        self._needs = [rule.all_metrics for rule, _ in rules]
        self._places = [place for _, place in rules]
        stops = [rule for rule, _ in rules]
        numbers = numbers_of(runs)
        self._epochs = [history.lengths[numbers].astype(np.int32) for _ in stops]
        self._stopped = [np.zeros(len(numbers), dtype=np.bool_) for _ in stops]
        self._best_epoch = [np.full(len(numbers), -1, dtype=np.int32) for _ in stops]
        best_of_log = np.full(len(numbers), -1, dtype=np.int32)
        if len(numbers) * len(stops) < _FEW:
            for number, stop in enumerate(stops):
                for lane, (epochs, stopped, best) in enumerate(
                    run_by_run(stop, judge, history, numbers)
                ):
                    self._epochs[number][lane], self._stopped[number][lane] = epochs, stopped
                    self._best_epoch[number][lane] = best
            for lane, (_, _, best) in enumerate(run_by_run(Never(), judge, history, numbers)):
                best_of_log[lane] = best
        else:
            self._in_lanes(stops, judge, history, runs, best_of_log)
        self._best_value = [
            values_at(history, judge.monitor, epochs, numbers) for epochs in self._best_epoch
        ]
        self._of_log = values_at(history, judge.monitor, best_of_log, numbers)
        self._mode = judge.mode

    def _in_lanes(
        self,
        stops: Sequence[Rule],
        judge: Best,
        history: History,
        runs: Runs,
        best: npt.NDArray[np.int32],
    ) -> None:
        """Step the rules over all runs at once; `best` is the best epoch so far of each."""
        program = program_for((*stops, judge), history)
        lanes = RunBatch(history, runs, program.metrics)
        ids = np.arange(len(lanes))
        running = [np.ones(len(lanes), dtype=np.bool_) for _ in stops]
        program.start(len(lanes), lanes.longest)
        for epoch in itertools.chain.from_iterable(lanes.blocks()):
            *answers, improves = program(epoch)
            np.copyto(best, epoch.number, where=_inside(improves, epoch.inside))
            for number, fires in enumerate(answers):
                if fires is False:
                    continue
                ends = running[number] & _inside(fires, epoch.inside)
                if np.count_nonzero(ends):
                    there = ids[ends]
                    self._epochs[number][there] = epoch.number + 1
                    self._stopped[number][there] = True
                    self._best_epoch[number][there] = best[ends]
                    np.logical_and(running[number], ~ends, out=running[number])
        for best_epoch, on in zip(self._best_epoch, running, strict=True):
            best_epoch[on] = best[on]

    @property
    def settings(self) -> int:
        return len(self._places)

    @property
    def nbytes(self) -> int:
        kinds = (self._epochs, self._stopped, self._best_epoch, self._best_value)
        return sum(array.nbytes for arrays in kinds for array in arrays)

    def add_to(self, totals: Totals) -> None:
        for place, _, column in self.columns(range(max(self._places) + 1)):
            totals.add(place, column.epochs, column.regret)

    def columns(self, wanted: range) -> Iterator[tuple[int, slice, Column]]:
        """What each of these settings did, on all lanes."""
        for place, epochs, stopped, best_epoch, best in zip(
            self._places,
            self._epochs,
            self._stopped,
            self._best_epoch,
            self._best_value,
            strict=True,
        ):
            if place in wanted:
                regret = regret_of(best, self._of_log, self._mode)
                column = Column(epochs, stopped, best_epoch, best, regret)
                yield place, slice(0, len(epochs)), column

    def longest(self) -> Iterator[tuple[tuple[str, ...], npt.NDArray[Any]]]:
        """What the rules ask for, and up to which epoch they do."""
        yield from zip(self._needs, self._epochs, strict=True)


def _inside(fires: Any, inside: Bools | None) -> Any:
    return fires if inside is None else fires & inside


# The work -----------------------------------------------------------------------------------------

_Outcome = _Answered | _Stepped
# Gives what some settings did on some runs, part by part.
_Task = Callable[[], Iterator[tuple[Runs, _Outcome]]]


@dataclass(frozen=True)
class _Families:
    """Families that share a pass over a block."""

    judge: Best
    rest: Rule
    families: list[_Family]

    @property
    def settings(self) -> int:
        return sum(len(family.values) for family in self.families)

    def tasks(self, history: History, runs: Runs) -> Iterator[_Task]:
        """What is to be done to know what they did on these runs."""
        monitors = [self.judge.monitor, *(family.patience.monitor for family in self.families)]
        whole, others = split_by_missing(monitors, history, runs)
        if whole is not None and len(numbers_of(whole)) * self.settings < _FEW:
            whole, others = None, runs  # an epoch in lanes costs as much as so many steps
        if whole is not None:
            yield functools.partial(self._answers, history, whole)
        if others is not None:
            rules = [rule for family in self.families for rule in family.rules()]
            for chunk in _chunks(rules, _TOGETHER):
                yield from _Rules(self.judge, chunk).tasks(history, others)

    def _answers(self, history: History, runs: Runs) -> Iterator[tuple[Runs, _Answered]]:
        patiences = [family.patience for family in self.families]
        for part, found in scan_patience(patiences, self.rest, self.judge, history, runs):
            yield part, _Answered(self.families, self.judge, found)


@dataclass(frozen=True)
class _Rules:
    """Rules, each with the place of its setting, that share a pass over a block."""

    judge: Best
    rules: list[tuple[Rule, int]]

    @property
    def settings(self) -> int:
        return len(self.rules)

    def tasks(self, history: History, runs: Runs) -> Iterator[_Task]:
        """What is to be done to know what they did on these runs."""
        yield functools.partial(self._steps, history, runs)

    def _steps(self, history: History, runs: Runs) -> Iterator[tuple[Runs, _Stepped]]:
        yield from in_parts(functools.partial(_Stepped, self.rules, self.judge, history), runs)


def _chunks(items: list[Item], size: int) -> Iterator[list[Item]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


class _Work:
    """Everything that a sweep has to do: groups of settings, over blocks of runs of histories.

    needs: the metrics that there have to be, each with who asks for it.
    """

    def __init__(
        self,
        histories: Iterable[History],
        groups: list[_Families | _Rules],
        needs: dict[str, str],
        on_missing: OnMissing,
        workers: int,
        progress: bool,
    ) -> None:
        self._histories, self._groups, self._needs = histories, groups, needs
        self._on_missing, self._workers, self._progress = on_missing, workers, progress
        self.monitors = tuple(dict.fromkeys(group.judge.monitor for group in groups))
        self.again = not isinstance(histories, Iterator)  # can the histories be read once more?
        self.seen: list[tuple[Ints, tuple[str, ...] | None]] = []  # lengths and names, as they came

    def outcomes(self) -> Iterator[tuple[Runs, _Outcome]]:
        """What some settings did on some runs, part by part, until all is done."""
        total = None
        if isinstance(self._histories, Sequence):
            self._require(_metrics_of(self._histories))  # it can be told before the work
            runs = sum(history.runs for history in self._histories)
            total = runs * sum(group.settings for group in self._groups)
        bar = None
        if self._progress:
            bar = progress_bar("sweep", total=total, unit="run", unit_scale=True)
        try:
            for first, parts in in_order(self._tasks(), self._workers):
                for part, outcome in parts:
                    runs = len(numbers_of(part))
                    done = runs * outcome.settings
                    yield _later(part, first), outcome
                    del outcome  # not to be held on to while the next is worked out
                    if bar is not None:
                        bar.update(done)
        finally:
            if bar is not None:
                bar.close()

    def _tasks(self) -> Iterator[Callable[[], tuple[int, Iterable[tuple[Runs, _Outcome]]]]]:
        before, self.seen, first = self.seen, [], 0
        for number, history in enumerate(self._checked()):
            self.seen.append((history.lengths, history.given_names))
            if before and not _same_lengths(before[number : number + 1], self.seen[-1:]):
                break
            for runs in blocks_of(history.runs):
                for group in self._groups:
                    for task in group.tasks(history, runs):
                        yield functools.partial(self._done, task, group, history, first)
            first += history.runs
        if before and not _same_lengths(before, self.seen):
            self.seen = before
            raise HistoryError(
                "`sweep`: the histories are not what they were when they were read first: what is "
                "iterated over must give the same ones again (or be a list, or an iterator)"
            )

    def _checked(self) -> Iterator[History]:
        """The histories; between them, they report every metric that is asked for."""
        there: set[str] = set()
        for history in self._histories:
            there |= _metrics_of([history])
            yield history
        self._require(there)

    def _require(self, there: set[str]) -> None:
        if not there:
            raise HistoryError("`sweep` needs at least one history, got none")
        for name, owner in self._needs.items():
            if name not in there:
                raise unreported(name, owner, there)

    def _done(
        self, task: _Task, group: _Families | _Rules, history: History, first: int
    ) -> tuple[int, Iterable[tuple[Runs, _Outcome]]]:
        parts = self._parts(task, group, history)
        return first, parts if self._workers == 1 else list(parts)  # else on another thread

    def _parts(
        self, task: _Task, group: _Families | _Rules, history: History
    ) -> Iterator[tuple[Runs, _Outcome]]:
        parts = task()
        while True:
            with np.errstate(all="ignore"):
                part = next(parts, None)
            if part is None:
                return
            if self._on_missing == "raise":
                for needs, epochs in part[1].longest():
                    names = dict.fromkeys((*needs, *group.judge.all_metrics))
                    require_all(tuple(names), history, epochs, part[0])
            yield part
            del part


def _later(runs: Runs, first: int) -> Runs:
    """The same runs, where so many come before them."""
    if isinstance(runs, slice):
        return slice(first + runs.start, first + runs.stop)
    return runs + first


def _same_lengths(one: Sequence[tuple[Ints, Any]], other: Sequence[tuple[Ints, Any]]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, b) for (a, _), (b, _) in zip(one, other, strict=True)
    )


def _metrics_of(histories: Iterable[Any]) -> set[str]:
    """The metrics that some epoch reports."""
    found: set[str] = set()
    for history in histories:
        if not isinstance(history, History):
            raise RuleTypeError(
                f"`sweep` takes a History, or several, got {type(history).__name__} among them"
            )
        found.update(filter(history.reports, history.metrics))
    return found


# The result ---------------------------------------------------------------------------------------


class Sweep:
    """What every setting of a grid would have done on every run.

    settings: a list of dicts, the product of the grid in its order.
    monitors: the metrics by which the best is told, one in most cases.
    epochs, stopped, best_epoch, best, regret: arrays of shape (settings, runs), made when first
        asked for. The summaries (`mean_epochs`, ...) do without them.

    >>> from earlystop import History, Patience, sweep
    >>> table = sweep(Patience("loss"), History({"loss": [[3.0, 4.0, 1.0]]}), patience=[1, 2])
    >>> table
    Sweep(Patience('loss', mode='min'): 2 settings of patience, 1 run)
    >>> table.best.tolist(), table.share_saved.round(2).tolist()
    ([[3.0], [1.0]], [0.33, 0.0])
    >>> table.to_dict()["mean_regret"]
    [2.0, 0.0]
    """

    def __init__(self, rule: Rule, settings: list[dict[str, Any]], work: _Work) -> None:
        self.rule, self.settings = rule, settings
        self.monitors = work.monitors
        self._work = work
        self._totals = Totals(len(settings))
        self._kept: list[tuple[Runs, _Outcome]] | None = []
        taken = 0
        for runs, outcome in work.outcomes():
            outcome.add_to(self._totals)
            taken += outcome.nbytes
            if taken > _KEEP:
                self._kept = None
            if self._kept is not None:
                self._kept.append((runs, outcome))
            del outcome
        self.lengths: Ints = np.concatenate([lengths for lengths, _ in work.seen])

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the runs; those that have none are called by their number."""
        names: list[str] = []
        for lengths, given in self._work.seen:
            first = len(names)
            names.extend(given or (f"run {first + place}" for place in range(len(lengths))))
        return tuple(names)

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self.lengths)

    def __len__(self) -> int:
        return len(self.settings)

    def __repr__(self) -> str:
        axes = ", ".join(self.settings[0])
        settings = f"{len(self)} setting{'s' if len(self) != 1 else ''}"
        runs = f"{self.runs} run{'s' if self.runs != 1 else ''}"
        return f"Sweep({self.rule!r}: {settings} of {axes}, {runs})"

    def columns(self, wanted: range) -> Iterator[tuple[int, Runs, Column]]:
        """What each of these settings did on some of the runs, part by part."""
        if self._kept is None and not self._work.again:
            raise HistoryError(
                "the histories came from an iterator, which is used up, and what each run did was "
                "too much to keep: for arrays and quantiles pass `sweep` a list, or an object that "
                "can be iterated over again"
            )
        for runs, outcome in self._work.outcomes() if self._kept is None else self._kept:
            for place, lanes, column in outcome.columns(wanted):
                yield place, part_of(runs, lanes), column

    @functools.cached_property
    def _arrays(self) -> Column:
        """All columns, one above the other: arrays of shape (settings, runs)."""
        shape = (len(self.settings), self.runs)
        made = Column(*(np.empty(shape, _DTYPES.get(name)) for name in Column._fields))
        for place, runs, column in self.columns(range(len(self.settings))):
            for array, part in zip(made, column, strict=True):
                array[place, runs] = part
        return made

    @property
    def epochs(self) -> Ints:
        """How many epochs each run would have lasted, int64, shape (settings, runs)."""
        return self._arrays.epochs

    @property
    def stopped(self) -> Bools:
        """Whether the rule ended the run, else its log did, shape (settings, runs)."""
        return self._arrays.stopped

    @property
    def best_epoch(self) -> Ints:
        """The best epoch up to the stop, by plain comparison; -1: none, shape (settings, runs)."""
        return self._arrays.best_epoch

    @property
    def best(self) -> Floats:
        """The value at the best epoch; NaN for none, shape (settings, runs)."""
        return self._arrays.best

    @property
    def regret(self) -> Floats:
        """How much worse `best` is than the best of the whole log: at least 0, the metric's unit.

        Infinite where a run was stopped before it had any best, NaN where its log has none.
        """
        return self._arrays.regret

    @property
    def mean_epochs(self) -> Floats:
        """Epochs used, the mean over runs, shape (settings,)."""
        means: Floats = self._totals.epochs / self.runs
        return means

    @property
    def share_saved(self) -> Floats:
        """The share of all logged epochs that would have been saved, shape (settings,)."""
        shares: Floats = 1 - self._totals.epochs / max(int(self.lengths.sum()), 1)
        return shares

    @functools.cached_property
    def mean_regret(self) -> Floats:
        """Regret, the mean over the runs whose log has a best, shape (settings,).

        The mean of all runs, rounded once: it does not depend on how they were taken.
        """
        means = self._totals.mean_regret()
        means.flags.writeable = False
        return means

    @functools.cached_property
    def knee(self) -> int | None:
        """The place of the setting beyond which more epochs bring little; None: there is none.

        Mean epochs and mean regret are both scaled to go from 0 to 1, from the cheapest setting to
        the cheapest of those with the least regret; the knee is the setting that lies farthest
        below the straight line between these two (the chord of Satopaa et al., "Finding a
        'Kneedle' in a Haystack", 2011). There is none where no setting lies below it. A setting
        with an infinite regret takes no part.

        >>> from earlystop import History, Patience, sweep
        >>> history = History({"loss": [[9.0, 5.0, 2.0, 2.1, 1.9, 2.0, 2.0, 2.0, 1.8, 2.0]]})
        >>> sweep(Patience("loss"), history, patience=range(1, 10)).knee
        1
        """
        epochs, regret = self.mean_epochs, self.mean_regret
        there = np.flatnonzero(np.isfinite(regret))
        if not len(there):
            return None
        order = there[np.lexsort((regret[there], epochs[there]))]  # the cheapest first
        cheapest, least = order[0], order[np.argmin(regret[order])]
        wide, high = epochs[least] - epochs[cheapest], regret[cheapest] - regret[least]
        if not (wide > 0 and high > 0):
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            used = (epochs[order] - epochs[cheapest]) / wide
            given_up = (regret[order] - regret[least]) / high
        below = 1 - used - given_up
        farthest = int(np.argmax(below))
        return int(order[farthest]) if below[farthest] > 0 else None

    def quantile_epochs(self, q: float) -> Floats:
        """Epochs used, a quantile over runs, shape (settings,).

        Raises RuleError for a quantile that is not from 0 to 1.
        """
        return self._quantiles("epochs", q)

    def quantile_regret(self, q: float) -> Floats:
        """Regret, a quantile over the runs whose log has a best, shape (settings,).

        Raises RuleError for a quantile that is not from 0 to 1.
        """
        return self._quantiles("regret", q)

    def _quantiles(self, name: str, q: float) -> Floats:
        if not isinstance(q, (int, float)) or not 0 <= q <= 1:
            raise RuleError(f"`quantile_{name}(q)` must be one number from 0 to 1, got {q!r}")
        result = np.empty(len(self.settings))
        for chunk in slices(len(self.settings), max(1, _AT_A_TIME // (8 * self.runs))):
            rows = np.empty((chunk.stop - chunk.start, self.runs))
            for place, runs, column in self.columns(range(chunk.start, chunk.stop)):
                rows[place - chunk.start, runs] = getattr(column, name)
            result[chunk] = [_quantile(row, float(q)) for row in rows]
        return result

    def plot(self, *, band: tuple[float, float] | None = (0.1, 0.9), ax: Any = None) -> Figure:
        """Draw the trade-off: mean regret over mean epochs used, with the knee marked.

        A line follows the axis of the grid with the most values; there is one for every combination
        of the others. Where these are more than seven, the settings are dots, and the line goes
        through those that no other beats in both.

        band: quantiles over runs between which the regret is shaded; None for no shade.
        ax: matplotlib axes to draw on, instead of a new figure.

        Gives the matplotlib figure: `table.plot().savefig("picture.png")`. Needs matplotlib: `pip
        install "earlystop[plot]"`.

        Raises RuleError for arguments that make no sense, ImportError without matplotlib, and
        HistoryError for a band where the quantiles are not to be had (see `sweep`).

        >>> from earlystop import History, Patience, sweep
        >>> table = sweep(Patience("loss"), History({"loss": [3.0, 4.0, 1.0]}), patience=[1, 2])
        >>> table.plot().axes[0].get_xlabel()
        'mean epochs used'
        """
        from ..plotting import plot_sweep

        return plot_sweep(self, band=band, ax=ax)

    def to_dict(self) -> dict[str, list[Any]]:
        """One row a setting, as columns: the settings, mean epochs, share saved, mean regret.

        `pandas.DataFrame(table.to_dict())` makes a frame of it. What takes Arrow data takes the
        sweep as it is: `polars.DataFrame(table)`, `pyarrow.table(table)`,
        `pandas.DataFrame.from_arrow(table)` (pandas 3 or later).
        """
        columns: dict[str, list[Any]] = {
            name: [setting[name] for setting in self.settings] for name in self.settings[0]
        }
        for name in ("mean_epochs", "share_saved", "mean_regret"):
            columns[name] = getattr(self, name).tolist()
        return columns

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """`to_dict` for what takes Arrow data, such as `polars.DataFrame(table)`.

        Rules among the settings are written as text. Raises ImportError without pyarrow.
        """
        try:
            import pyarrow
        except ImportError as error:
            raise ImportError(
                'a sweep as Arrow data needs pyarrow: pip install "earlystop[arrow]"'
            ) from error
        plain = (int, float, str, type(None))
        columns = {
            name: [value if isinstance(value, plain) else repr(value) for value in values]
            for name, values in self.to_dict().items()
        }
        stream: object = pyarrow.table(columns).__arrow_c_stream__(requested_schema)
        return stream


def _quantile(values: Floats, q: float) -> float:
    """As np.quantile has it, but for NaN, which is left out, and between infinite neighbours."""
    there = values[~np.isnan(values)]
    if not len(there):
        return np.nan
    if np.isfinite(there).all():
        return float(np.quantile(there, q))
    there.sort()
    below, share = divmod(q * (len(there) - 1), 1.0)
    low, high = there[int(below)], there[min(int(below) + 1, len(there) - 1)]
    return float(low if share == 0 or low == high else low + (high - low) * share)


def sweep(
    rule: Rule,
    history: History | Iterable[History],
    /,
    *,
    save: Best | None = None,
    on_missing: OnMissing = "skip",
    workers: int = 1,
    progress: bool = False,
    **grid: Iterable[Any],
) -> Sweep:
    """What every combination of settings would have done on every run of a history.

    rule: the stop rule.
    history: or several, one after the other: a list, or any iterable, such as one that reads them
        from files. They count as one. For arrays and quantiles of large histories they are read
        once more, so their values must stay as they are; an iterator, which can be read only once,
        then has only means to give.
    save: says which epoch is best; the plain best of the first metric that the rule watches in a
        direction, if left out.
    on_missing: see `replay`. "raise" is checked for every setting.
    workers: threads to work on blocks of some 16,000 runs. The numbers do not depend on it.
        Whether they pay depends on the machine and the rule: `benchmarks/` measures it.
    progress: show a progress bar (needs tqdm: `pip install "earlystop[progress]"`).
    grid: fields of the rule, each with its values. A field of a part is named likewise where only
        one part has it, else with the place of the part: `**{"0.patience": [5, 10]}`.

    Above the histories and the result it takes at most 64 MB with one worker, and about as much
    more for each other. (A single run is not taken in parts.)

    Raises RuleError for fields that there are not and values that a rule cannot have,
    MissingMetricError for a metric that no epoch of the history reports.

    >>> from earlystop import History, Patience, sweep
    >>> history = History({"val_loss": [[4.0, 3.0, 3.5, 3.6, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0]]})
    >>> table = sweep(Patience("val_loss"), history, patience=[1, 2, 3])
    >>> table.settings[1], table.epochs[1], table.regret[1]
    ({'patience': 2}, array([4, 5]), array([1., 0.]))
    >>> table.mean_epochs, table.mean_regret
    (array([4. , 4.5, 5. ]), array([0.5, 0.5, 0. ]))
    """
    if not isinstance(rule, Rule):
        raise RuleTypeError(
            f"`sweep(rule)` must be a rule, such as Patience('val_loss'), got {rule!r}"
        )
    histories = [history] if isinstance(history, History) else history
    if isinstance(histories, (str, Mapping)) or not isinstance(histories, Iterable):
        raise RuleTypeError(f"`sweep` takes a History, or several, got {type(history).__name__}")
    axes = axes_of(rule, grid)
    values = [axis.values for axis in axes.values()]
    settings = [dict(zip(axes, each, strict=True)) for each in itertools.product(*values)]
    if save is not None and (type(save) is not Best or save != Best(save.monitor, mode=save.mode)):
        raise RuleTypeError(
            f"`sweep(save=...)` must be a Best without min_delta, baseline or dtype, got {save!r}"
        )
    if on_missing not in ("raise", "skip"):
        raise RuleError(f'`sweep(on_missing=...)` must be "raise" or "skip", got {on_missing!r}')
    workers = validated(Positive, workers, "sweep(workers=...)")
    progress = validated(bool, progress, "sweep(progress=...)")
    groups, needs = _grouped(rule, axes, settings, save)
    work = _Work(histories, groups, needs, on_missing, workers, progress)
    return Sweep(rule, settings, work)


def default_best(rule: Rule) -> Best:
    """The plain best of the first metric that a rule watches, in a direction if one does.

    Raises RuleError for a rule that watches none.
    """
    watching = [part.settings for part in walk(rule) if "monitor" in part.settings]
    for settings in sorted(watching, key=lambda settings: "mode" not in settings):
        if settings["monitor"] != ELAPSED:
            return Best(settings["monitor"], mode=settings.get("mode", "auto"))
    raise RuleError(
        f"`sweep`: {rule!r} does not say which metric is to be best: pass save=Best('val_loss')"
    )


def _grouped(
    rule: Rule, axes: Mapping[str, Axis], settings: list[dict[str, Any]], save: Best | None
) -> tuple[list[_Families | _Rules], dict[str, str]]:
    """The settings in groups that share the work; and what they need, each with who asks for it."""
    quick = _patience_axis(rule, axes)
    sizes = [len(axis.values) for axis in axes.values()]
    places: Any = np.arange(len(settings)).reshape(sizes)
    patience = np.zeros(1, dtype=np.int64)
    if quick is None:
        places = places.reshape(-1, 1)
    else:
        patience = np.array([_patience(value) for value in axes[quick].values], dtype=np.int64)
        places = np.moveaxis(places, list(axes).index(quick), -1).reshape(-1, len(patience))
    needs: dict[str, str] = {}
    families: dict[tuple[Best, Rule, Patience], list[tuple[Ints, Ints]]] = {}
    alone: dict[Best, list[tuple[Rule, int]]] = {}
    for row in places:  # settings that differ in that patience alone
        made = apply_settings(rule, axes, settings[row[0]])
        judge = default_best(made) if save is None else save
        for part in (made, judge):
            for name in part.all_metrics:
                needs.setdefault(name, repr(part))
        split = None if quick is None else split_patience(made)
        if split is not None:
            rest, first = split
            families.setdefault((judge, rest, first.replace(patience=0)), []).append(
                (patience, row)
            )
            continue
        for place in row.tolist():
            made = apply_settings(rule, axes, settings[place])
            alone.setdefault(judge, []).append((made, place))
    groups: list[_Families | _Rules] = []
    together: dict[tuple[Best, Rule], list[_Family]] = {}
    for (judge, rest, first), members in families.items():
        values, row = (np.concatenate(part) for part in zip(*members, strict=True))
        rising = np.argsort(values, kind="stable")
        family = _Family(first, rest, values[rising], row[rising])
        together.setdefault((judge, rest), []).append(family)
    for (judge, rest), ours in together.items():
        groups += [_Families(judge, rest, some) for some in _chunks(ours, _FAMILIES_TOGETHER)]
    for judge, rules in alone.items():
        groups += [_Rules(judge, some) for some in _chunks(rules, _TOGETHER)]
    return groups, needs


def _patience(value: Any) -> int:
    if type(value) is not int or value < 0:
        value = validated(Count, value, "Patience(patience=...)")
    return int(min(max(value, 1), np.iinfo(np.int32).max - 1))  # no run is longer


def _patience_axis(rule: Rule, axes: Mapping[str, Axis]) -> str | None:
    """Which axis is the patience of the rule, or of a part of an any-of."""
    for name, axis in axes.items():
        near = not axis.place or (len(axis.place) == 1 and type(rule) is AnyOf)
        if axis.field == "patience" and near and type(part_at(rule, axis.place)) is Patience:
            return name
    return None
