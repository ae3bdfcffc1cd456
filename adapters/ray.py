"""`RuleStopper` for Ray Tune: each trial is stopped by its own results.

Inside this module `import ray` is Ray: imports are absolute unless they begin with a dot.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Mapping
from typing import Annotated, Any

from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import (
    MetricError,
    MissingMetricError,
    RuleError,
    RuleTypeError,
    StateError,
    shortened,
)
from earlystop.language.positions import ELAPSED, EPOCH, STEP
from earlystop.language.rule import Rule
from earlystop.language.settings import AtLeast, Count, validated
from earlystop.language.state import number_from_json, number_to_json
from earlystop.peers.ray import trial_plateau_stopper

from .arguments import known_arguments
from .chosen import chosen_stopper

try:
    from ray import tune
    from ray.tune.result import AUTO_RESULT_KEYS, DEBUG_METRICS, RESULT_DUPLICATE
    from ray.tune.utils import flatten_dict
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"earlystop.adapters.ray needs {error.name}: pip install 'ray[tune]'", name=error.name
    ) from error

__all__ = ["RuleStopper"]

_DEFAULTS = {
    **{"metric": None, "std": 0.01, "num_results": 4, "grace_period": 4},
    **{"metric_threshold": None, "mode": None},
}
_OWN = {*AUTO_RESULT_KEYS, *DEBUG_METRICS, "checkpoint_dir_name"}  # what Ray adds to each result
_VERSION = 1
_SEVERAL = Annotated[int, AtLeast(2)]

_Row = tuple[int, dict[str, float]]  # a training iteration, and what the rules saw of it


class RuleStopper(tune.Stopper, tune.Callback):
    """Stops each trial by its own results, as Ray's `TrialPlateauStopper` does, or by any rule.

    metric, std, num_results, grace_period, metric_threshold, mode: those of `TrialPlateauStopper`.
        (A rule may be passed in the place of `metric`, as `stop`.)
    stop: a rule, or a Stopper, of which the rules are taken, in place of them. A metric is called
        as in the result, "val/loss" where results are nested. Epochs are Ray's training iterations,
        the time is that of the trial, `time_total_s`.
    save: with a `stop` rule, when a trial is to be checkpointed: it sets `should_checkpoint` in the
        result, which Ray heeds for class trainables.
    changed_rules: resume an experiment that was saved under rules with other numbers.

    Pass it as `stop=` and among the `callbacks=` of the RunConfig. As a callback, its state is part
    of the experiment's: `Tuner.restore` then resumes as if never interrupted. As `stop=` alone, the
    rules begin anew in a restored experiment. A trial that goes back to a checkpoint, after a
    failure, is judged from there on.

    The last result of a trial says why it was stopped, as "stopped_reason"; so does
    `stopped_reasons`, by the id of the trial. A rule sees one trial alone: to compare trials, use a
    scheduler of Ray.

    With Ray's arguments, decisions are those of Ray 2.60. Deliberate differences: a result without
    the metric is an error that names the metrics there are (Ray's stopper never stops a trial while
    there is such a result among the last ones); fewer than two results, which never deviate,
    numbers of results that are no whole ones, and a `std` and thresholds that are not finite, to
    which nothing compares, are refused. The deviation is computed in another order, which may round
    differently.

    Raises RuleError for arguments that do not fit together or are out of range, RuleTypeError for
    those of a wrong type; in an experiment, MissingMetricError for a metric that is not reported
    (a Stopper made with `on_missing="skip"` passes over such results).

    >>> import earlystop as es
    >>> stopper = RuleStopper(es.Patience("loss", patience=2))
    >>> results = [{"training_iteration": i, "loss": loss} for i, loss in [(1, 0.5), (2, 0.6)]]
    >>> [stopper("trial_1", result) for result in results]
    [False, False]
    >>> result = {"training_iteration": 3, "loss": 0.7}
    >>> stopper("trial_1", result), result["stopped_reason"]
    (True, 'loss has not improved on 0.5 (epoch 1) by more than 0 for 2 epochs')
    """

    @known_arguments
    def __init__(
        self,
        metric: str | Rule | Stopper | None = None,
        std: float = 0.01,
        num_results: int = 4,
        grace_period: int = 4,
        metric_threshold: float | None = None,
        mode: str | None = None,
        *,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
        changed_rules: bool = False,
    ) -> None:
        if isinstance(metric, (Rule, Stopper)):
            if stop is not None:
                raise RuleError("`RuleStopper(stop=...)`: two rules are given; join them by | or &")
            metric, stop = None, metric
        given = metric, std, num_results, grace_period, metric_threshold, mode
        own = functools.partial(_own_stopper, *given)
        chosen = chosen_stopper("RuleStopper", stop, save, own, _DEFAULTS, given)
        self.stop, self.save = chosen.stop, chosen.save
        # Whoever passes a rule has not said that a result may lack its metric.
        self._on_missing = chosen.on_missing if chosen is stop else "raise"
        self._saves = stop is not None and (save is not None or chosen is stop)
        self._changed_rules = changed_rules
        self._trials: dict[str, _Trial] = {}
        self.stopped_reasons: dict[str, str] = {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether to stop the trial, for Ray."""
        if RESULT_DUPLICATE in result:  # the trial has ended, and its last result comes again
            self._trials.pop(trial_id, None)
            return False
        trial = self._trials.get(trial_id)
        if trial is None:
            trial = self._trials[trial_id] = _Trial(self._new_stopper(), [])
        stops, saves = trial.step(result)
        if saves and self._saves:
            result["should_checkpoint"] = True
        if stops:
            self.stopped_reasons[trial_id] = result["stopped_reason"] = trial.reason
        return stops

    def stop_all(self) -> bool:
        """Whether to stop the whole experiment, for Ray: never."""
        return False

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Forget what a trial that has ended has reported, for Ray."""
        self._trials.pop(trial.trial_id, None)

    def get_state(self) -> dict[str, Any]:
        """The state of all trials that have not ended, as plain JSON data, for Ray."""
        return {
            "version": _VERSION,
            "rules": self._new_stopper().state_dict(),
            "stopped_reasons": dict(self.stopped_reasons),
            "trials": {name: trial.to_json() for name, trial in self._trials.items()},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Resume from `get_state()`.

        Raises StateError, and changes nothing, for a state that is damaged or of other rules.
        """
        if not isinstance(state, Mapping) or not state.keys() >= {"version", "rules", "trials"}:
            raise StateError(f"this is no state of a RuleStopper: {shortened(state)}")
        if state["version"] != _VERSION:
            raise StateError(
                f"the state of a RuleStopper has version {shortened(state['version'])}, and this "
                f"release reads {_VERSION}: use the one that wrote it, or a newer one"
            )
        self._new_stopper().load_state_dict(state["rules"], changed_rules=self._changed_rules)
        told, reasons = state["trials"], state.get("stopped_reasons", {})
        if not isinstance(told, Mapping) or not isinstance(reasons, Mapping):
            raise StateError("the state of a RuleStopper is damaged: it should have trials by name")
        try:
            trials = {
                str(name): _Trial(self._new_stopper(), _rows_from_json(rows))
                for name, rows in told.items()
            }
        except (MetricError, MissingMetricError) as error:  # such as positions that go back
            raise StateError(f"the state of a RuleStopper is damaged: {error}") from error
        self._trials, self.stopped_reasons = trials, dict(reasons)

    def _new_stopper(self) -> Stopper:
        return Stopper(self.stop, self.save, on_missing=self._on_missing)

    def __repr__(self) -> str:
        return f"RuleStopper(stop={self.stop!r}, save={self.save!r})"


