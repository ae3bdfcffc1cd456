"""`early_stopping` and the callback that it returns."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from lightgbm import CVBooster
from lightgbm.basic import _log_info, _log_warning
from lightgbm.callback import CallbackEnv, EarlyStopException

from earlystop.engine.saved_state import SavedFormat
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError, RuleTypeError, StateError, shortened
from earlystop.language.direction import Direction
from earlystop.language.rule import Rule
from earlystop.language.settings import NonNegative, validated
from earlystop.peers.lightgbm import early_stopping as own_early_stopping

from ..arguments import known_arguments
from ..chosen import chosen_stopper
from .results import Results, read, text
from .wait import Wait

__all__ = ["EarlyStoppingCallback", "early_stopping"]

_DEFAULTS: Mapping[str, Any] = {
    **{"stopping_rounds": None, "first_metric_only": False, "min_delta": 0.0}
}
_SAVED = SavedFormat(
    "earlystop.lightgbm.early_stopping", 1, "a state of a callback made by `early_stopping`"
)


@known_arguments
def early_stopping(
    stopping_rounds: int | None = None,
    first_metric_only: bool = False,
    verbose: bool = True,
    min_delta: float | list[float] = 0.0,
    *,
    stop: Rule | Stopper | None = None,
    save: Rule | None = None,
    changed_rules: bool = False,
) -> EarlyStoppingCallback:
    """LightGBM's `early_stopping`, which also accepts any rule.

    The first four arguments and their defaults are those of LightGBM. The others are:

    stop: a rule that ends the training, in place of LightGBM's arguments but `verbose`; or a
        `Stopper`, which several callbacks may share. Rules call the metric `auc` of the data set
        `valid_0` "valid_0-auc", or as LightGBM prints it, "valid_0's auc", or as other logs do; in
        `lightgbm.cv` that is the mean over the folds, "valid-auc-stdv" the deviation.
    save: with a `stop` rule, the rule that decides which round is the best.
    changed_rules: take a state of rules of the same kinds with other numbers; see
        `EarlyStoppingCallback.load_state_dict`.

    Returns a callback for `lightgbm.train`, `lightgbm.cv` and `fit`. The best round is in the
    model, as LightGBM's `best_iteration` (counted from 1) and `best_score`, whether the training is
    stopped or not; a rule without `save` leaves all rounds. `stopped_reason` of the callback says
    why the training was stopped; rounds count from 0 there, those of `init_model` included. With
    `verbose`, LightGBM's logger prints both.

    With LightGBM's arguments, decisions are LightGBM's: each metric of each data set but the
    training data has its own wait, and the first that has waited long enough ends the training;
    there are no decisions in dart mode, or without validation data. Deliberate differences:

    - `min_delta` as a list may be a tuple, too, and is checked at once, not in the first round. It
      is finite: by no other would anything improve. (LightGBM takes infinity and NaN.)
    - `first_metric_only` and `verbose` are True or False: another value may be meant for another
      argument. (LightGBM takes any.)

    Raises RuleError for arguments that do not fit together or are out of range, RuleTypeError for
    those of a wrong type; in the first round, RuleError if nothing is evaluated,
    MissingMetricError for a metric of a rule that is not reported.

    >>> import lightgbm, numpy
    >>> import earlystop as es
    >>> x = numpy.linspace(0, 1, 60).reshape(-1, 1)
    >>> train = lightgbm.Dataset(x, x[:, 0] > 0.5, free_raw_data=False)
    >>> valid = lightgbm.Dataset(x, x[:, 0] > 0.4, reference=train)
    >>> callback = early_stopping(
    ...     stop=es.Patience("valid_0-l2", 3), save=es.Best("valid_0-l2"), verbose=False
    ... )
    >>> params = {"objective": "l2", "verbosity": -1}
    >>> booster = lightgbm.train(params, train, valid_sets=[valid], callbacks=[callback])
    >>> booster.best_iteration
    17
    >>> callback.stopped_reason
    'valid_0-l2 has not improved on 0.0837731 (epoch 16) by more than 0 for 3 epochs'
    """
    return EarlyStoppingCallback(
        stopping_rounds, first_metric_only, verbose, min_delta, stop, save, changed_rules
    )


class EarlyStoppingCallback:
    """What `early_stopping` returns.

    stopped_reason: why the training was stopped; "" if it was not.
    """

    def __init__(
        self,
        stopping_rounds: int | None,
        first_metric_only: bool,
        verbose: bool,
        min_delta: float | Sequence[float],
        stop: Rule | Stopper | None,
        save: Rule | None,
        changed_rules: bool,
    ) -> None:
        flags = {
            **{"first_metric_only": first_metric_only, "verbose": verbose},
            **{"changed_rules": changed_rules},
        }
        for name, value in flags.items():
            validated(bool, value, f"early_stopping({name}=...)")
        # On the object, where LightGBM looks; its values: after those that print and record.
        self.order, self.before_iteration = 30, False
        self.stopping_rounds, self.first_metric_only = stopping_rounds, first_metric_only
        self.verbose, self.min_delta = verbose, min_delta
        self._changed_rules = changed_rules
        self._given = stop, save
        self._deltas = _checked_deltas(min_delta)
        self._stopper("loss", "min", 0.0)  # refuses arguments now, not in the first round
        self.stopped_reason = ""
        self._waits: list[Wait] = []
        self._state: dict[str, Any] | None = None

    def _stopper(self, monitor: str, mode: Direction, min_delta: float) -> Stopper:
        own = functools.partial(_own_stopper, monitor, mode, self.stopping_rounds, min_delta)
        given = self.stopping_rounds, self.first_metric_only, self.min_delta
        return chosen_stopper(
            "early_stopping", *self._given, own, _DEFAULTS, given, last_is_best=True
        )

    # A training ------------------------------------------------------------------------------

    def __call__(self, env: CallbackEnv) -> None:
        if env.iteration == env.begin_iteration:
            self._begin(env)
        is_last = env.iteration == env.end_iteration - 1
        for wait in self._waits:
            decision = wait.decide(env)
            if decision.stop or is_last:
                self._end(wait, env, decision.reason)

    def _begin(self, env: CallbackEnv) -> None:
        self.stopped_reason = ""
        results = [read(result) for result in env.evaluation_result_list or ()]
        pairs = [(data, metric) for data, metric, _ in results]
        if self._given[0] is None:
            self._waits = self._own_waits(env, results)
        else:
            stopper = self._stopper("loss", "min", 0.0)
            shared = stopper is self._given[0]
            self._waits = [Wait(stopper, env, pairs, own=False, shared=shared)]
        if self._state is not None:
            self._go_on(env, self._state)

    @property
    def enabled(self) -> bool:
        """Whether it may stop a training; False for `stopping_rounds` of at most 0."""
        return self._given[0] is not None or (self.stopping_rounds or 0) > 0

    def _own_waits(self, env: CallbackEnv, results: list[tuple[str, str, bool]]) -> list[Wait]:
        """A wait for each result that LightGBM's arguments watch, in their order."""
        if not results:
            raise RuleError(
                "`early_stopping(stopping_rounds=...)` watches a metric of a data set, and none is "
                "evaluated: pass valid_sets to `train`, eval_set to `fit`"
            )
        if _is_dart(env):
            _log_warning("Early stopping is not available in dart mode")
            return []
        folds = isinstance(env.model, CVBooster)
        training = "train" if folds else env.model._train_data_name
        if not folds and [data for data, *_ in results] == [training]:
            _log_warning("Only training set found, disabling early stopping.")
            return []
        deltas = self._deltas_of(len({metric for _, metric, _ in results}))
        if not self.enabled:  # but refused what LightGBM refuses
            return []
        if self.verbose:
            _log_info(
                f"Training until validation scores don't improve for {self.stopping_rounds} rounds"
            )
        waits = []
        for i, (data, metric, rises) in enumerate(results):
            if data == training or (self.first_metric_only and metric != results[0][1]):
                continue
            name, delta = f"{data}-{metric}", deltas[i % len(deltas)]
            stopper = self._stopper(name, "max" if rises else "min", delta)
            waits.append(Wait(stopper, env, [one[:2] for one in results], own=True))
        return waits

    def _deltas_of(self, metrics: int) -> tuple[float, ...]:
        if len(self._deltas) not in (1, metrics):
            raise RuleError(
                "`early_stopping(min_delta=...)` must be one number, or one for each metric, got "
                f"{len(self._deltas)} for {metrics:,}"
            )
        return self._deltas

    def _end(self, wait: Wait, env: CallbackEnv, reason: str) -> None:
        """End the training: stopped for a reason, or in its last round."""
        self.stopped_reason = reason
        number, results = wait.best
        if not reason and number is None:
            return  # rules that do not save: all rounds are kept
        if number is None or _is_dart(env):  # whose earlier rounds have changed since
            number, results = env.iteration, list(env.evaluation_result_list or ())
        if self.verbose:
            self._tell(wait, number, results)
        wait.rounds.session.finish()
        raise EarlyStopException(number, results)

    def _tell(self, wait: Wait, number: int, results: Results) -> None:
        what = (
            "Early stopping, best" if self.stopped_reason else "Did not meet early stopping. Best"
        )
        scores = "\t".join(map(text, results))
        _log_info(f"{what} iteration is:\n[{number + 1}]\t{scores}")
        if self.first_metric_only:
            _log_info(f"Evaluated only: {wait.metric}")
        if self.stopped_reason and self._given[0] is not None:
            _log_info(f"Stopped: {self.stopped_reason}")

    # State -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state after the last round, as plain JSON data, for `load_state_dict`.

        Save it together with the model, whose number of rounds it is for: LightGBM's model has no
        place for it. At its end `lightgbm.train` cuts the model after the best round, so save both
        during the training, in a callback with a higher `order`, or pass
        keep_training_booster=True.
        """
        return _SAVED.wrap({"waits": [wait.state_dict() for wait in self._waits]})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from `state_dict()` in the next training, which gets the model by `init_model`.

        A training that had been stopped ends after one round, with the best that it had.

        Raises StateError for data that is not such a state, or is one of other rules; in the first
        round of the training, for one of other metrics, or of a model with another number of
        rounds. The callback is then as it was before.
        """
        body = _SAVED.unwrap(state)
        if not isinstance(body.get("waits"), list):
            raise StateError(f"waits should be a list of states, got {shortened(body)}")
        for saved in body["waits"] if self.enabled else ():
            self._check_rules(saved)
        self._state = body

    def _check_rules(self, saved: Any) -> None:
        """Refuse a state of other rules; of which metrics they are, only a training shows."""
        monitor, mode = _watched_by(saved)
        for delta in self._deltas[:-1]:
            with contextlib.suppress(StateError):  # it may be one of the others'
                return self._try(saved, self._stopper(monitor, mode, delta))
        self._try(saved, self._stopper(monitor, mode, self._deltas[-1]))

    def _try(self, saved: Any, stopper: Stopper) -> None:
        twin = Stopper(stopper.stop, stopper.save)  # the user's own may be in use
        Session(twin, "early_stopping").load_state_dict(saved, changed_rules=self._changed_rules)

    def _go_on(self, env: CallbackEnv, state: dict[str, Any]) -> None:
        saved = state["waits"]
        if len(saved) != len(self._waits):
            raise StateError(
                f"early_stopping: the state is of {len(saved)} metrics of data sets, this training "
                f"watches {len(self._waits)}: pass the same data sets and metrics"
            )
        for wait, one in zip(self._waits, saved, strict=True):
            wait.load_state_dict(one, env.begin_iteration, changed_rules=self._changed_rules)
        self._state = None
        for wait in self._waits:
            if wait.rounds.session.stopper.stopped:
                self._end(wait, env, wait.rounds.session.stopper.reason)


