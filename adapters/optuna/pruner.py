"""`RulePruner`: prunes a trial by the values it reports."""

from __future__ import annotations

import datetime
import functools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.study import StudyDirection

from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError, RuleTypeError, shortened
from earlystop.language.direction import Direction
from earlystop.language.positions import ELAPSED
from earlystop.language.rule import Rule
from earlystop.language.settings import Count, NonNegative, Positive, validated
from earlystop.peers.optuna import patient_pruner, threshold_pruner
from earlystop.rules import Never

from ..arguments import known_arguments
from ..chosen import chosen_stopper
from .values import VALUE, value_name

__all__ = ["RulePruner"]

_DEFAULTS = {"patience": None, "min_delta": 0.0, "lower": None, "upper": None}
_REMEMBERED = 64  # trials of a study; one that is forgotten is judged from its first report again


class RulePruner(BasePruner):
    """Prunes a trial by its own values, as Optuna's patient and threshold pruners, or by any rule.

    wrapped_pruner, patience, min_delta: those of Optuna's `PatientPruner`. A pruner that is wrapped
        has to agree, whatever else decides. (A rule may be passed in its place, as `stop`.)
    lower, upper: those of `ThresholdPruner`.
    n_warmup_steps, interval_steps: from which step on and how often to prune, as in
        `ThresholdPruner`; by default, at each report.
    stop: a rule, or a Stopper, of which the rule is taken, in place of patience, min_delta, lower
        and upper. It looks at one metric, which is the value that trials report, whatever its name;
        steps are those of the trial, the time is that since the trial began.

    The rule is given the values in the order of their steps, in whichever order they were reported,
    and decides on the last. Patience counts reports; Optuna ignores those of a step that was
    reported before. A rule sees one trial alone: to compare trials, wrap a pruner that does.

    The user attribute "stopped_reason" of a trial says why it was pruned. There is no state to
    save: a pruner, in whichever process, reads the trial from the storage.

    With Optuna's arguments, decisions are those of Optuna 5.0; with both its pruners' arguments, a
    trial is pruned if either would. Deliberate differences: a patience and steps that are no whole
    numbers are refused, and a `min_delta` and bounds that are not finite, which would never prune,
    or always.

    Raises RuleError for arguments that do not fit together or are out of range, RuleTypeError for
    those of a wrong type.

    >>> import optuna
    >>> import earlystop as es
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> def objective(trial):
    ...     for step, loss in enumerate([0.9, 0.5, 0.7, 0.6, 0.1]):
    ...         trial.report(loss, step)
    ...         if trial.should_prune():
    ...             raise optuna.TrialPruned
    ...     return loss
    >>> study = optuna.create_study(pruner=RulePruner(stop=es.Patience("loss", patience=2)))
    >>> study.optimize(objective, n_trials=1)
    >>> study.trials[0].last_step
    3
    >>> study.trials[0].user_attrs["stopped_reason"]
    'loss has not improved on 0.5 (step 1) by more than 0 for 2 checks'
    """

    @known_arguments
    def __init__(
        self,
        wrapped_pruner: BasePruner | Rule | Stopper | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        *,
        lower: float | None = None,
        upper: float | None = None,
        n_warmup_steps: int = 0,
        interval_steps: int = 1,
        stop: Rule | Stopper | None = None,
    ) -> None:
        if isinstance(wrapped_pruner, (Rule, Stopper)):
            if stop is not None:
                raise RuleError("`RulePruner(stop=...)`: two rules are given; join them by | or &")
            wrapped_pruner, stop = None, wrapped_pruner
        if not isinstance(wrapped_pruner, BasePruner | None):
            raise RuleTypeError(
                "`RulePruner(wrapped_pruner=...)` must be a pruner of Optuna or None, got "
                f"{shortened(wrapped_pruner)}"
            )
        self._wrapped_pruner = wrapped_pruner
        given = patience, min_delta, lower, upper
        self._rules = {mode: _rule(mode, stop, given) for mode in ("min", "max")}
        self._name = value_name(self._rules["min"], "RulePruner")
        where = "RulePruner({}=...)"
        self._from: int = validated(Count, n_warmup_steps, where.format("n_warmup_steps"))
        self._every: int = validated(Positive, interval_steps, where.format("interval_steps"))
        self._judged = _judged_of_studies()
        self._lock = threading.Lock()

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """Whether to prune the trial, for Optuna."""
        values = trial.intermediate_values
        if not values:
            return False
        rule = self._rules["max" if study.direction == StudyDirection.MAXIMIZE else "min"]
        with self._lock:  # of the threads of `optimize(n_jobs=...)`
            judged = self._of_trial(study, trial, rule)
            fires = judged.judge(values) and self._is_due(judged.steps)
            reason = judged.reason(values) if fires else ""
        if not fires:
            return False
        if self._wrapped_pruner is not None and not self._wrapped_pruner.prune(study, trial):
            return False
        if not trial.state.is_finished():
            study._storage.set_trial_user_attr(trial._trial_id, "stopped_reason", reason)
        return True

    def _of_trial(self, study: Any, trial: optuna.trial.FrozenTrial, rule: Rule) -> _Judged:
        trials = self._judged.setdefault(study, OrderedDict())
        if trial.number not in trials:
            trials[trial.number] = _Judged(rule, self._name, trial.datetime_start)
        trials.move_to_end(trial.number)
        if len(trials) > _REMEMBERED:
            trials.popitem(last=False)
        return trials[trial.number]

    def _is_due(self, steps: Sequence[int]) -> bool:
        """Whether the last step is the first of its interval."""
        since = steps[-1] - self._from
        begin = steps[-1] - since % self._every
        return since >= 0 and (len(steps) == 1 or steps[-2] < begin)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_judged": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _judged=_judged_of_studies(), _lock=threading.Lock())


