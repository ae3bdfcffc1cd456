"""`advise`: the cheapest rule that a promise holds for, and how it is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .._arguments import argument
from ..datasets import Dataset
from ..datasets.working import Workers
from ..errors import RuleError, RuleTypeError
from ..history.history import History
from ..language.direction import Mode, direction
from ..language.keywords import by_keyword
from ..language.rule import OnMissing, Rule
from ..language.settings import Count, validated
from ..rules import AdaptivePatience, Best, Patience
from .calibration import calibrated
from .candidates import (
    Family,
    FamilyName,
    candidate_metrics,
    candidate_units,
    default_families,
    families_of,
    plain_family,
)
from .curve_warnings import warnings_of_curves
from .guarantee import Guarantee
from .logged_runs import LoggedRuns, logged_runs
from .look import look_at
from .measured import Question
from .outcomes import outcomes_of
from .regret_scale import Unit
from .request import requested_guarantee
from .result import Advice
from .selection import select
from .truncation import Truncation, detect_truncation
from .warnings import (
    warnings_of_candidates,
    warnings_of_logs,
    warnings_of_losses,
    warnings_of_runs,
)

__all__ = ["advise"]

_COST_UNIT = "advise(cost_unit=...)"


@by_keyword("max_regret")
def advise(
    history: History | Dataset,
    monitor: str,
    *,
    max_regret: float,
    mode: Mode = "auto",
    confidence: float = 0.9,
    at_most: float | None = None,
    unit: Unit = "improvement",
    bound: float | None = None,
    family: FamilyName = "adaptive",
    candidates: Mapping[str, Iterable[Any]] | Iterable[Rule] | None = None,
    complete: bool | None = None,
    seed: int = 0,
    cost_unit: str | None = None,
    on_missing: OnMissing = "skip",
    workers: Workers = 1,
    progress: bool = False,
) -> Advice:
    """The cheapest setting whose regret on a new run of the same kind is promised to be small.

    Regret is how much worse the best value up to the stop is than the best of the whole log: what
    stopping early costs if the best epoch is restored.

    history: logs of complete runs of the same kind as new ones: the promise holds if the new run
        and the logged ones are exchangeable. Of a data set, from `scan_history`, the metrics that
        are judged are read, by the workers, and held in memory.
    monitor, mode: the metric, and whether lower or higher is better.
    max_regret: what a run may lose, in `unit`; 0.01 is 1 %.
    at_most: None: the *expected* regret of a new run is at most `max_regret` (conformal risk
        control). A share, such as 0.1: with `confidence`, at most this share of all such runs
        loses more than `max_regret` (Learn then Test). Only this promise uses `confidence`.
    unit: "improvement": a share of the run's own improvement, from its first finite value to its
        best; between 0 and 1. "best": a share of the magnitude of the best value. "metric": the
        metric's own.
    bound: the most that a run can lose, in `unit`; needed for an expected regret in units other
        than "improvement". A run that lost more counts as losing the bound.
    family: the rules to select from. "adaptive": `AdaptivePatience`, whose dial alone is turned;
        "patience": plain patience; "all": both, patience with a relative `min_delta`, growing
        patience, and patience on smoothed values. With one kind of rules, all runs carry the
        promise. With several, a third of the runs, drawn by `seed`, selects the kind, and the
        promise rests on the others, which takes more runs and often costs more than it saves. The
        error of a promise with confidence is divided among the kinds instead.
    candidates: values for the fields of `Patience`, by name, as for `sweep`; or rules of any kind,
        in place of a family.
    complete: were the runs logged to their end? None: find out. Logs that were stopped early cannot
        tell what a longer patience would have found: regret then counts from the best that was
        found by then, and no longer patience is considered.
    cost_unit: the unit of the cost of runs, as `unit` of `replay`.
    on_missing, workers, progress: see `sweep`.

    What runs lose is summed up exactly. Quantiles of it are exact or, beyond 65,536 different
    losses, greater by at most 0.4 %.

    Runs that never improve on their first value lose nothing. A run that is stopped before it has
    any value loses everything. Runs that never report a number are left out.

    Raises RuleError or RuleTypeError for invalid arguments, MissingMetricError for a metric that no
    epoch reports, HistoryError if no run has a number. Too few runs for the promise are no error:
    the advice is then to train to the end, and says how many runs it takes.

    >>> from earlystop import History, advise
    >>> falling = [1 / epoch for epoch in range(1, 41)]
    >>> bumps = [5 + 7 * run % 30 for run in range(30)]
    >>> runs = [{"val_loss": [*falling[:bump], *falling[bump - 3 :]]} for bump in bumps]
    >>> advice = advise(History.from_runs(runs), "val_loss", max_regret=0.1)
    >>> print(advice)
    Use AdaptivePatience('val_loss', patience=18.0, mode='min').
    Expected regret on a new run of the same kind: at most 10 % of the improvement; on these 30
    it was 6.29 %.
    It takes 12.6 of 43.0 checks on average: 70.7 % saved.
    The plain patience of which as much can be promised, 1, takes 20.5.
    <BLANKLINE>
    Beside the usual choices, on the same runs (regret: a share of the improvement):
                              mean regret  runs that lose more  checks saved
    the advice                     6.29 %                 10 %        70.7 %
    patience 1, promised too       4.39 %               13.3 %        52.3 %
    patience 5                        0 %                  0 %           0 %
    patience 10                       0 %                  0 %           0 %
    patience 20                       0 %                  0 %           0 %
    <BLANKLINE>
    This rests on 30 runs. It takes at least 9 runs to promise this.
    Of these runs, one in twenty loses at least 12.1 % of the improvement; the most that one
    loses is 12.1 % of the improvement.
    """
    if not isinstance(history, (History, Dataset)):
        raise RuleTypeError(
            f"`advise` takes a History, got {type(history).__name__}: wrap the metrics in "
            "earlystop.History(...), or read logs with earlystop.read_history(...)"
        )
    monitor = validated(str, monitor, "advise(monitor=...)")
    save = Best(monitor, mode=direction(monitor, mode, "advise"))
    guarantee = requested_guarantee(max_regret, confidence, at_most, unit, bound)
    seed = validated(Count, seed, "advise(seed=...)")
    complete = validated(bool | None, complete, "advise(complete=...)")
    cost_unit = validated(str | None, cost_unit, _COST_UNIT)
    on_missing = validated(OnMissing, on_missing, "advise(on_missing=...)")
    family = validated(FamilyName, family, "advise(family=...)")
    progress = validated(bool, progress, "advise(progress=...)")
    if isinstance(candidates, Iterator):
        candidates = list(candidates)  # they are looked at twice
    judged = (monitor, *candidate_metrics(candidates))
    units = [unit for unit in (cost_unit, *candidate_units(candidates)) if unit is not None]
    question = Question(save, unit, judged, on_missing)
    asked = _Asked(save, guarantee, unit, family, candidates, complete, seed, cost_unit, on_missing)
    with logged_runs(history, question, units, workers, progress) as runs:
        return _advice(runs, asked)


class _Asked(NamedTuple):
    """The arguments of `advise`, checked."""

    save: Best
    guarantee: Guarantee
    unit: Unit
    family: FamilyName
    candidates: Any
    complete: bool | None
    seed: int
    cost_unit: str | None
    on_missing: OnMissing


def _advice(runs: LoggedRuns, asked: _Asked) -> Advice:
    """Look at the runs, select a rule, and put the answer together."""
    save, unit, guarantee, complete = asked.save, asked.unit, asked.guarantee, asked.complete
    look = look_at(runs, save.monitor, asked.cost_unit)
    truncation = None if complete else detect_truncation(runs, look, save)
    longest = look.longest if truncation is None else truncation.rule.patience + 1
    patience = Patience(save.monitor, mode=save.mode)
    families = _families(asked, patience, longest, look.epochs, truncation)
    considered = _on_logs(families, truncation)
    plain = _on_logs([plain_family(patience, longest)], truncation)
    found = calibrated(runs, look, guarantee, considered, plain, patience, asked.seed)
    selected = select(found.candidates)
    outcomes = outcomes_of(runs, look, found, selected, truncation)
    warnings = [
        *warnings_of_runs(found.candidates, unit),
        *warnings_of_logs(look, truncation, complete),
        *warnings_of_candidates(truncation, dropped=considered != families),
        *warnings_of_losses(found, outcomes, unit, selected is not None),
        *warnings_of_curves(found.candidates, look, outcomes.advised.saved),
    ]
    return Advice(
        rule=outcomes.advised.rule,
        monitor=save.monitor,
        mode=save.mode,
        max_regret=guarantee.max_regret,
        unit=unit,
        bound=guarantee.bound if guarantee.at_most is None else None,
        at_most=guarantee.at_most,
        confidence=guarantee.confidence,
        promised=0.0 if selected is None else guarantee.level,
        outcome=outcomes.advised,
        plain=outcomes.plain,
        defaults=outcomes.usual,
        unpromised=outcomes.unpromised,
        runs=look.usable,
        chose=found.candidates.chose,
        left_out=look.runs - look.usable,
        needed=found.candidates.needed(),
        families=len(found.candidates.families),
        cost_unit=look.unit,
        logged=look.logged / look.usable,
        stopped_by=None if truncation is None else truncation.rule,
        complete=truncation is None and complete is not False,
        quantiles=outcomes.quantiles,
        best_at=look.best_at,
        warnings=tuple(warnings),
        stops=outcomes.checks,
        on_missing=asked.on_missing,
        lines=tuple(found.candidates.lines()),
    )


def _families(
    asked: _Asked,
    patience: Patience,
    longest: int,
    epochs: int,
    truncation: Truncation | None,
) -> list[Family]:
    """The families of the candidates, or those of this name.

    longest: the patience that stops no run, or that is longer than the one that stopped the logs.
    epochs: the number of epochs of the longest run.
    """
    if asked.candidates is None:
        families = default_families(patience, longest, asked.family)
        if truncation is None:
            return families
        # Nothing may go on beyond where the logs end.
        rules = ((family, type(family.turned) is AdaptivePatience) for family in families)
        return [family.beside(truncation.rule) if goes else family for family, goes in rules]
    if asked.family != "adaptive":
        raise RuleError(
            f"{argument('family', asked.family, 'advise')} and {argument('candidates')} both say "
            "what to select from: give one of them"
        )
    return families_of(asked.candidates, patience, longest, epochs)


def _on_logs(families: list[Family], truncation: Truncation | None) -> list[Family]:
    """The families; for logs that a patience stopped early, without any longer patience."""
    if truncation is None:
        return families
    shortened = [family.up_to(truncation.rule.patience) for family in families]
    return [family for family in shortened if family is not None]
