"""`stop_study`: ends a study by a rule over its trials; `study_history`: what they reported."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from earlystop.engine.stopper import Stopper
from earlystop.errors import HistoryError, RuleTypeError, shortened
from earlystop.history import History
from earlystop.language.positions import ELAPSED, STEP
from earlystop.language.rule import Rule

from ..arguments import known_arguments
from .values import VALUE, value_name

__all__ = ["StudyStop", "stop_study", "study_history"]

_logger = optuna.logging.get_logger("optuna.earlystop")


@known_arguments
def stop_study(stop: Rule | Stopper) -> StudyStop:
    """A callback of `study.optimize` that stops the study by a rule over the values of its trials.

    stop: a rule, or a Stopper. A check is a trial that was completed, in the order in which they
        were; trials that were pruned or failed are none. Of a study with one objective, the rule
        looks at one metric, which is the value of the trial, whatever its name; with several, at
        those of `study.metric_names`, else at "values_0" and so on. The time is that from the
        first trial's beginning to the end of this one.

    Trials of earlier runs of the study count, so that a study that is resumed ends as if never
    interrupted. The user attribute "stopped_reason" of the study says why it was stopped.

    Raises RuleTypeError if `stop` is neither; at the end of a trial, RuleError for a rule that
    looks at several metrics, MissingMetricError for an unknown one.

    >>> import optuna
    >>> import earlystop as es
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study()
    >>> callback = stop_study(es.Patience("loss", patience=5) | es.MaxEpochs(100))
    >>> study.optimize(lambda trial: abs(trial.number - 3), callbacks=[callback])
    >>> len(study.trials), callback.stopped_reason
    (9, 'loss has not improved on 0 (epoch 3) by more than 0 for 5 epochs')
    """
    if not isinstance(stop, (Rule, Stopper)):
        raise RuleTypeError(
            "`stop_study(stop)` must be a rule, such as Patience('value', 20, mode='min'), or a "
            f"Stopper, got {shortened(stop)}"
        )
    return StudyStop(stop if isinstance(stop, Stopper) else Stopper(stop))


class StudyStop:
    """What `stop_study` returns: a callback for `study.optimize`.

    stopper: decides.

    >>> import earlystop as es
    >>> stop_study(es.MaxEpochs(20)).stopped_reason
    ''
    """

    def __init__(self, stopper: Stopper) -> None:
        self.stopper = stopper
        self._taken: list[int] = []  # the numbers of the trials that were decided on
        self._study: weakref.ref[optuna.Study] | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        # Elsewhere it decides on all trials again, from what the storage has of them.
        return {**vars(self), "_study": None, "_taken": [], "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    @property
    def stopped_reason(self) -> str:
        """Why the study was stopped; "" if it was not."""
        return self.stopper.reason

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Decide on the trials that were completed since the last call, for Optuna."""
        with self._lock:  # of the threads of `optimize(n_jobs=...)`
            was_stopped = self._study is not None and self.stopper.stopped
            self._decide(study)
            if not self.stopper.stopped:
                return
            study.stop()
            if not was_stopped:
                study.set_user_attr("stopped_reason", self.stopped_reason)
                _logger.info(f"The study is stopped: {self.stopped_reason}.")

    def _decide(self, study: optuna.Study) -> None:
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        trials = sorted(done, key=lambda one: (str(one.datetime_complete), one.number))
        numbers = [one.number for one in trials]
        is_same = self._study is not None and self._study() is study
        if not is_same or numbers[: len(self._taken)] != self._taken:
            self._study, self._taken = weakref.ref(study), []
            self.stopper.reset()
        names = self._names(study)
        for one in trials[len(self._taken) :]:
            if self.stopper.stopped:
                break
            metrics = dict(zip(names, one.values, strict=True))
            seconds = _seconds(trials[0], one)
            if seconds is not None:
                metrics.setdefault(ELAPSED, seconds)
            self.stopper.step(metrics)
            self._taken.append(one.number)

    def _names(self, study: optuna.Study) -> Sequence[str]:
        if len(study.directions) == 1:
            return [value_name(self.stopper.stop, "stop_study")]
        named = study.metric_names
        return named or [f"values_{number}" for number in range(len(study.directions))]


def _seconds(first: FrozenTrial, last: FrozenTrial) -> float | None:
    if first.datetime_start is None or last.datetime_complete is None:
        return None
    return max(0.0, (last.datetime_complete - first.datetime_start).total_seconds())


def study_history(study: optuna.Study, name: str = VALUE) -> History:
    """What the trials of a study have reported, as a history to replay, sweep and take advice from.

    name: what to call the values.

    A run is a trial that has reported something; its steps are in order. `read_history` reads the
    same from a file of a study (SQLite, or Optuna's journal).

    Raises HistoryError if no trial has reported anything.

    >>> import optuna
    >>> import earlystop as es
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> def objective(trial):
    ...     for step in range(4):
    ...         trial.report((step - trial.number) ** 2, step)
    ...     return 0.0
    >>> study = optuna.create_study(study_name="tried")
    >>> study.optimize(objective, n_trials=2)
    >>> history = study_history(study, "val_loss")
    >>> history.names, es.replay(es.Patience("val_loss", 1), history).steps
    (('tried 0', 'tried 1'), array([1., 2.]))
    """
    told = [trial for trial in study.get_trials(deepcopy=False) if trial.intermediate_values]
    if not told:
        raise HistoryError(
            f"no trial of the study {study.study_name!r} has reported a value: call "
            "`trial.report(value, step)` in the objective"
        )
    lengths = [len(trial.intermediate_values) for trial in told]
    steps, values = np.full((2, len(told), max(lengths)), np.nan)
    for run, trial in enumerate(told):
        reports = sorted(trial.intermediate_values.items())
        steps[run, : lengths[run]], values[run, : lengths[run]] = zip(*reports, strict=True)
    names = [f"{study.study_name} {trial.number}" for trial in told]
    return History({name: values}, lengths, names, {STEP: steps})
