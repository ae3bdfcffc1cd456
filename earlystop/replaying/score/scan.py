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
from ...rules import AdaptivePatience, Best, Never, Patience
from ..batches import Epoch, RunBatch, Runs, TooManyLanesError, split_to_fit
from ..interpreted import InterpretedSteps, steps_for
from ..patience.references import ReferenceTracker
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

    def scan(part: Runs) -> ScoreScan:
        return _ScorePass(rule, dials, rest, best, history, part, tuning).scan()

    return split_to_fit(scan, runs)


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
        tuning: Tuning,
    ) -> None:
        self._squares = Ladder(dials * dials)
        self._rest: VectorProgram | InterpretedSteps | None = None
        if rest != Never():
            self._rest = steps_for((rest,), history, tuning)
        self._scores = _program_of(rule)
        read = len({best.monitor, rule.monitor}) + (self._rest.metrics if self._rest else 0)
        self._batch = RunBatch(history, runs, read, tuning)
        lanes = len(self._batch)
        plain = Patience(best.monitor, mode=best.mode)
        self._best = ReferenceTracker([plain], None, self._batch, tuning)
        small = len(dials) <= np.iinfo(np.int16).max
        kind = np.int16 if small else np.int32
        self._level, self._begun = np.zeros(lanes, kind), np.zeros(lanes, kind)
        self._to_reach = self._squares.next(self._level)
        self._rises: list[Rises] = []
        self._spans: list[Spans] = []
        self._room = tuning.rises if lanes > 1 else np.inf
        self._epochs = self._batch.lengths.copy()
        self._ended = np.zeros(lanes, dtype=np.bool_)  # by the other rule
        self._best_epoch, self._best_value = np.full(lanes, -1, np.int32), np.full(lanes, np.nan)
        for program in (self._scores, *([self._rest] if self._rest else [])):
            program.start(lanes, self._batch.longest)

    def scan(self) -> ScoreScan:
        """Make the pass. Raises TooManyLanesError if the memory limit is exceeded."""
        for block in self._batch.blocks():
            for epoch in block:
                self._find_best(epoch)
                self._raise_levels(epoch)
                if self._rest is not None:
                    self._step_rest(epoch, self._rest)
        best_epoch, best = self._best_so_far()
        self._end_spans(np.arange(len(self._batch)))
        running = ~self._ended
        self._best_epoch[running], self._best_value[running] = best_epoch[running], best[running]
        none = np.zeros(0, np.int32)
        self._rises.append(Rises(none, none, none, none))
        rises = Rises._make([np.concatenate(x) for x in zip(*self._rises, strict=True)])
        spans = Spans._make([np.concatenate(x) for x in zip(*self._spans, strict=True)])
        outcome = self._epochs, self._ended, self._best_epoch, self._best_value
        return ScoreScan(rises, spans, self._level, *outcome, best)

    def _find_best(self, epoch: Epoch) -> None:
        self._best.compare(epoch)
        lanes = self._best.improved
        if lanes.dtype == np.bool_:
            self._end_spans((lanes & (self._level > self._begun)).nonzero()[0])
        elif len(lanes):
            self._end_spans(lanes)
        self._best.update(epoch)

    def _raise_levels(self, epoch: Epoch) -> None:
        (score,) = self._scores(epoch)
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
        epochs = np.full(len(lanes), epoch.number, np.int32)
        self._rises.append(Rises(lanes.astype(np.int32), before, level, epochs))

    def _end_spans(self, lanes: Any) -> None:
        """Note the levels that these lanes reached with the best so far."""
        lanes = lanes[self._level[lanes] > self._begun[lanes]]
        begun, level, epoch = self._begun[lanes], self._level[lanes], self._best.epoch[lanes]
        best = np.where(epoch < 0, np.nan, self._best.value[lanes])
        self._spans.append(Spans(lanes, begun, level, epoch, best))
        self._begun[lanes] = level

    def _step_rest(self, epoch: Epoch, rest: VectorProgram | InterpretedSteps) -> None:
        (fires,) = rest(epoch)
        if fires is False:
            return
        ends = ~self._ended & fires
        if epoch.inside is not None:
            ends &= epoch.inside
        lanes = ends.nonzero()[0]
        if len(lanes):
            self._end_spans(lanes)
            best_epoch, best = self._best_so_far()
            self._ended[lanes], self._epochs[lanes] = True, epoch.number + 1
            self._best_epoch[lanes], self._best_value[lanes] = best_epoch[lanes], best[lanes]

    def _best_so_far(self) -> tuple[Int32s, Floats]:
        """The best epoch so far of each lane, -1 for none, and its value."""
        epoch = self._best.epoch
        return epoch, np.where(epoch < 0, np.nan, self._best.value)


@dataclass(frozen=True)
class _Score:
    """What steps as the rule does, and answers with its score."""

    rule: AdaptivePatience
    answers = "float"

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.rule.metrics

    def init(self) -> Any:
        return self.rule.init()

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        after, _ = self.rule.follow(state, metrics[self.rule.monitor])
        return after, self.rule.score(after)


def _program_of(rule: AdaptivePatience) -> VectorProgram:
    """The scores of a rule on many runs, epoch after epoch; every epoch reports its metric."""
    scores: Any = _Score(rule)
    # Not None: the score depends on no window of the state.
    return cast(VectorProgram, compile_vectorized((scores,), (rule.monitor,), frozenset()))


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
