"""The pass over a batch that finds which dials of an `AdaptivePatience` fire at which check.

For the theory, with an example, see `earlystop.replaying.score`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ...engine.vectorized import VectorProgram, compile_vectorized
from ...history import Bools, History
from ...language.rule import AnyOf, Rule
from ...rules import AdaptivePatience, Best, Never
from ..batches import (
    Epoch,
    RunBatch,
    Runs,
    TooManyLanesError,
    finite_runs,
    run_numbers,
    split_to_fit,
)
from ..interpreted import InterpretedSteps, steps_for
from ..regret import values_at
from ..tuning import DEFAULT, Tuning
from .ladder import Ladder

__all__ = ["Rises", "ScoreScan", "Spans", "scan_scores", "split_adaptive"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]
Int32s = npt.NDArray[np.int32]


class Spans(NamedTuple):
    """Levels that a lane reached while one check was the best; arrays of shape (spans,).

    The spans of a lane are disjoint, ascending, and together all levels that it reached.
    """

    lane: Ints
    begin: Ints  # the first of the dials that fired
    end: Ints  # the one after the last
    best_epoch: Ints  # the best epoch up to then; -1 for none
    best: Floats  # its value; NaN for none


class Rises(NamedTuple):
    """Where the level of a lane rises, in the order of the epochs; arrays of shape (rises,)."""

    lane: Ints
    begin: Ints  # the first of the dials that fire there
    end: Ints  # the one after the last
    epoch: Ints


class ScoreScan(NamedTuple):
    """What a scan found; arrays of shape (lanes,), unless it says otherwise.

    rises: the dials that fired, by the epoch.
    spans: the dials that fired, by the best of the time.
    level: how many dials fired.
    epochs, stopped, best_epoch, best: the outcome for dials that did not fire. The run is then
        ended by the other rule (stopped), or by its log.
    best_of_log: the best value of the whole log; NaN for none.
    """

    rises: Rises
    spans: Spans
    level: Ints
    epochs: npt.NDArray[np.int64]
    stopped: Bools
    best_epoch: Int32s
    best: Floats
    best_of_log: Floats


def scan_scores(
    rule: AdaptivePatience,
    dials: Floats,
    rest: Rule,
    best: Best,
    history: History,
    runs: Runs,
    tuning: Tuning = DEFAULT,
) -> Iterator[tuple[Runs, ScoreScan]]:
    """Find which dials fire where, of `rule | rest`, whose own dial is ignored.

    dials: in ascending order.
    best: decides which epoch is best.
    runs: the runs to scan; their metrics must not have gaps.

    Yields the runs in parts, each with its scan; parts are smaller if levels rise often.
    """

    for some, finite in _by_finiteness(history, rule.monitor, runs, tuning):

        def scan(part: Runs, finite: bool = finite) -> ScoreScan:
            return _ScorePass(rule, dials, rest, best, history, part, finite, tuning).scan()

        yield from split_to_fit(scan, some)


class _ScorePass:
    """One pass over a batch; arrays have one entry per lane."""

    def __init__(
        self,
        rule: AdaptivePatience,
        dials: Floats,
        rest: Rule,
        best: Best,
        history: History,
        runs: Runs,
        finite: bool,
        tuning: Tuning,
    ) -> None:
        self._squares = Ladder(dials * dials)
        self._rest: VectorProgram | InterpretedSteps | None = None
        if rest != Never():
            self._rest = steps_for((rest,), history, tuning)
        self._history, self._monitor = history, best.monitor
        self._steps = _program_of(rule, best, finite)
        read = self._steps.metrics + (self._rest.metrics if self._rest else 0)
        self._batch = RunBatch(history, runs, read, tuning)
        lanes = len(self._batch)
        # Small types: the numbers of lanes are sorted, which is much faster for 16 bits.
        self._numbers = np.uint16 if lanes <= 2**16 else np.int32
        self._level = np.zeros(lanes, self._squares.kind)
        self._to_reach = self._squares.next(self._level)
        self._best_epoch = np.full(lanes, -1, np.int32)  # so far
        self._begun = np.zeros(lanes, np.bool_)  # whether a level was reached with this best
        none = np.zeros(0, self._numbers), self._level[:0]
        self._rises: list[tuple[int, Ints, Ints, Ints]] = [(0, *none, none[1])]
        self._begins: list[tuple[Ints, Ints, Int32s, Floats]] = [  # of spans
            (*none, np.zeros(0, np.int32), np.zeros(0))
        ]
        self._room = tuning.rises if lanes > 1 else np.inf
        self._epochs = self._batch.lengths.copy()
        self._ended = np.zeros(lanes, dtype=np.bool_)  # by the other rule
        self._kept = np.full(lanes, -1, np.int32), np.full(lanes, np.nan)  # the best at the end
        for program in (self._steps, *([self._rest] if self._rest else [])):
            program.start(lanes, self._batch.longest)

    def scan(self) -> ScoreScan:
        """Make the pass. Raises TooManyLanesError if the memory limit is exceeded."""
        for block in self._batch.blocks():
            for epoch in block:
                score, improves, best = self._steps(epoch)
                self._find_best(epoch, improves)
                self._raise_levels(epoch, score, best)
                if self._rest is not None:
                    self._step_rest(epoch, self._rest, best)
        running, best_epoch = ~self._ended, self._best_epoch
        best = values_at(self._history, self._monitor, best_epoch, self._batch.runs)
        kept_epoch, kept = self._kept
        kept_epoch[running], kept[running] = best_epoch[running], best[running]
        return ScoreScan(
            _rises_of(self._rises),
            _spans_of(self._begins, self._level),
            self._level,
            self._epochs,
            self._ended,
            kept_epoch,
            kept,
            best,
        )

    def _find_best(self, epoch: Epoch, improves: Bools) -> None:
        if epoch.inside is not None:
            improves = improves & epoch.inside
        np.copyto(self._best_epoch, epoch.number, where=improves)
        np.greater(self._begun, improves, out=self._begun)  # and not

    def _raise_levels(self, epoch: Epoch, score: Floats, best: Floats) -> None:
        rises = score >= self._to_reach
        if epoch.inside is not None:
            rises &= epoch.inside
        if self._rest is not None:
            rises &= ~self._ended
        lanes = rises.nonzero()[0]
        if not len(lanes):
            return
        self._room -= len(lanes)
        if self._room < 0:
            raise TooManyLanesError
        before, level = self._level[lanes], self._squares.levels(score[lanes])
        self._level[lanes], self._to_reach[lanes] = level, self._squares.next(level)
        numbers = lanes.astype(self._numbers)
        self._rises.append((epoch.number, numbers, before, level))
        begin = np.logical_not(self._begun[lanes]).nonzero()[0]
        if not len(begin):
            return
        if len(begin) < len(lanes):
            lanes, numbers, before = lanes[begin], numbers[begin], before[begin]
        self._begun[lanes] = True
        self._begins.append((numbers, before, self._best_epoch[lanes], best[lanes]))

    def _step_rest(
        self, epoch: Epoch, rest: VectorProgram | InterpretedSteps, best: Floats
    ) -> None:
        (fires,) = rest(epoch)
        if fires is False:
            return
        ends = ~self._ended & fires
        if epoch.inside is not None:
            ends &= epoch.inside
        lanes = ends.nonzero()[0]
        if len(lanes):
            kept_epoch, kept = self._kept
            self._ended[lanes], self._epochs[lanes] = True, epoch.number + 1
            kept_epoch[lanes] = self._best_epoch[lanes]
            kept[lanes] = np.where(kept_epoch[lanes] < 0, np.nan, best[lanes])


def _rises_of(found: list[tuple[int, Ints, Ints, Ints]]) -> Rises:
    """The rises that were found, epoch by epoch."""
    epochs, *columns = zip(*found, strict=True)
    lane, begin, end = (np.concatenate(column) for column in columns)
    counts = [len(column) for column in columns[0]]
    return Rises(lane, begin, end, np.repeat(np.array(epochs, np.int32), counts))


def _spans_of(found: list[tuple[Ints, Ints, Int32s, Floats]], level: Ints) -> Spans:
    """The spans whose begins were found, epoch by epoch; each ends where the next one begins."""
    lane, begin, best_epoch, best = (np.concatenate(x) for x in zip(*found, strict=True))
    order = np.argsort(lane, kind="stable")
    by_lane, end = lane[order], np.empty_like(begin)
    end[order[:-1]] = begin[order[1:]]
    last = order[np.append(by_lane[1:] != by_lane[:-1], True)[: len(lane)]]
    end[last] = level[lane[last]]
    best[best_epoch < 0] = np.nan
    return Spans(lane, begin, end, best_epoch, best)


@dataclass(frozen=True)
class _Answering:
    """Something that steps as a rule does, and answers with a number."""

    rule: Any
    answers = "float"

    @property
    def metrics(self) -> tuple[str, ...]:
        found: tuple[str, ...] = self.rule.metrics
        return found

    def init(self) -> Any:
        return self.rule.init()


class _Score(_Answering):
    """Answers with the score of an `AdaptivePatience`."""

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        after, _ = self.rule.follow(state, metrics[self.rule.monitor])
        return after, self.rule.score(after)


class _BestValue(_Answering):
    """Answers with the best so far of a `Best`."""

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        after, _ = self.rule.step(state, metrics, epoch)
        return after, after.best


def _program_of(rule: AdaptivePatience, best: Best, finite: bool) -> VectorProgram:
    """A program that gives the score of a rule, whether there is a new best, and the best so far.

    Every epoch reports the metrics. What scores and bests have in common is computed once.

    finite: whether the metric of the rule has no NaN and no infinity.
    """
    plain = Best(best.monitor, best.mode)
    steps: Any = (_Score(rule), plain, _BestValue(plain))
    names = tuple(dict.fromkeys((rule.monitor, best.monitor)))
    known = frozenset({rule.monitor}) if finite else frozenset()
    # Not None: no state holds a window.
    return cast(VectorProgram, compile_vectorized(steps, names, frozenset(), known))


def _by_finiteness(
    history: History, monitor: str, runs: Runs, tuning: Tuning
) -> Iterator[tuple[Runs, bool]]:
    """The runs; if many are finite, those with a NaN or an infinity come apart from them.

    Yields runs, and whether all their values are finite.
    """
    finite = finite_runs(history, monitor, runs, tuning)
    count = np.count_nonzero(finite)
    if count in (0, len(finite)) or count < tuning.runs_apart:
        yield runs, count == len(finite)
        return
    numbers = run_numbers(runs)
    yield numbers[finite], True
    yield numbers[~finite], False


def split_adaptive(rule: Rule) -> tuple[Rule, AdaptivePatience] | None:
    """Split a rule into its only `AdaptivePatience` and the rest; None for another form.

    >>> from earlystop import AdaptivePatience, MaxEpochs
    >>> split_adaptive(MaxEpochs(9) | AdaptivePatience("loss", 30))
    (MaxEpochs(9), AdaptivePatience('loss', patience=30.0, mode='min'))
    """
    members = rule.rules if type(rule) is AnyOf else (rule,)
    found = [member for member in members if type(member) is AdaptivePatience]
    if len(found) != 1:
        return None
    rest = tuple(member for member in members if member is not found[0])
    return (rest[0] if len(rest) == 1 else AnyOf(*rest)) if rest else Never(), found[0]
