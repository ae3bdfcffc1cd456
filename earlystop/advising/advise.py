"""`advise`: the cheapest rule that keeps a guarantee, and how it is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .._text import count
from ..errors import HistoryError, RuleTypeError
from ..history.history import History
from ..language.direction import Mode, direction
from ..language.rule import OnMissing, Rule
from ..language.settings import Count, validated
from ..rules import Best, Never, Patience
from .candidates import Family, default_families, families_of
from .guarantee import Guarantee
from .regret_scale import RegretScale, Unit
from .request import requested_guarantee
from .result import Advice, Outcome
from .selection import Calibration
from .truncation import Truncation, detect_truncation
from .warnings import too_few_runs, warnings_of_logs, warnings_of_losses

__all__ = ["advise"]

_USUAL = (5, 10, 20)
# Choosing between families costs the guarantee some runs. With this many times the runs it needs,
# that costs less than another family often saves.
_MANY = 6


def advise(
    history: History,
    monitor: str,
    *,
    max_regret: float,
    mode: Mode = "auto",
    confidence: float = 0.9,
    at_most: float | None = None,
    unit: Unit = "improvement",
    bound: float | None = None,
    candidates: Mapping[str, Iterable[Any]] | Iterable[Rule] | None = None,
    complete: bool | None = None,
    seed: int = 0,
    on_missing: OnMissing = "skip",
    workers: int = 1,
    progress: bool = False,
) -> Advice:
    """The cheapest setting whose regret on a new run of the same kind is promised to be small.

    Regret is how much worse the best value up to the stop is than the best of the whole log: what
    stopping early costs if the best epoch is restored.

    history: logs of complete runs, such as new ones are to be like: the promise holds if the new
        run and the logged ones are exchangeable.
    monitor, mode: the metric, and whether lower or higher is better.
    max_regret: what a run may lose, in `unit`; 0.01 is 1 %.
    at_most: None: the *expected* regret of a new run is at most `max_regret` (conformal risk
        control). A share, such as 0.1: with `confidence`, at most so large a share of all such runs
        loses more than `max_regret` (Learn then Test). `confidence` is of this promise only.
    unit: "improvement": a share of the run's own improvement, from its first finite value to its
        best; between 0 and 1. "best": a share of the magnitude of the best value. "metric": the
        metric's own.
    bound: what a run can lose at most, in `unit`; needed for an expected regret in units other than
        "improvement". Where a run lost more, so much is counted.
    candidates: values for the fields of `Patience`, by name, as for `sweep`; or rules. If left out:
        plain patience; and where there are enough runs to choose among more, also patience with a
        relative `min_delta`, growing patience, and patience on smoothed values. With candidates of
        several kinds, a third of the runs, drawn by `seed`, chooses the kind, and the promise rests
        on the others; a promise with confidence is divided among them instead.
    complete: were the runs logged to their end? None: find out. Where they were stopped early, what
        a longer patience would have found cannot be seen: regret then counts from the best that was
        found by then, and no longer patience is considered.
    on_missing, workers, progress: see `sweep`.

    Runs that never improve on their first value lose nothing; a run that is stopped before it has
    any value loses everything; runs that never report a number are left out.

    Raises RuleError or RuleTypeError for arguments that make no sense, MissingMetricError for a
    metric that no epoch reports, HistoryError if no run has a number. Too few runs for the promise
    are no error: the advice is then to train to the end, and says how many it takes.

    >>> from earlystop import History, advise
    >>> falling = [1 / epoch for epoch in range(1, 41)]
    >>> bumps = [5 + 7 * run % 30 for run in range(30)]
    >>> runs = [{"val_loss": [*falling[:bump], *falling[bump - 3 :]]} for bump in bumps]
    >>> advice = advise(History.from_runs(runs), "val_loss", max_regret=0.1)
    >>> print(advice)
    Use Patience('val_loss', patience=1, mode='min').
    Expected regret on a new run of the same kind: at most 10 % of the improvement; on these 30
    it was 4.39 %.
    It takes 20.5 of 43.0 epochs on average: 52.3 % saved.
    <BLANKLINE>
    Beside the usual choices, on the same runs (regret: a share of the improvement):
                 mean regret  runs that lose more  epochs saved
    the advice        4.39 %               13.3 %        52.3 %
    patience 5           0 %                  0 %           0 %
    patience 10          0 %                  0 %           0 %
    patience 20          0 %                  0 %           0 %
    <BLANKLINE>
    This rests on 30 runs. It takes at least 9 runs to promise this.
    Of these runs, one in twenty loses at least 14.5 % of the improvement; the most that one
    loses is 17.9 % of the improvement.
    """
    if not isinstance(history, History):
        raise RuleTypeError(
            f"`advise` takes a History, got {type(history).__name__}: wrap the metrics in "
            "earlystop.History(...), or read logs with earlystop.read_history(...)"
        )
    monitor = validated(str, monitor, "advise(monitor=...)")
    judge = Best(monitor, mode=direction(monitor, mode, "advise"))
    promise = requested_guarantee(max_regret, confidence, at_most, unit, bound)
    seed = validated(Count, seed, "advise(seed=...)")
    if complete is not None:
        complete = validated(bool, complete, "advise(complete=...)")
    history.require([monitor], "`advise`")
    scale = RegretScale(history, judge, unit)
    runs = int(np.count_nonzero(scale.usable))
    if not runs:
        raise HistoryError(
            f"`advise`: of {count(history.runs, 'run')}, none ever reports a number for "
            f"{monitor!r}: there is nothing to go by"
        )
    ends = None if complete else detect_truncation(history, judge, scale)
    longest = int(history.lengths[scale.usable].max()) if ends is None else ends.rule.patience + 1
    patience = Patience(monitor, mode=judge.mode)
    if candidates is None:
        families = default_families(patience, longest, runs >= _MANY * promise.needed())
    else:
        families = families_of(candidates, patience, longest, history.epochs)
    seen = [family.up_to(longest - 1) for family in families] if ends else families
    there = [family for family in seen if family is not None]
    options = {"on_missing": on_missing, "workers": workers, "progress": progress}
    calibration = Calibration(history, judge, scale, promise, there, seed, options)
    warnings = list(warnings_of_logs(history, scale, ends, complete))
    if ends and seen != families:
        warnings.append(
            f"candidates with a patience above {longest - 1} were left out: these logs cannot tell "
            "what they would have found"
        )
    return _advice(calibration, judge, scale, promise, ends, complete, warnings)


def _advice(
    calibration: Calibration,
    judge: Best,
    scale: RegretScale,
    promise: Guarantee,
    ends: Truncation | None,
    complete: bool | None,
    warnings: list[str],
) -> Advice:
    """The answer, put together."""
    logged = calibration.logged / calibration.runs
    outcome, lost = Outcome(Never(), 0.0, 0.0, logged, 0.0), np.zeros(calibration.runs)
    unpromised = None
    chosen = calibration.choose().family
    if chosen is not None:
        ((outcome, lost),) = _outcomes(calibration, chosen, promise)
    else:
        if ends is not None:
            as_logged = Family(ends.rule, (), (ends.rule.patience,))
            ((outcome, lost),) = _outcomes(calibration, as_logged, promise)
        if (guess := calibration.unpromised().family) is not None:
            ((unpromised, _),) = _outcomes(calibration, guess, promise)
    usual = tuple(p for p in _USUAL if ends is None or p <= ends.rule.patience)
    defaults: list[Outcome] = []
    if usual:
        plain = Family(Patience(judge.monitor, mode=judge.mode), (), usual)
        defaults = [outcome for outcome, _ in _outcomes(calibration, plain, promise)]
    needed = _needed(calibration, promise)
    shares = {f"{q:g}": float(np.quantile(lost, q, method="higher")) for q in (0.5, 0.9, 0.95, 1)}
    if calibration.runs < needed:
        warnings.insert(0, too_few_runs(calibration, promise, needed, scale.unit))
    warnings += warnings_of_losses(calibration, promise, scale.unit, lost, chosen is not None)
    promised = promise.max_regret if promise.at_most is None else promise.at_most
    return Advice(
        rule=outcome.rule,
        monitor=judge.monitor,
        mode=judge.mode,
        max_regret=promise.max_regret,
        unit=scale.unit,
        bound=promise.bound if promise.at_most is None else None,
        at_most=promise.at_most,
        confidence=promise.confidence,
        promised=0.0 if chosen is None else promised,
        outcome=outcome,
        defaults=tuple(defaults),
        unpromised=unpromised,
        runs=calibration.runs,
        chose=calibration.chose,
        left_out=len(scale.best) - calibration.runs,
        needed=needed,
        families=len(calibration.families),
        logged=logged,
        stopped_by=None if ends is None else ends.rule,
        complete=ends is None and complete is not False,
        quantiles={"median": shares["0.5"], "0.9": shares["0.9"], "0.95": shares["0.95"]}
        | {"max": shares["1"]},
        warnings=tuple(warnings),
        lines=tuple(calibration.lines()),
    )


def _outcomes(
    calibration: Calibration, family: Family, promise: Guarantee
) -> Iterator[tuple[Outcome, Any]]:
    """What each rule of a family would have done, and what each run loses under it."""
    for number, (lost, epochs) in enumerate(calibration.lost(family)):
        over = float((lost > promise.max_regret).mean())
        saved = 1 - epochs.sum() / max(calibration.logged, 1)
        rule = family.member(number)
        yield Outcome(rule, float(lost.mean()), over, float(epochs.mean()), float(saved)), lost


def _needed(calibration: Calibration, promise: Guarantee) -> int:
    """How many runs it takes to carry such a promise, those that choose the family included."""
    if promise.at_most is not None:
        return promise.needed(max(len(calibration.families), 1))
    runs = carrying = promise.needed()
    # At most so many more carry it, as there are more: this comes to the fewest.
    while (short := carrying - (runs - calibration.runs_to_select(runs))) > 0:
        runs += short
    return runs