class _Trial:
    """A trial: its session, and what the rules have seen of it, to go back within it.

    rows: what the rules saw before, if the trial is resumed.
    """

    def __init__(self, stopper: Stopper, rows: list[_Row]) -> None:
        self._session = Session(stopper, "RuleStopper", on_missing=_refusal(stopper))
        self._rows: list[_Row] = []
        self._judge_again(rows)

    def _judge_again(self, rows: list[_Row]) -> None:
        stopper = self._session.stopper
        stopper.reset()
        self._rows = rows
        for row in rows:
            if stopper.stopped:
                break
            self._decide(*row)

    def step(self, result: Mapping[str, Any]) -> tuple[bool, bool]:
        """Whether to stop after this result, and whether to save."""
        iteration = int(result["training_iteration"])
        if self._rows and iteration <= self._rows[-1][0]:  # it has gone back to a checkpoint
            self._judge_again([row for row in self._rows if row[0] < iteration])
        if self._session.stopper.stopped:  # and Ray has not yet ended it
            return True, False
        row = iteration, self._session.collect(_metrics(result, self._session.needed))
        decision = self._decide(*row)
        self._rows.append(row)
        return decision.stop, decision.save

    def _decide(self, iteration: int, values: Mapping[str, float]) -> Any:
        if self._session.place.epoch is None:
            self._session.count_from(iteration - 1, from_zero=False)
        told = {name: value for name, value in values.items() if name not in (EPOCH, STEP)}
        return self._session.step(told, epoch=iteration, step=values.get(STEP))

    @property
    def reason(self) -> str:
        """Why it was stopped."""
        return self._session.stopper.reason

    def to_json(self) -> list[Any]:
        """What the rules have seen: a list of iterations and metrics."""
        return [
            [iteration, {name: number_to_json(value) for name, value in values.items()}]
            for iteration, values in self._rows
        ]


