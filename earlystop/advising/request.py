"""`advise`: the question, and how the answer comes about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .._text import count
from ..errors import HistoryError, RuleError, RuleTypeError
from ..history.history import History
from ..language.direction import Mode, direction
from ..language.rule import OnMissing, Rule
from ..language.settings import Count, NonNegative, validated
from ..rules import Best, Never, Patience
from .candidates import Family, default_families, families_of
from .evidence import Ends, Stake, Unit, alikeness, ended_by
from .guarantee import Promise
from .result import Advice, Outcome, percent
from .selection import Study

__all__ = ["advise"]

_USUAL = (5, 10, 20)
# To choose between families takes runs from the promise. With so many times the runs that it needs
# at least, that costs less than another family often saves.
_MANY = 6
_ALIKE = 3.0  # standard deviations: one in 700 by chance
_UNEVEN = 10  # times the regret that was asked for
_MOST_RUNS = 1e12  # more than these nobody has


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
    promise = _promise(max_regret, confidence, at_most, unit, bound)
    seed = validated(Count, seed, "advise(seed=...)")
    if complete is not None:
        complete = validated(bool, complete, "advise(complete=...)")
    history.require([monitor], "`advise`")
    stake = Stake(history, judge, unit)
    runs = int(np.count_nonzero(stake.usable))
    if not runs:
        raise HistoryError(
            f"`advise`: of {count(history.runs, 'run')}, none ever reports a number for "
            f"{monitor!r}: there is nothing to go by"
        )
    ends = None if complete else ended_by(history, judge, stake)
    longest = int(history.lengths[stake.usable].max()) if ends is None else ends.rule.patience + 1
    patience = Patience(monitor, mode=judge.mode)
    if candidates is None:
        families = default_families(patience, longest, runs >= _MANY * promise.needed())
    else:
        families = families_of(candidates, patience, longest, history.epochs)
    seen = [family.up_to(longest - 1) for family in families] if ends else families
    there = [family for family in seen if family is not None]
    options = {"on_missing": on_missing, "workers": workers, "progress": progress}
    study = Study(history, judge, stake, promise, there, seed, options)
    warnings = list(_of_logs(history, stake, ends, complete))
    if ends and seen != families:
        warnings.append(
            f"candidates with a patience above {longest - 1} were left out: these logs cannot tell "
            "what they would have found"
        )
    return _advice(study, judge, stake, promise, ends, complete, warnings)


def _promise(max_regret: Any, confidence: Any, at_most: Any, unit: Any, bound: Any) -> Promise:
    """The promise that is asked for. Raises RuleError or RuleTypeError if there is no such one."""
    owner = "advise(max_regret=...)"
    max_regret = validated(NonNegative, max_regret, owner)
    confidence = validated(float, confidence, "advise(confidence=...)")
    unit = validated(Unit, unit, "advise(unit=...)")
    for name, value in (("confidence", confidence), ("at_most", at_most)):
        if value is not None and not 0 < validated(float, value, f"advise({name}=...)") < 1:
            raise RuleError(f"`advise({name}=...)` must lie between 0 and 1, got {value!r}")
    if unit == "improvement" and max_regret >= 1:
        raise RuleError(
            f"`{owner}` must be below 1, which is all of a run's improvement, got {max_regret!r} "
            "(0.01 is 1 %)"
        )
    if at_most is not None:
        return _within_reach(Promise(max_regret, np.inf, float(at_most), confidence))
    if max_regret == 0:
        raise RuleError(
            f"`{owner}`: no number of runs can promise an expected regret of 0: ask for more than "
            "0, or, with at_most=0.1, that at most 10 % of runs lose anything"
        )
    if unit == "improvement":
        if bound not in (None, 1):
            raise RuleError("`advise(bound=...)` is 1 for shares of the improvement, leave it out")
        return _within_reach(Promise(max_regret, 1.0, None, confidence))
    if bound is None:
        raise RuleError(
            f"an expected regret in unit {unit!r} can be promised only if it is bounded: pass "
            "bound=, the most that a run can lose; or at_most=0.1 for a promise that needs no "
            'bound; or unit="improvement", where the bound is 1'
        )
    bound = validated(NonNegative, bound, "advise(bound=...)")
    if bound <= max_regret:
        raise RuleError(
            f"`advise(bound=...)`, the most that a run can lose, must be above max_regret "
            f"{max_regret!r}, got {bound!r}"
        )
    return _within_reach(Promise(max_regret, bound, None, confidence))


def _within_reach(promise: Promise) -> Promise:
    if promise.roughly() > _MOST_RUNS:
        asked = f"max_regret={promise.max_regret!r}"
        if promise.at_most is not None:
            asked = f"at_most={promise.at_most!r}"
        raise RuleError(
            f"`advise({asked})`: to promise so little takes more than {_MOST_RUNS:.0e} runs: "
            "ask for more"
        )
    return promise


def _advice(
    study: Study,
    judge: Best,
    stake: Stake,
    promise: Promise,
    ends: Ends | None,
    complete: bool | None,
    warnings: list[str],
) -> Advice:
    """The answer, put together."""
    logged = study.logged / study.runs
    outcome, lost = Outcome(Never(), 0.0, 0.0, logged, 0.0), np.zeros(study.runs)
    unpromised = None
    chosen = study.choose().family
    if chosen is not None:
        ((outcome, lost),) = _outcomes(study, chosen, promise)
    else:
        if ends is not None:
            as_logged = Family(ends.rule, (), (ends.rule.patience,))
            ((outcome, lost),) = _outcomes(study, as_logged, promise)
        if (guess := study.unpromised().family) is not None:
            ((unpromised, _),) = _outcomes(study, guess, promise)
    usual = tuple(p for p in _USUAL if ends is None or p <= ends.rule.patience)
    defaults: list[Outcome] = []
    if usual:
        plain = Family(Patience(judge.monitor, mode=judge.mode), (), usual)
        defaults = [outcome for outcome, _ in _outcomes(study, plain, promise)]
    needed = _needed(study, promise)
    shares = {f"{q:g}": float(np.quantile(lost, q, method="higher")) for q in (0.5, 0.9, 0.95, 1)}
    if study.runs < needed:
        warnings.insert(0, _too_few(study, promise, needed, stake.unit))
    if promise.at_most is None and shares["0.95"] >= _UNEVEN * promise.max_regret:
        warnings.append(
            "the runs are very different: one in twenty loses at least "
            f"{_UNEVEN} times what was asked for, and the promise is about the mean: with "
            "at_most=0.1 it would be about how many runs lose more"
        )
    if chosen is not None and promise.at_most is None and (capped := lost > promise.bound).any():
        mean = float(np.minimum(lost, promise.bound).mean())
        as_text = f"{mean:.4g}" if stake.unit == "metric" else percent(mean)
        warnings.append(
            f"{count(int(capped.sum()), 'run')} of {study.runs:,} would lose more than the bound, "
            "and count as losing just that: the promise is about losses so counted, of which the "
            f"mean is {as_text} on these runs"
        )
    if alikeness(study.scores[study.usable]) > _ALIKE:
        warnings.append(
            "runs that stand next to each other are more alike than chance has it: they seem to "
            "come in groups (tasks, settings) or to change over time. The promise is about a run "
            "drawn from this mixture: for new runs of one group, ask for advice on its logs alone"
        )
    promised = promise.max_regret if promise.at_most is None else promise.at_most
    return Advice(
        rule=outcome.rule,
        monitor=judge.monitor,
        mode=judge.mode,
        max_regret=promise.max_regret,
        unit=stake.unit,
        bound=promise.bound if promise.at_most is None else None,
        at_most=promise.at_most,
        confidence=promise.confidence,
        promised=0.0 if chosen is None else promised,
        outcome=outcome,
        defaults=tuple(defaults),
        unpromised=unpromised,
        runs=study.runs,
        chose=study.chose,
        left_out=len(stake.best) - study.runs,
        needed=needed,
        families=len(study.families),
        logged=logged,
        stopped_by=None if ends is None else ends.rule,
        complete=ends is None and complete is not False,
        quantiles={"median": shares["0.5"], "0.9": shares["0.9"], "0.95": shares["0.95"]}
        | {"max": shares["1"]},
        warnings=tuple(warnings),
        lines=tuple(study.lines()),
    )


def _outcomes(study: Study, family: Family, promise: Promise) -> Iterator[tuple[Outcome, Any]]:
    """What each rule of a family would have done, and what each run loses under it."""
    for number, (lost, epochs) in enumerate(study.lost(family)):
        over = float((lost > promise.max_regret).mean())
        saved = 1 - epochs.sum() / max(study.logged, 1)
        rule = family.member(number)
        yield Outcome(rule, float(lost.mean()), over, float(epochs.mean()), float(saved)), lost


def _needed(study: Study, promise: Promise) -> int:
    """How many runs it takes to carry such a promise, those that choose the family included."""
    if promise.at_most is not None:
        return promise.needed(max(len(study.families), 1))
    runs = carrying = promise.needed()
    # At most so many more carry it, as there are more: this comes to the fewest.
    while (short := carrying - (runs - study.choosing(runs))) > 0:
        runs += short
    return runs


def _too_few(study: Study, promise: Promise, needed: int, unit: Unit) -> str:
    asked = promise.max_regret if promise.at_most is None else promise.at_most
    least = promise.least(study.runs - study.chose, max(len(study.families), 1))
    digit = 10.0 ** (math.floor(math.log10(least)) - 2)
    least = math.ceil(least / digit) * digit  # rounded up, or asking for it would not do
    as_text = percent if unit != "metric" or promise.at_most is not None else "{:.4g}".format
    what = "an expected regret" if promise.at_most is None else "a share of runs"
    return (
        f"{count(study.runs, 'run')} cannot carry a promise of {what} of at most "
        f"{as_text(asked)}, whatever they show: it takes at least {needed:,}; so few could promise "
        f"{as_text(least)} at the least"
    )


def _of_logs(
    history: History, stake: Stake, ends: Ends | None, complete: bool | None
) -> Iterator[str]:
    """What the logs themselves give to mind."""
    usable = stake.usable
    runs = int(np.count_nonzero(usable))
    if ends is not None:
        yield (
            f"these logs were stopped early themselves, as it seems: {ends.runs} of {ends.looked} "
            f"that end before the longest end just where {ends.rule!r} stops. What a longer "
            "patience would have found cannot be seen. So regret counts from the best that was "
            "found by then, not from that of complete runs, epochs to the end of the log at most, "
            "and no longer patience is considered "
            "(if the runs did go to their end, pass complete=True)"
        )
    elif complete is False:
        yield (
            "these logs were stopped early: regret counts from the best that was found by then, "
            "not from that of complete runs, which cannot be seen, and epochs to the end of the "
            "log at most"
        )
    elif complete is None:
        short = int(np.count_nonzero(2 * stake.end[usable] < np.median(stake.end[usable])))
        if short * 20 >= runs:
            yield (
                f"{count(short, 'run')} of {runs:,} have less than half the epochs that are usual "
                "here, and count as complete; leave out what crashed, and pass complete=False if "
                "they were stopped early"
            )
    if runs < history.runs:
        yield (
            f"{count(history.runs - runs, 'run')} never reported a number and were left out: the "
            "promise is about runs that do"
        )
    constant = int(np.count_nonzero(stake.constant))
    if constant * 10 >= runs:
        yield (
            f"{count(constant, 'run')} of {runs:,} never improved on the first value: nothing can "
            "be lost there, whatever the rule"
        )
