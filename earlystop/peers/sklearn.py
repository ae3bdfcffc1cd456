"""What scikit-learn's own early stopping decides. From `sklearn/` of scikit-learn 1.9.1."""

from __future__ import annotations

import math

from ..engine.stopper import Stopper
from ..language.direction import Direction
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Best, Never, Patience
from .parts import at_least

__all__ = ["mlp", "sgd"]

_SCORE, _LOSS = "validation_score", "loss"


def mlp(
    tol: float = 1e-4,
    early_stopping: bool = False,
    n_iter_no_change: int = 10,
    *,
    monitor: str | None = None,
    mode: Direction | None = None,
) -> Stopper:
    """`MLPClassifier` and `MLPRegressor` of scikit-learn 1.9.1: where their fit stops.

    (`neural_network/_multilayer_perceptron.py`.) A check is an iteration. They wait for one more
    than `n_iter_no_change`. With `early_stopping` it saves where they keep the weights; else, where
    the best loss changes.

    What differs: with solver="sgd" and learning_rate="adaptive" they first lower the rate, and go
    on.

    monitor, mode: by default "validation_score" and "max" with `early_stopping`, else "loss" and
        "min".

    >>> stopper = mlp(early_stopping=True, n_iter_no_change=1)
    >>> [stopper.step({"validation_score": value}).stop for value in [0.8, 0.8, 0.8]]
    [False, False, True]
    """
    at_least("mlp", "n_iter_no_change", n_iter_no_change, 1)
    return _stopper("mlp", tol, n_iter_no_change + 1, early_stopping, monitor, mode)


def sgd(
    tol: float | None = 1e-3,
    early_stopping: bool = False,
    n_iter_no_change: int = 5,
    *,
    monitor: str | None = None,
    mode: Direction | None = None,
) -> Stopper:
    """`SGDClassifier` and `SGDRegressor` of scikit-learn 1.9.1: where their fit stops.

    (`linear_model/_sgd_fast.pyx.tp`.) A check is an epoch. It saves where their best score or loss
    changes; they keep the last weights. Each class of several is a run of its own.

    What differs: with learning_rate="adaptive" they first lower the rate, and go on.

    tol: None never stops. The loss is compared summed over the samples, so a log of that sum takes
        `tol` times their number.
    monitor, mode: by default "validation_score" and "max" with `early_stopping`, else "loss" and
        "min".

    >>> stopper = sgd(early_stopping=True, n_iter_no_change=1)
    >>> [stopper.step({"validation_score": value}).stop for value in [0.8, 0.9, 0.9]]
    [False, False, True]
    """
    at_least("sgd", "n_iter_no_change", n_iter_no_change, 1)
    return _stopper("sgd", tol, n_iter_no_change, early_stopping, monitor, mode)


def _stopper(
    owner: str,
    tol: float | None,
    wait: int,
    early_stopping: bool,
    monitor: str | None,
    mode: Direction | None,
) -> Stopper:
    name = monitor or (_SCORE if early_stopping else _LOSS)
    way: Direction = mode or ("max" if early_stopping else "min")
    stop: Rule = Never()
    if tol is not None and tol > -math.inf:
        at_least(owner, "tol", tol, 0)
        # What is not worse than the best by the margin is an improvement, so also a NaN.
        how = Improvement(margin_on="reference", ties=True, nan="improves", moved_by="gain")
        stop = Patience(name, wait, tol, way, improvement=how)
    return Stopper(stop, Best(name, way))
