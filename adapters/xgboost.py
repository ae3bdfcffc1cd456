"""`EarlyStopping` with XGBoost's arguments and decisions, or with any rule.

Inside this module `import xgboost` is XGBoost: imports are absolute unless they begin with a dot.
"""

from __future__ import annotations

import functools
import json
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar

from earlystop.engine.saved_state import SavedFormat
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.engine.stopwatch import Stopwatch
from earlystop.errors import RuleError, RuleTypeError, StateError, name_advice
from earlystop.language.rule import Rule
from earlystop.language.settings import Count, NonNegative, Positive, validated
from earlystop.peers.xgboost import early_stopping

from .arguments import known_arguments
from .boosting import Rounds, reported_metrics
from .chosen import check_saves, chosen_stopper

try:
    from xgboost import Booster, collective
    from xgboost.callback import TrainingCallback
    from xgboost.core import XGBoostError
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "earlystop.adapters.xgboost needs xgboost: pip install xgboost", name=error.name
    ) from error

__all__ = ["EarlyStopping"]

_DEFAULTS: Mapping[str, Any] = {
    **{"rounds": None, "metric_name": None, "data_name": None, "maximize": None},
    **{"min_delta": 0.0},
}
_TOLD = ("best_iteration", "best_score", "stopped_reason")  # attributes of a model
_Log = Mapping[str, Mapping[str, Any]]