def _refusal(stopper: Stopper) -> Any:
    """How a session treats a missing metric: it raises the error, as it knows more names."""
    return "raise" if stopper.on_missing == "raise" else None


def _rows_from_json(data: Any) -> list[_Row]:
    try:
        return [
            (
                int(number_from_json(iteration, "the training iteration")),
                {str(name): number_from_json(value, name) for name, value in values.items()},
            )
            for iteration, values in data
        ]
    except (TypeError, ValueError, AttributeError) as error:
        raise StateError(f"the state of a RuleStopper is damaged: {error}") from error


def _metrics(result: Mapping[str, Any], needed: tuple[str, ...]) -> dict[str, Any]:
    """The metrics of a result that the rules look at; if it lacks some of them, all its numbers."""
    found: dict[str, Any] = {ELAPSED: result.get("time_total_s", 0.0)}
    found |= {name: result[name] for name in needed if result.get(name) is not None}
    if found.keys() >= set(needed) - {EPOCH}:
        return found
    flat = flatten_dict(dict(result))
    found |= {name: flat[name] for name in needed if flat.get(name) is not None}
    if found.keys() >= set(needed) - {EPOCH}:
        return found
    reported = {
        name: value
        for name, value in flat.items()
        if isinstance(value, numbers.Real)
        and name not in _OWN
        and not name.startswith(("config/", "perf/", "timers/"))
    }
    return {**reported, **found}


def _own_stopper(
    metric: Any, std: Any, num_results: Any, grace_period: Any, metric_threshold: Any, mode: Any
) -> Stopper:
    """A stopper that decides as Ray's with these arguments."""
    if not isinstance(metric, str):
        what = "needs" if metric is None else f"got {shortened(metric)}, and needs"
        kind = RuleError if metric is None else RuleTypeError
        raise kind(
            f"`RuleStopper(metric)` {what} the name of a metric, such as 'loss', or a rule, such "
            "as Patience('loss', 5)"
        )
    if metric_threshold and mode not in ("min", "max"):
        raise RuleError(
            '`RuleStopper(metric_threshold=...)` needs mode="min" or mode="max", got '
            f"mode={shortened(mode)}"
        )
    return trial_plateau_stopper(
        metric,
        validated(float, std, "RuleStopper(std=...)"),
        validated(_SEVERAL, num_results, "RuleStopper(num_results=...)"),
        validated(Count, grace_period, "RuleStopper(grace_period=...)"),
        validated(float | None, metric_threshold, "RuleStopper(metric_threshold=...)"),
        mode,
    )
