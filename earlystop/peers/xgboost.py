"""What XGBoost's early stopping decides. From `xgboost/callback.py` of XGBoost 3.2.0."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..errors import RuleError
from ..language.direction import Direction
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Always, Best, Patience
from .parts import at_least

__all__ = ["early_stopping"]

_MAXIMISED = ("auc", "aucpr", "pre", "pre@", "map", "ndcg", "auc@", "aucpr@", "map@", "ndcg@")


def early_stopping(
    rounds: int,
    metric_name: str | None = None,
    data_name: str | None = None,
    maximize: bool | None = None,
    save_best: bool = False,
    min_delta: float = 0.0,
    *,
    monitor: str | None = None,
) -> Stopper:
    """`xgboost.callback.EarlyStopping` of XGBoost 3.2.0 (`callback.py`).

    A check is a round. The first value is taken as it is, even a NaN.

    rounds: at 0 it stops at the first round.
    maximize: by default, as XGBoost reads the name.
    save_best: changes no decision.
    monitor: the metric's name where it is reported; by default `data_name-metric_name`, or the one
        of them that is given.

    Raises RuleError if no metric is named.

    >>> stopper = early_stopping(2, "rmse")
    >>> [stopper.step({"rmse": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
    [False, False, False, True]
    """
    at_least("early_stopping", "min_delta", min_delta, 0)
    at_least("early_stopping", "rounds", rounds, 0)
    name = monitor or "-".join(part for part in (data_name, metric_name) if part is not None)
    if not name:
        raise RuleError("`early_stopping(metric_name=...)` names no metric: pass it, or `monitor`")
    mode = _mode(metric_name or name, maximize)
    how = Improvement(margin_on="reference" if mode == "min" else "value", first="taken")
    best = Best(name, mode, min_delta, improvement=how)
    stop: Rule = Always()
    if rounds > 0:
        stop = Patience(name, rounds, min_delta, mode, improvement=how)
    return Stopper(stop, best)


def _mode(metric_name: str, maximize: bool | None) -> Direction:
    if maximize is None:
        maximize = metric_name != "mape" and metric_name.startswith(_MAXIMISED)
    return "max" if maximize else "min"
