"""`EarlyStopping` for CatBoost: its overfitting detector's decisions, or any rule.

Inside this module `import catboost` is CatBoost: imports are absolute unless they begin with a dot.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError, StateError, name_advice
from earlystop.language.direction import Direction, Mode, direction
from earlystop.language.rule import Rule
from earlystop.language.settings import Positive, validated
from earlystop.peers.catboost import overfitting_detector

from .arguments import known_arguments
from .boosting import Reported, Rounds, reported_metrics
from .chosen import chosen_stopper

try:
    from catboost import CatBoostError
    from catboost import metrics as catboost_metrics
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "earlystop.adapters.catboost needs catboost: pip install catboost", name=error.name
    ) from error

__all__ = ["EarlyStopping"]

_LEARN = "learn"  # the data set that is trained on
_Log = Mapping[str, Mapping[str, list[float]]]


class _Own(NamedTuple):
    """The arguments of CatBoost's detector, which rules replace."""

    monitor: str | None = None
    od_wait: int | None = None
    mode: Mode = "auto"
    od_type: str | None = None
    od_pval: float | None = None
    early_stopping_rounds: int | None = None


class EarlyStopping:
    """CatBoost's overfitting detector as a callback, which also accepts any rule.

    CatBoost has no callback of its own for this: its detector is set by arguments of the model,
    which it must not be given besides. Those that this callback takes have CatBoost's names.

    monitor: the metric, such as "validation-Logloss"; by default, that of the last data set of
        `eval_set`, if it has only one (CatBoost does not tell callbacks which is `eval_metric`).
        The metric `RMSE` of the data set `validation_0` is called "validation_0-RMSE", or as in
        other logs.
    od_wait, early_stopping_rounds: how many iterations without improvement end the training, by
        default 20. They mean the same, as in CatBoost.
    mode: "min" (lower is better), "max", or "auto": as CatBoost knows its metrics, else by name.
    od_type, od_pval: only "Iter", which has no threshold. "IncToDec" is left to CatBoost.
    stop: a rule that ends the training, in place of the arguments before; or a `Stopper`, which
        several callbacks may share.
    save: with a `stop` rule, the rule that decides which iteration is the best.

    CatBoost gives a callback all metrics from the first iteration on, also in a training that
    resumes from its snapshot (`save_snapshot=True`). So such a training resumes as if never
    interrupted, without a state of the callback; only the time of its earlier parts is unknown.

    `use_best_model`, which CatBoost sets if there is an `eval_set`, keeps the best by
    `eval_metric`, on the last data set. For another idea of the best, pass `use_best_model=False`
    and call `callback.keep_best(model)` after the training. `best_iteration`, `best_score` and
    `stopped_reason` say how it went; iterations count from 0. Without `save`, there is no best.

    With CatBoost's arguments, decisions are those of its detector on the monitored metric.
    Deliberate differences:

    - With `metric_period`, iterations without the metric do not count. (For its detector, CatBoost
      computes it in every iteration; for callbacks it does not.)
    - Callbacks do not run on GPUs, and not in `catboost.cv`: CatBoost has none there.

    Raises RuleError for arguments that do not fit together or are out of range, RuleTypeError for
    those of a wrong type. In the first iteration, MissingMetricError for a metric that is not
    reported, RuleError for a metric whose direction is unknown; CatBoost turns them into a
    CatBoostError with their text.

    >>> import catboost, numpy
    >>> import earlystop as es
    >>> x = numpy.linspace(0, 1, 60).reshape(-1, 1)
    >>> callback = EarlyStopping(
    ...     stop=es.Patience("validation-RMSE", 3), save=es.Best("validation-RMSE")
    ... )
    >>> model = catboost.CatBoostRegressor(
    ...     verbose=False, learning_rate=0.5, use_best_model=False, allow_writing_files=False
    ... )
    >>> _ = model.fit(x, x[:, 0] > 0.5, eval_set=(x, x[:, 0] > 0.4), callbacks=[callback])
    >>> model.tree_count_, callback.best_iteration
    (7, 3)
    >>> callback.keep_best(model).tree_count_
    4
    """

    @known_arguments
    def __init__(
        self,
        monitor: str | None = None,
        od_wait: int | None = None,
        *,
        mode: Mode = "auto",
        od_type: str | None = None,
        od_pval: float | None = None,
        early_stopping_rounds: int | None = None,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
    ) -> None:
        self._given = stop, save
        self._own = _Own(monitor, od_wait, mode, od_type, od_pval, early_stopping_rounds)
        self._stopper("loss", "min")  # refuses arguments now, not in the first iteration
        self._rounds: Rounds | None = None
        self._found: dict[str, Reported] = {}
        self._lengths: dict[str, int] = {}
        self._iterations = 0

    # The stopper -----------------------------------------------------------------------------

    def _stopper(self, monitor: str, mode: Direction) -> Stopper:
        own = functools.partial(_own_stopper, monitor, mode, self._own)
        defaults = _Own()._asdict()
        return chosen_stopper(
            "EarlyStopping", *self._given, own, defaults, self._own, last_is_best=True
        )

    def _monitored(self, log: _Log) -> tuple[str, Reported]:
        """The metric of CatBoost's arguments, by default the only one of the last data set."""
        monitor, data = self._own.monitor, list(log)[-1]
        pairs = _pairs(log)
        if monitor is None:
            if data == _LEARN:
                raise RuleError(
                    "`EarlyStopping(od_wait=...)` judges data that is not trained on: pass "
                    "eval_set=(x, y) to `fit`, or monitor='learn-RMSE' or whichever it is"
                )
            names = [f"{data}-{metric}" for metric in log[data]]
            if len(names) > 1:
                raise RuleError(
                    "`EarlyStopping(monitor=...)` says which metric is the one to watch: CatBoost "
                    f"does not tell callbacks its eval_metric; {name_advice('', names)}"
                )
            monitor = names[0]
        return monitor, reported_metrics("EarlyStopping", [monitor], pairs)[monitor]

    def _direction(self, monitor: str, metric: str) -> Direction:
        mode = self._own.mode
        kind = getattr(catboost_metrics, metric.partition(":")[0], None)
        if mode == "auto" and isinstance(kind, type):
            with contextlib.suppress(ValueError, CatBoostError):  # it needs parameters
                known = kind()
                if known.is_max_optimal() != known.is_min_optimal():
                    return "max" if known.is_max_optimal() else "min"
        return direction(monitor, mode, "EarlyStopping")

    # A training ------------------------------------------------------------------------------

    def after_iteration(self, info: Any) -> bool:
        """Decide on an iteration, for CatBoost: whether to train on."""
        if self._rounds is None or info.iteration <= self._iterations:
            rounds = self._rounds = self._begin(info)
            self._decide_on_earlier(rounds, info)
            if rounds.session.stopper.stopped:
                return False
        self._iterations = info.iteration
        rounds, log, lengths, values = self._rounds, info.metrics, self._lengths, {}
        for name, at in self._found.items():
            column = log[at.data][at.metric]
            if len(column) != lengths[name]:  # else it is of another metric_period
                values[name], lengths[name] = column[-1], len(column)
        if values or not self._found:
            return not rounds.decide(values, info.iteration - 1).stop
        rounds.pass_over()
        return True

    def _begin(self, info: Any) -> Rounds:
        log: _Log = info.metrics
        if self._given[0] is None:
            monitor, at = self._monitored(log)
            stopper = self._stopper(monitor, self._direction(monitor, at.metric))
            self._found = {monitor: at}
        else:
            stopper = self._stopper("loss", "min")
            needed = stopper.stop.all_metrics + stopper.save.all_metrics
            self._found = reported_metrics("EarlyStopping", needed, _pairs(log))
        self._lengths = dict.fromkeys(self._found, 0)
        return Rounds(
            stopper,
            "EarlyStopping",
            shared=stopper is self._given[0],
            training=vars(info).setdefault("_earlystop_training", object()),  # for all callbacks
            first=0,
            number=info.iteration - 1,
        )

    def _decide_on_earlier(self, rounds: Rounds, info: Any) -> None:
        """Decide on the iterations before the snapshot from which this training resumes."""
        earlier = info.iteration - 1
        columns = {name: info.metrics[at.data][at.metric] for name, at in self._found.items()}
        if any(len(column) != info.iteration for column in columns.values()):
            raise StateError(
                "EarlyStopping: a training goes on from a snapshot only if the metrics were "
                "calculated in each iteration: leave out metric_period"
            )
        self._lengths = dict.fromkeys(self._found, earlier)
        for number in range(earlier if rounds.begins else 0):
            values = {name: column[number] for name, column in columns.items()}
            if rounds.decide(values, number).stop:
                break

    # Afterwards ------------------------------------------------------------------------------

    @property
    def best_iteration(self) -> int | None:
        """The iteration that was saved last, from 0; None before the first."""
        place = None if self._rounds is None else self._rounds.session.best_place
        if place is None:
            return None
        return place.check if place.epoch is None else int(place.epoch)

    @property
    def best_score(self) -> float | None:
        """The value of the metric in the best iteration; None if there is none."""
        return None if self._rounds is None else self._rounds.session.stopper.best

    @property
    def stopped_reason(self) -> str:
        """Why the training was stopped; "" if it was not."""
        return "" if self._rounds is None else self._rounds.session.stopper.reason

    def keep_best(self, model: Any) -> Any:
        """Remove the trees after the best iteration from the trained model, and return it.

        Raises RuleError if there is no best, and for a model that CatBoost has cut.
        """
        best = self.best_iteration
        if best is None:
            raise RuleError(
                "`keep_best` has no best iteration to keep: pass save=Best('validation-RMSE'), or "
                "whichever metric it is"
            )
        if model.get_all_params().get("use_best_model") or model.tree_count_ < self._iterations:
            raise RuleError(
                "`keep_best` is for a whole model, this one is cut after what CatBoost thinks the "
                "best: pass use_best_model=False"
            )
        model.shrink(model.tree_count_ - self._iterations + best + 1)  # behind an init_model
        return model


def _pairs(log: _Log) -> list[tuple[str, str]]:
    return [(data, metric) for data, metrics in log.items() for metric in metrics]


def _own_stopper(monitor: str, mode: Direction, own: _Own) -> Stopper:
    """A stopper that decides as CatBoost's detector "Iter", with these arguments."""
    validated(str | None, own.monitor, "EarlyStopping(monitor=...)")
    validated(Mode, own.mode, "EarlyStopping(mode=...)")
    if own.od_type not in (None, "Iter") or own.od_pval is not None:
        raise RuleError(
            '`EarlyStopping(od_type=..., od_pval=...)` is for od_type="Iter", without od_pval: '
            "pass the other kinds to the model itself, or a rule as stop=..."
        )
    if own.od_wait is not None and own.early_stopping_rounds is not None:
        raise RuleError(
            "`EarlyStopping(od_wait=..., early_stopping_rounds=...)` are one argument: pass one"
        )
    name = "od_wait" if own.early_stopping_rounds is None else "early_stopping_rounds"
    wait = validated(Positive | None, getattr(own, name), f"EarlyStopping({name}=...)")
    given = {} if wait is None else {"od_wait": wait}
    return overfitting_detector(monitor=monitor, mode=mode, **given)