class EarlyStopping(TrainingCallback):
    """XGBoost's `EarlyStopping`, which also accepts any rule.

    The first six arguments and their defaults are those of XGBoost. The others are:

    stop: a rule that ends the training, in place of XGBoost's arguments but `save_best`; or a
        `Stopper`, which several callbacks may share. Rules call the metric `logloss` of the data
        set `validation_0` "validation_0-logloss", as XGBoost prints it, or as other logs do; in
        `xgboost.cv` that is the mean over the folds, "test-logloss-std" the deviation.
    save: with a `stop` rule, the rule that decides which round is the best.
    resume: resume from the state in the model that training begins with, `xgb_model`.
    state_interval: write the state into the model on the way, too, as often as
        `TrainingCheckPoint(interval=...)` saves it; list that one after this callback. Otherwise
        it is written at the end of the training.
    changed_rules: resume from a state of rules of the same kinds with other numbers; it is refused
        otherwise.

    The best round is in the model, as `best_iteration` and `best_score`; all trees are kept unless
    `save_best` is set. `stopped_reason` says why the training was stopped, here and among the
    attributes of the model; `stopping_history` has the values by data set and metric. Rounds count
    from 0, those of a model that training goes on from included. A callback may be used for one
    training after another.

    With XGBoost's arguments, decisions are XGBoost's. Deliberate differences:

    - Where training goes on from a model whose training was not stopped, so does the wait, and the
      best is that of all rounds. (XGBoost begins anew, and takes the first new round for the best,
      however bad.) With `resume=False`, or from a model without a state, it is as in XGBoost.
    - A callback that is used again begins anew. (XGBoost's goes on with the best of another model.)
    - Negative `rounds` are an error (XGBoost stops after the first round), and so are those that
      are no whole number, and a `min_delta` that is no finite one, by which nothing would improve.

    Raises RuleError for arguments that do not fit together or are out of range, RuleTypeError for
    those of a wrong type; in the first round, RuleError for a data set or a metric that is not
    there, MissingMetricError for a metric of a rule, StateError for a state of other rules.

    >>> import numpy, xgboost
    >>> import earlystop as es
    >>> x = numpy.linspace(0, 1, 40).reshape(-1, 1)
    >>> train, valid = xgboost.DMatrix(x, x > 0.5), xgboost.DMatrix(x, x > 0.4)
    >>> callback = EarlyStopping(stop=es.Patience("valid-rmse", 3), save=es.Best("valid-rmse"))
    >>> booster = xgboost.train(
    ...     {}, train, 100, evals=[(valid, "valid")], callbacks=[callback], verbose_eval=False
    ... )
    >>> booster.best_iteration, booster.num_boosted_rounds()
    (4, 8)
    >>> callback.stopped_reason
    'valid-rmse has not improved on 0.300082 (epoch 4) by more than 0 for 3 epochs'
    """

    @known_arguments
    def __init__(
        self,
        rounds: int | None = None,
        metric_name: str | None = None,
        data_name: str | None = None,
        maximize: bool | None = None,
        save_best: bool | None = False,
        min_delta: float = 0.0,
        *,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
        resume: bool = True,
        state_interval: int | None = None,
        changed_rules: bool = False,
    ) -> None:
        super().__init__()
        self.rounds, self.metric_name, self.data = rounds, metric_name, data_name
        self.maximize, self.save_best, self.min_delta = maximize, save_best, min_delta
        self._given = stop, save
        checked = {"resume": resume, "changed_rules": changed_rules}
        for name, value in checked.items():
            validated(bool, value, f"EarlyStopping({name}=...)")
        what = "EarlyStopping(state_interval=...)"
        self._interval: int | None = validated(Positive | None, state_interval, what)
        self._resume, self._changed_rules = resume, changed_rules
        stopper = self._stopper("valid", "loss")  # refuses arguments now, not in the first round
        if save_best:
            what = "EarlyStopping(stop=..., save_best=True)"
            check_saves(stopper.save, what, "validation_0-logloss")
        self.starting_round = 0
        self.stopping_history: dict[str, dict[str, Any]] = {}
        self.stopped_reason = ""
        self._rounds: Rounds | None = None

    # The stopper -----------------------------------------------------------------------------

    def _stopper(self, data: str, metric: str) -> Stopper:
        given = self.rounds, self.metric_name, self.data, self.maximize, self.min_delta
        own = functools.partial(self._own_stopper, data, metric)
        return chosen_stopper(
            "EarlyStopping", *self._given, own, _DEFAULTS, given, last_is_best=True
        )

    def _own_stopper(self, data: str, metric: str) -> Stopper:
        if self.rounds is None:
            raise RuleTypeError(
                "`EarlyStopping(rounds=...)` is missing: pass it, or rules as stop=..."
            )
        rounds = validated(Count, self.rounds, "EarlyStopping(rounds=...)")
        min_delta = validated(NonNegative, self.min_delta, "EarlyStopping(min_delta=...)")
        maximize = validated(bool | None, self.maximize, "EarlyStopping(maximize=...)")
        return early_stopping(rounds, metric, data, maximize, min_delta=min_delta)

    def _monitored(self, evals_log: _Log) -> tuple[str, str]:
        """The data set and the metric of XGBoost's arguments, by default the last of the last."""
        if not evals_log:
            raise RuleError(
                "`EarlyStopping(rounds=...)` watches a data set, and there is none: pass "
                "evals=[(data, name)] to `train`, eval_set=[(x, y)] to `fit`"
            )
        data = list(evals_log)[-1] if self.data is None else self.data
        if data not in evals_log:
            advice = name_advice(data, evals_log, "data sets")
            raise RuleError(
                f"`EarlyStopping(data_name=...)`: there is no data set {data!r}: {advice}"
            )
        metric = list(evals_log[data])[-1] if self.metric_name is None else self.metric_name
        if metric not in evals_log[data]:
            advice = name_advice(metric, evals_log[data])
            raise RuleError(
                f"`EarlyStopping(metric_name=...)`: there is no metric {metric!r}: {advice}"
            )
        return data, metric

    # A training ------------------------------------------------------------------------------

    def before_training(self, model: Any) -> Any:
        self.starting_round, self.stopped_reason = model.num_boosted_rounds(), ""
        self._rounds, self._decided, self._seen = None, -1, 0
        self._columns: list[tuple[str, Any, int | None]] = []
        self._stopwatch = Stopwatch()
        self._stopwatch.start()
        self._state = _StateInModel(model) if isinstance(model, Booster) else None
        if self.save_best and self._state is None:
            raise RuleError(
                "`EarlyStopping(save_best=True)` is not for `xgboost.cv`, which returns no model"
            )
        return model

    def _begin(self, model: Any, evals_log: _Log) -> Rounds:
        """Begin with the first round, in which the metrics are known."""
        pairs = [(data, metric) for data, metrics in evals_log.items() for metric in metrics]
        if self._given[0] is None:
            pairs = [self._monitored(evals_log)]
            stopper = self._stopper(*pairs[0])
        else:
            stopper = self._stopper("valid", "loss")
        rounds = Rounds(
            stopper,
            "EarlyStopping",
            shared=stopper is self._given[0],
            training=weakref.ref(model),
            first=self.starting_round,
            ranks=_Ranks() if collective.get_world_size() > 1 else None,
            stopwatch=self._stopwatch,
        )
        folds = self._state is None
        found = reported_metrics("EarlyStopping", rounds.session.needed, pairs, folds=folds)
        self._columns = [(name, evals_log[x.data][x.metric], x.part) for name, x in found.items()]
        self.stopping_history = {}
        for at in found.values():
            self.stopping_history.setdefault(at.data, {})[at.metric] = evals_log[at.data][at.metric]
        if rounds.begins and self._goes_on(rounds.session):
            self._tell_best(model, rounds.session)
        elif rounds.begins and (self._state is None or self._state.is_first):
            model.set_attr(**dict.fromkeys(_TOLD))  # they are of an earlier training
        self._rounds = rounds
        return rounds

    def _goes_on(self, session: Session) -> bool:
        """Whether the model has a state to resume from; if so, it is loaded."""
        state = None if self._state is None or not self._resume else self._state.of_model
        if state is None or state["rounds"] != self.starting_round:
            return False  # or it is of other rounds of the model
        before = session.snapshot()
        try:
            session.load_state_dict(state, changed_rules=self._changed_rules)
        except StateError as error:
            advice = "resume=False begins anew"
            raise StateError(
                f"EarlyStopping: of the state in the model: {error}; {advice}"
            ) from None
        if session.stopper.stopped:
            session.restore(before)
            return False
        return True

    def after_iteration(self, model: Any, epoch: int, evals_log: _Log) -> bool:
        rounds = self._rounds
        if rounds is None:
            rounds = self._begin(model, evals_log)
        return self._decide(rounds, model, epoch)

    def _decide(self, rounds: Rounds, model: Any, epoch: int) -> bool:
        """Decide on the last values; whether to stop."""
        values = {}
        for name, column, part in self._columns:
            values[name] = column[-1] if part is None else column[-1][part]
        number, self._decided, self._seen = self.starting_round + epoch, epoch, self._length()
        decision = rounds.decide(values, number)
        if decision.save:
            self._tell_best(model, rounds.session)
        if decision.stop:
            self.stopped_reason = decision.reason
            model.set_attr(stopped_reason=decision.reason)
            if self._state is None and rounds.session.best_place is None:
                model.set_attr(best_iteration=str(epoch))  # `cv` cuts its results after it
        if self._interval is not None and epoch % self._interval == 0:
            self._write_state(rounds.session)
        return decision.stop

    def _length(self) -> int:
        """How many values a column has; more than rounds where two metrics have its name."""
        return len(self._columns[0][1]) if self._columns else 0

    def _tell_best(self, model: Any, session: Session) -> None:
        place, score = session.best_place, session.stopper.best
        if place is not None:
            number = place.check if place.epoch is None else int(place.epoch)
            told = None if score is None else str(score)
            model.set_attr(best_iteration=str(number), best_score=told)

    def after_training(self, model: Any) -> Any:
        rounds = self._rounds
        if rounds is None:  # no round
            return model
        # XGBoost asks no others in the round in which a callback before this one stops.
        if self._length() > self._seen:
            self._decide(rounds, model, self._decided + 1)
        self._columns = []
        rounds.session.finish()
        self._write_state(rounds.session)
        self._state = None  # let go of the model
        return self._best_of(model) if self.save_best and rounds.session.best_place else model

    def _write_state(self, session: Session) -> None:
        if self._state is not None:
            self._state.write(session.state_dict())

    def _best_of(self, model: Any) -> Any:
        """The rounds up to the best; attributes, which XGBoost drops there, are set again."""
        attributes = {name: model.attr(name) for name in _TOLD}
        try:
            best = model[: int(attributes["best_iteration"]) + 1]
        except XGBoostError as error:
            raise RuleError(
                "`EarlyStopping(save_best=True)` is for trees: this booster has no rounds to cut"
            ) from error
        best.set_attr(**attributes)
        return best


