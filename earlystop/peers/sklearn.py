"""What scikit-learn's `n_iter_no_change` decides. From scikit-learn 1.9.1."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..language.direction import Direction
from ..language.improvement import Improvement
from ..language.rule import Rule
from ..rules import Best, Never, Patience

__all__ = ["mlp", "sgd"]

# A tie improves, and a NaN does, as the comparison is turned round; the best moves on any gain.
_HOW = Improvement(margin_on="reference", ties=True, nan="improves", moved_by="gain", signed=True)


def mlp(
    n_iter_no_change: int = 10,
    tol: float = 1e-4,
    early_stopping: bool = False,
    *,
    monitor: str | None = None,
) -> Stopper:
    """`MLPClassifier` and `MLPRegressor` of scikit-learn 1.9.1: where their fit stops.

    (`neural_network/_multilayer_perceptron.py`.) A check is an iteration. It stops after
    `n_iter_no_change + 1` of them without improvement.

    early_stopping: whether the validation score is watched, which is to rise, or the loss.
    monitor: by default "validation_score" or "loss".

    What differs: with `learning_rate="adaptive"` they first divide the rate, and go on.

    >>> stopper = mlp(2, tol=0.1)
    >>> [stopper.step({"loss": value}).stop for value in [0.5, 0.45, 0.42, 0.4]]
    [False, False, False, True]
    """
    return _stopper(n_iter_no_change + 1, tol, early_stopping, monitor)


def sgd(
    n_iter_no_change: int = 5,
    tol: float | None = 1e-3,
    early_stopping: bool = False,
    *,
    monitor: str | None = None,
) -> Stopper:
    """`SGDClassifier` and `SGDRegressor` of scikit-learn 1.9.1: where their fit stops.

    (`linear_model/_sgd_fast.pyx.tp`.) A check is an epoch. It stops after `n_iter_no_change` of
    them without improvement.

    tol: None for never. The loss is compared summed over the samples, so a log of that sum takes
        `tol` times their number.
    early_stopping: whether the validation score is watched, which is to rise, or the loss.
    monitor: by default "validation_score" or "loss".

    What differs: with `learning_rate="adaptive"` they first divide the rate, and go on.

    >>> stopper = sgd(2, tol=0.1)
    >>> [stopper.step({"loss": value}).stop for value in [0.5, 0.45, 0.42]]
    [False, False, True]
    """
    return _stopper(n_iter_no_change, tol, early_stopping, monitor)


def _stopper(patience: int, tol: float | None, by_score: bool, monitor: str | None) -> Stopper:
    name = monitor or ("validation_score" if by_score else "loss")
    mode: Direction = "max" if by_score else "min"
    stop: Rule = Never()
    if tol is not None:
        stop = Patience(name, patience, tol, mode, improvement=_HOW)
    return Stopper(stop, Best(name, mode))