def _own_stopper(
    monitor: str, mode: Direction, stopping_rounds: int | None, min_delta: float
) -> Stopper:
    """A stopper that decides on one metric of a data set as LightGBM's callback."""
    if stopping_rounds is None:
        raise RuleTypeError(
            "`early_stopping(stopping_rounds)` is missing: pass it, or rules as stop=..."
        )
    rounds: int = validated(int, stopping_rounds, "early_stopping(stopping_rounds=...)")
    return own_early_stopping(rounds, min_delta=min_delta, monitor=monitor, mode=mode)


def _watched_by(saved: Any) -> tuple[str, Direction]:
    """The metric of a saved state, and its direction, if that can be read."""
    stopper = saved.get("stopper") if isinstance(saved, Mapping) else None
    try:
        rule = Rule.from_dict(stopper.get("stop") if isinstance(stopper, Mapping) else None)
    except RuleError:  # loading it says what is wrong
        return "loss", "min"
    return getattr(rule, "monitor", "loss"), "max" if getattr(rule, "mode", "") == "max" else "min"


def _checked_deltas(min_delta: Any) -> tuple[float, ...]:
    values = min_delta if isinstance(min_delta, (list, tuple)) else [min_delta]
    what = "early_stopping(min_delta=...)"
    return tuple(validated(NonNegative, value, what) for value in values) or (0.0,)


def _is_dart(env: CallbackEnv) -> bool:
    names = ("boosting", "boosting_type", "boost")
    return any(env.params.get(name) == "dart" for name in names)
