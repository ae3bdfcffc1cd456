"""The decisions on all runs of a history, by the fastest method for each batch.

Few runs are stepped one by one. Many runs are stepped side by side, unless a `Patience` decides,
alone or combined with another rule: then the runs without gaps are answered by intervals.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._parallel import in_order, progress_bar
from ..history import History
from ..language.rule import Rule
from ..rules import Best, Never, Patience
from .batches import Runs, batches_by_length, run_numbers, split_to_fit
from .patience.intervals import PatienceScan, shortest_waits
from .patience.scan import scan_patience, split_patience, split_scannable
from .simulate import Outcome, no_outcome, simulate_batch, simulate_runs
from .tuning import DEFAULT, Tuning

__all__ = ["decide"]


def decide(
    stop: Rule,
    save: Rule,
    history: History,
    *,
    workers: int = 1,
    progress: bool = False,
    tuning: Tuning = DEFAULT,
) -> Outcome:
    """What a stop rule and a save rule do on every run; a rule skips epochs without its metric.

    workers: how many threads work on batches.
    progress: whether to show a progress bar.
    """
    if history.runs < tuning.few_runs:
        return _run_by_run(stop, save, history, progress)
    return _by_batches(stop, save, history, workers, progress, tuning)


def _run_by_run(stop: Rule, save: Rule, history: History, progress: bool) -> Outcome:
    outcome = no_outcome(history.lengths)
    every_run = np.arange(history.runs)
    with _bar(history, progress) as advance:
        for run, decided in enumerate(simulate_runs(stop, save, history, every_run)):
            for array, value in zip(outcome, decided, strict=True):
                array[run] = value
            advance(1)
    return outcome


def _by_batches(
    stop: Rule, save: Rule, history: History, workers: int, progress: bool, tuning: Tuning
) -> Outcome:
    tasks = (
        functools.partial(_batch, stop, save, history, runs, tuning)
        for runs in batches_by_length(history.lengths, tuning)
    )
    outcome = no_outcome(history.lengths)
    with _bar(history, progress) as advance:
        for parts in in_order(tasks, workers):
            for runs, found in parts:
                for array, part in zip(outcome, found, strict=True):
                    array[runs] = part
                advance(len(found.epochs))
    return outcome


def _one_by_one(stop: Rule, save: Rule, history: History, numbers: Any) -> Outcome:
    """The outcome of a few runs, one after another."""
    outcome = no_outcome(history.lengths[numbers])
    for place, decided in enumerate(simulate_runs(stop, save, history, numbers)):
        for array, value in zip(outcome, decided, strict=True):
            array[place] = value
    return outcome


@contextlib.contextmanager
def _bar(history: History, show: bool) -> Iterator[Callable[[int], Any]]:
    """An optional progress bar; yields a function to call with the number of runs done."""
    if not show:
        yield lambda runs: None
        return
    with progress_bar("replay", total=history.runs, unit="run") as bar:
        yield bar.update


def _batch(
    stop: Rule, save: Rule, history: History, runs: Runs, tuning: Tuning
) -> list[tuple[Runs, Outcome]]:
    """The outcome of some runs, in parts."""

    numbers = run_numbers(runs)
    if len(numbers) < min(tuning.few_runs, history.runs):
        return [(runs, _one_by_one(stop, save, history, numbers))]

    def by_stepping(part: Runs) -> Outcome:
        return simulate_batch((stop,), save, history, part, tuning).outcomes[0]

    split = split_patience(stop) if type(save) in (Best, Never) else None
    with np.errstate(all="ignore"):
        if split is None:
            return [*split_to_fit(by_stepping, runs)]
        rest, patience = split
        best = save if isinstance(save, Best) else Best(patience.monitor, mode=patience.mode)
        whole, lacking = split_scannable((patience,), best, history, runs)
        parts: list[tuple[Runs, Outcome]] = []
        if lacking is not None:
            parts += split_to_fit(by_stepping, lacking)
        if whole is not None:
            wait = min(patience.required_wait(-1), history.epochs + 1)
            scan = scan_patience([patience], rest, best, history, whole, (wait, wait), tuning)
            parts += [(part, _answer(patience, wait, found)) for part, found in scan]
            if save == Never():
                for _, outcome in parts:
                    outcome.saved_epoch.fill(-1)
        return parts


def _answer(rule: Patience, wait: int, scan: PatienceScan) -> Outcome:
    """The outcome of a rule, from the intervals that cover its wait."""
    outcome = Outcome(scan.epochs, scan.stopped, scan.best_epoch)
    found = scan.intervals
    found = found.select((found.first <= wait) & (wait <= found.last))
    waits = np.maximum(wait, shortest_waits(rule, found.reference_epoch))
    outcome.epochs[found.track] = found.reference_epoch + waits + 1
    outcome.stopped[found.track] = True
    outcome.saved_epoch[found.track] = found.best_epoch
    return outcome