class _Judged:
    """A trial as far as it has been judged.

    steps: those whose values the rule has seen, in order.
    """

    def __init__(self, rule: Rule, name: str, began: datetime.datetime | None) -> None:
        self._rule, self._name, self._began = rule, name, began
        self._is_timed = ELAPSED in rule.all_metrics
        self._seconds: dict[int, float] = {}
        self._forget()

    def _forget(self) -> None:
        # As a rule that saves: it is asked at each report, and goes on where it has fired.
        self._stopper = Stopper(Never(), self._rule, on_missing="skip")
        self.steps: list[int] = []
        self._fires = False

    def judge(self, values: Mapping[int, float]) -> bool:
        """Whether the rule fires on the last of the values."""
        if len(values) == len(self.steps):
            return self._fires
        steps = sorted(values)
        if steps[: len(self.steps)] != self.steps:  # one before others that are judged already
            self._forget()
        for step in steps[len(self.steps) :]:
            decision = self._stopper.step(self._metrics(step, values[step]), step=step)
            self._fires = decision.save
        self.steps = steps
        return self._fires

    def reason(self, values: Mapping[int, float]) -> str:
        """Why the rule fires, where it does so first."""
        stopper = Stopper(self._rule, on_missing="skip")
        for step in self.steps:
            if stopper.step(self._metrics(step, values[step]), step=step).stop:
                break
        return stopper.reason

    def _metrics(self, step: int, value: float) -> dict[str, float]:
        if not self._is_timed or self._began is None:
            return {self._name: value}
        if step not in self._seconds:
            now = datetime.datetime.now(self._began.tzinfo)
            self._seconds[step] = max(0.0, (now - self._began).total_seconds())
        return {self._name: value, ELAPSED: self._seconds[step]}


def _judged_of_studies() -> weakref.WeakKeyDictionary[Any, OrderedDict[int, _Judged]]:
    return weakref.WeakKeyDictionary()


def _rule(mode: Direction, stop: Rule | Stopper | None, given: tuple[Any, ...]) -> Rule:
    own: Callable[[], Stopper] = functools.partial(_own_stopper, mode, *given)
    return chosen_stopper("RulePruner", stop, None, own, _DEFAULTS, given).stop


def _own_stopper(mode: Direction, patience: Any, min_delta: Any, lower: Any, upper: Any) -> Stopper:
    """A stopper that decides as Optuna's pruners with these arguments."""
    patience = validated(Count | None, patience, "RulePruner(patience=...)")
    min_delta = validated(NonNegative, min_delta, "RulePruner(min_delta=...)")
    lower = validated(float | None, lower, "RulePruner(lower=...)")
    upper = validated(float | None, upper, "RulePruner(upper=...)")
    rules = []
    if patience is not None:
        rules.append(patient_pruner(None, patience, min_delta, monitor=VALUE, mode=mode).stop)
    if lower is not None or upper is not None:
        if lower is not None and upper is not None and lower > upper:
            raise RuleError("`RulePruner(lower=..., upper=...)`: the lower bound is the higher one")
        rules.append(threshold_pruner(lower, upper, monitor=VALUE).stop)
    if not rules:
        raise RuleTypeError(
            "`RulePruner()` needs something to prune by: pass patience=..., lower=... or "
            "upper=..., or a rule as stop=..."
        )
    return Stopper(functools.reduce(lambda one, other: one | other, rules))