class _StateInModel:
    """The state of a callback among the attributes of its model.

    Callbacks of one model have an attribute each, by their order in the training.
    """

    _FORMAT = SavedFormat("earlystop.xgboost.EarlyStopping", 1, "the state of an EarlyStopping")
    _begun: ClassVar[weakref.WeakKeyDictionary[Any, int]] = weakref.WeakKeyDictionary()

    def __init__(self, model: Any) -> None:
        number = self._begun.get(model, 0)
        self._begun[model] = number + 1
        self._model, self._attribute = model, f"earlystop_{number}"
        self.is_first = number == 0  # of the callbacks of this training
        text = model.attr(self._attribute)
        model.set_attr(**{self._attribute: None})  # it is not of the rounds to come
        self.of_model = None if text is None else self._read(text)

    def _read(self, text: str) -> dict[str, Any]:
        where = f"the attribute {self._attribute} of the model"
        try:
            data = json.loads(text)
        except ValueError as error:
            raise StateError(f"{where} is damaged: it is not JSON ({error})") from None
        return {"rounds": None, **self._FORMAT.unwrap(data, where)}

    def write(self, state: dict[str, Any]) -> None:
        body = {"rounds": self._model.num_boosted_rounds(), **state}
        self._model.set_attr(**{self._attribute: json.dumps(self._FORMAT.wrap(body))})


class _Ranks:
    """The workers of XGBoost's collective communication."""

    @property
    def size(self) -> int:
        return int(collective.get_world_size())

    @property
    def rank(self) -> int:
        return int(collective.get_rank())

    def share(self, value: Any) -> Any:
        return collective.broadcast(value, 0)

    def gather(self, value: Any) -> list[Any]:
        return [collective.broadcast(value, rank) for rank in range(self.size)]
