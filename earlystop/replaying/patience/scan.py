"""The pass over a batch that finds the intervals of `Patience` rules.

For the theory, with an example, see `earlystop.replaying.patience`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ...engine.vectorized import VectorProgram
from ...history import History
from ...language.positions import CHECKS, DERIVED
from ...language.rule import AnyOf, Rule
from ...rules import Best, Never, Patience
from ..batches import Epoch, RunBatch, Runs, run_numbers, slices, split_to_fit, subset
from ..interpreted import InterpretedSteps, steps_for
from ..tuning import DEFAULT, Tuning
from .intervals import PatienceScan, cut_intervals
from .waits import IntervalScan

__all__ = ["scan_patience", "split_by_missing", "split_patience", "split_scannable"]


def scan_patience(
    rules: Sequence[Patience],
    rest: Rule,
    best: Best,
    history: History,
    runs: Runs,
    waits: tuple[int, int | None] = (1, None),
    tuning: Tuning = DEFAULT,
) -> Iterator[tuple[Runs, PatienceScan]]:
    """Find the intervals of several `Patience` rules, each combined with `rest`: `rule | rest`.

    best: decides which epoch is best.
    runs: the runs to scan.
    waits: the shortest and the longest required wait of interest. If a longest is given, a run that
        has waited that long is not scanned further, and the best of its whole log is not found.

    Yields the runs in parts, each with its scan; parts are smaller if there are many intervals.
    """

    def scan(part: Runs) -> PatienceScan:
        return _PatiencePass(rules, rest, best, history, part, waits, tuning).scan()

    count = len(run_numbers(runs))
    for part in slices(count, -(-count // -(-count * len(rules) // tuning.references))):
        yield from split_to_fit(scan, subset(runs, part))


class _PatiencePass:
    """One pass over a batch.

    Results have one entry per run of the original batch; `_ids` are the entries of the lanes that
    have not been dropped, `_running` is a mask of those lanes that `rest` has not ended.
    """

    def __init__(
        self,
        rules: Sequence[Patience],
        rest: Rule,
        best: Best,
        history: History,
        runs: Runs,
        waits: tuple[int, int | None],
        tuning: Tuning,
    ) -> None:
        self._rules, self._tuning = rules, tuning
        shortest, self._longest = waits
        self._rest: VectorProgram | InterpretedSteps | None = None
        if rest != Never():
            self._rest = steps_for((rest,), history, tuning)
        metrics = {best.monitor, *(rule.monitor for rule in rules)}
        read = len(metrics) + (self._rest.metrics if self._rest else 0)
        self._batch = RunBatch(history, runs, read, tuning)
        lanes = len(self._batch)
        self._waits = IntervalScan(rules, best, self._batch, shortest, tuning)
        self._epochs = self._batch.lengths.copy()
        self._stopped = np.zeros(lanes, dtype=np.bool_)
        self._best_epoch = np.full(lanes, -1, dtype=np.int32)
        self._best, self._best_of_log = np.full(lanes, np.nan), np.full(lanes, np.nan)
        self._ids = np.arange(lanes)
        self._running = np.ones(lanes, dtype=np.bool_)
        if self._rest is not None:
            self._rest.start(lanes, self._batch.longest)

    def scan(self) -> PatienceScan:
        """Make the pass. Raises TooManyLanesError if it exceeds the memory limit."""
        for block in self._batch.blocks():
            self._waits.collect()
            self._drop_answered()
            if not len(self._ids):
                break
            for epoch in block:
                self._waits.step(epoch)
                if self._rest is not None:
                    self._step_rest(epoch, self._rest)
        if len(self._ids):
            self._record(np.arange(len(self._ids)))
        intervals = self._waits.intervals()
        if self._rest is not None:
            intervals = cut_intervals(intervals, self._epochs, self._rules)
        return PatienceScan(
            intervals, self._epochs, self._stopped, self._best_epoch, self._best, self._best_of_log
        )

    def _step_rest(self, epoch: Epoch, rest: VectorProgram | InterpretedSteps) -> None:
        (fires,) = rest(epoch)
        if fires is False:
            return
        ends = self._running & fires
        if epoch.inside is not None:
            ends &= epoch.inside
        if np.count_nonzero(ends):
            ids, self._running = self._ids[ends], self._running & ~ends
            best_epoch, best = self._waits.best()
            self._epochs[ids], self._stopped[ids] = epoch.number + 1, True
            self._best_epoch[ids], self._best[ids] = best_epoch[ends], best[ends]

    def _drop_answered(self) -> None:
        """Drop the lanes that have waited for the longest wait of interest, if they are many."""
        begun = self._batch.block_start
        if self._longest is None or not begun:
            return
        done = self._waits.answered(self._longest, begun)
        done |= ~self._running | (self._batch.lengths <= begun)
        if np.count_nonzero(done) <= (1 - self._tuning.dense_share) * len(self._batch):
            return
        self._record(done.nonzero()[0])
        left = (~done).nonzero()[0]
        self._ids, self._running = self._ids[left], self._running[left]
        if len(left):
            for part in (self._batch, self._waits, *([self._rest] if self._rest else [])):
                part.keep(left)

    def _record(self, lanes: npt.NDArray[np.int64]) -> None:
        """Record the results of lanes that are not scanned further."""
        ids = self._ids[lanes]
        self._waits.end(lanes, self._epochs[ids])
        best_epoch, best = self._waits.best()
        self._best_of_log[ids] = best[lanes]
        running = lanes[self._running[lanes]]
        ids = self._ids[running]
        self._best_epoch[ids], self._best[ids] = best_epoch[running], best[running]


def split_patience(rule: Rule) -> tuple[Rule, Patience] | None:
    """Split a rule into its only `Patience` and the rest; None if it is not of that form.

    A patience that is split off counts checks, as the intervals do. It has no cooldown, with which
    a wait would depend on when the rule fired before. It does not grow behind a gate, which would
    need both the last improvement and the last one that beat the gate. Its margin does not depend
    on what the run has gained, which is not tracked.

    Returns (rest, patience).

    >>> from earlystop import MaxEpochs, Patience
    >>> split_patience(Patience("loss", 5) | MaxEpochs(100))
    (MaxEpochs(100), Patience('loss', patience=5, mode='min'))
    """
    members = rule.rules if type(rule) is AnyOf else (rule,)
    found = [member for member in members if type(member) is Patience]  # a subclass may differ
    if len(found) != 1 or found[0].unit != CHECKS:
        return None
    if found[0].cooldown is not None or found[0].by_gain:
        return None
    if found[0].gate is not None and found[0].wait_grows:
        return None
    rest = tuple(member for member in members if member is not found[0])
    return (rest[0] if len(rest) == 1 else AnyOf(*rest)) if rest else Never(), found[0]


def split_scannable(
    rules: Iterable[Patience], best: Best, history: History, runs: Runs
) -> tuple[Runs | None, Runs | None]:
    """The runs that a scan can answer, and those to step; None for no runs.

    A scan counts epochs. So every epoch must be a check of all the rules: it reports their metrics,
    and no NaN is skipped. And a rule must begin at the same epoch in all runs, which the epochs in
    a log may change.
    """
    rules = tuple(rules)
    if any(rule.start_from_epoch > 0 and DERIVED[0] in history.metrics for rule in rules):
        return None, runs
    names = {best.monitor, *(rule.monitor for rule in rules)}
    skipping = {rule.monitor for rule in rules if rule.improvement.nan == "skipped"}
    return split_by_missing(names, history, runs, skipping)


def split_by_missing(
    names: Iterable[str], history: History, runs: Runs, whole: Iterable[str] = ()
) -> tuple[Runs | None, Runs | None]:
    """The runs that report these metrics at every epoch, and the others; None for no runs.

    whole: those of the metrics that must have no NaN either.
    """
    numbers = run_numbers(runs)
    lacks = np.zeros(len(numbers), dtype=np.bool_)
    for name in names:
        if name not in history.metrics:
            lacks[:] = True
            continue
        if history.gaps(name) is not None:
            lacks |= history.has_gaps(name, runs)
        if name in whole:
            lacks |= history.has_nan(name)[numbers]
    if not lacks.any():
        return runs, None
    return (None if lacks.all() else numbers[~lacks]), numbers[lacks]
