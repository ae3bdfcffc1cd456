"""Scikit-learn's own early stopping and ours around the same estimators, in real trainings."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from earlystop.adapters.sklearn import EarlyStoppingClassifier, EarlyStoppingRegressor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor, _multilayer_perceptron

from tests.adapters.peers.curves import any_float, curves, grid, nan

X = np.array([[0.0], [1.0], [0.5], [0.2], [0.8], [0.4]])
Y = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
HELD_OUT = 20

values = st.one_of(grid, any_float, st.just(nan))
waits = st.integers(1, 6)
margins = st.sampled_from([0.0, 1e-4, 1 / 64, 0.1, 0.125])

_scores: Iterator[float] = iter(())


class ScriptedSGD(SGDRegressor):
    """Scores as a curve says."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return next(_scores)


class ScriptedMLP(MLPRegressor):
    """Scores as a curve says."""

    def _score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return next(_scores)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return next(_scores)


def fitted(estimator: Any, curve: list[float], *data: Any, **more: Any) -> Any:
    global _scores  # noqa: PLW0603  # clones of an estimator share nothing else
    _scores = iter(curve)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(*data, **more)


@given(curve=curves(values), wait=waits, tol=margins | st.none())
def test_it_ends_where_sgd_ends_by_its_own_early_stopping(
    curve: list[float], wait: int, tol: float | None
) -> None:
    numbers: dict[str, Any] = {"tol": tol, "n_iter_no_change": wait}
    theirs = ScriptedSGD(
        early_stopping=True, validation_fraction=0.3, max_iter=len(curve), **numbers
    )
    ours = EarlyStoppingRegressor(
        ScriptedSGD(max_iter=len(curve)), validation_fraction=0.3, **numbers
    )
    assert fitted(ours, curve, X, Y).n_iter_ == fitted(theirs, curve, X, Y).n_iter_
    numbers = np.array(ours.history_["valid_score"])
    if not np.isnan(numbers).all() and np.nanmax(numbers) > -np.inf:
        assert ours.best_iteration_ == int(np.nanargmax(numbers)) + 1


@given(curve=curves(values), wait=waits, tol=margins)
def test_it_ends_where_an_mlp_ends_and_keeps_the_same_weights(
    curve: list[float], wait: int, tol: float
) -> None:
    small: dict[str, Any] = {
        "hidden_layer_sizes": (1,),
        "max_iter": len(curve),
        "shuffle": False,
        "random_state": 0,
    }
    numbers: dict[str, Any] = {"tol": tol, "n_iter_no_change": wait}
    theirs = ScriptedMLP(early_stopping=True, validation_fraction=0.3, **small, **numbers)
    with held_out(2):
        fitted(theirs, curve, X, Y)
    ours = EarlyStoppingRegressor(ScriptedMLP(**small), **numbers)
    fitted(ours, curve, X[2:], Y[2:], X_val=X[:2], y_val=Y[:2])
    assert ours.n_iter_ == theirs.n_iter_
    if not np.isnan(curve[: ours.n_iter_]).all():
        assert all(map(np.array_equal, ours.best_estimator_.coefs_, theirs.coefs_))
        assert ours.stopper_.best == theirs.best_validation_score_


@contextlib.contextmanager
def held_out(number: int) -> Iterator[None]:
    """An MLP holds out the first samples."""

    def split(*arrays: Any, **_: Any) -> list[Any]:
        return [part for array in arrays for part in (array[number:], array[:number])]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_multilayer_perceptron, "train_test_split", split)
        yield


class HoldsOut(SGDClassifier):
    """Holds out the first samples."""

    def _make_validation_split(self, y: Any, sample_mask: Any) -> Any:
        return np.arange(len(y)) < HELD_OUT


@given(st.integers(0, 10**6), waits, st.sampled_from([0.0, 1e-3, 0.02]))
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
def test_learning_classifiers_stop_alike_and_learn_alike(seed: int, wait: int, tol: float) -> None:
    x, y = make_classification(120, n_informative=3, flip_y=0.2, class_sep=0.5, random_state=seed)
    y[:2] = y[HELD_OUT : HELD_OUT + 2] = 0, 1
    numbers: dict[str, Any] = {"tol": tol, "n_iter_no_change": wait}
    data, valid = (x[HELD_OUT:], y[HELD_OUT:]), {"X_val": x[:HELD_OUT], "y_val": y[:HELD_OUT]}
    linear: dict[str, Any] = {"shuffle": False, "max_iter": 60}
    theirs = fitted(HoldsOut(early_stopping=True, penalty=None, **linear, **numbers), [], x, y)
    inside = SGDClassifier(penalty=None, **linear)
    ours = EarlyStoppingClassifier(inside, **numbers).fit(*data, **valid)
    assert ours.n_iter_ == theirs.n_iter_
    network: dict[str, Any] = {**linear, "hidden_layer_sizes": (4,), "random_state": seed}
    network["learning_rate_init"] = 0.02
    with held_out(HELD_OUT):
        theirs = fitted(MLPClassifier(early_stopping=True, **network, **numbers), [], x, y)
    ours = EarlyStoppingClassifier(MLPClassifier(**network), **numbers).fit(*data, **valid)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.history_["valid_score"] == theirs.validation_scores_
    assert all(map(np.array_equal, ours.best_estimator_.coefs_, theirs.coefs_))


def test_differs_the_best_is_kept_where_sgd_keeps_the_last() -> None:
    curve = [0.5, 0.9, 0.1, 0.1]
    theirs = ScriptedSGD(early_stopping=True, validation_fraction=0.3, n_iter_no_change=2)
    ours = EarlyStoppingRegressor(
        ScriptedSGD(shuffle=False), n_iter_no_change=2, validation_fraction=None
    )
    assert fitted(theirs, curve, X, Y).t_ == 1 + 4 * 6
    assert fitted(ours, curve, X, Y).best_estimator_.t_ == 1 + 2 * 6


def test_differs_what_is_scored_is_what_predicts_where_sgd_leaves_out_the_scale_of_a_penalty() -> (
    None
):
    x, y = make_classification(120, n_informative=3, flip_y=0.2, class_sep=0.5, random_state=1)
    data, valid = (x[HELD_OUT:], y[HELD_OUT:]), (x[:HELD_OUT], y[:HELD_OUT])
    scored = []

    class Recording(HoldsOut):
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
            scored.append(self.coef_.copy())
            return float(super().score(X, y))

    for penalty in (None, "l2"):
        linear: dict[str, Any] = {"shuffle": False, "max_iter": 1, "penalty": penalty}
        theirs = fitted(Recording(early_stopping=True, **linear), [], x, y)
        assert np.allclose(theirs.coef_, scored.pop()) == (penalty is None)
        ours = EarlyStoppingClassifier(SGDClassifier(**linear))
        ours.fit(*data, X_val=valid[0], y_val=valid[1])
        assert np.allclose(ours.best_estimator_.coef_, theirs.coef_)
        assert ours.history_["valid_score"] == [ours.score(*valid)]


def test_differs_the_log_loss_is_scored_by_both_classes_where_sgd_takes_one_for_wrong() -> None:
    x, y = make_classification(120, n_informative=3, flip_y=0.2, class_sep=0.5, random_state=1)
    scored: list[float] = []

    class Recording(HoldsOut):
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
            scored.append(float(super().score(X, y)))
            return scored[-1]

    for loss in ("hinge", "log_loss"):
        scored.clear()
        linear: dict[str, Any] = {"shuffle": False, "max_iter": 1, "penalty": None, "loss": loss}
        theirs = fitted(Recording(early_stopping=True, **linear), [], x, y)
        ours = EarlyStoppingClassifier(SGDClassifier(**linear))
        ours.fit(x[HELD_OUT:], y[HELD_OUT:], X_val=x[:HELD_OUT], y_val=y[:HELD_OUT])
        assert np.array_equal(ours.best_estimator_.coef_, theirs.coef_)
        right = (theirs.predict(x[:HELD_OUT]) == y[:HELD_OUT]) & (y[:HELD_OUT] >= 0)
        assert ours.history_["valid_score"] == [right.mean()]
        assert scored == [(right & ((y[:HELD_OUT] == 1) | (loss == "hinge"))).mean()]


def test_differs_an_adaptive_rate_is_not_lowered_where_theirs_goes_on() -> None:
    curve = [0.5] * 40
    for theirs, inside in (
        (ScriptedSGD, ScriptedSGD(learning_rate="adaptive", eta0=0.1)),
        (ScriptedMLP, ScriptedMLP(hidden_layer_sizes=(1,), solver="sgd", learning_rate="adaptive")),
    ):
        numbers = {"n_iter_no_change": 2, "tol": 1e-4}
        parameters = {**inside.get_params(), "early_stopping": True, **numbers}
        parameters["validation_fraction"] = 0.3
        lasted = fitted(theirs(**{**parameters, "max_iter": 40}), curve, X, Y).n_iter_
        ours = fitted(
            EarlyStoppingRegressor(inside, validation_fraction=0.3, **numbers), curve, X, Y
        )
        assert ours.n_iter_ < 5 < lasted


def test_differs_classes_stop_together_where_sgd_stops_each_by_itself() -> None:
    x, y = make_classification(300, n_informative=4, n_classes=3, random_state=0)
    ours = EarlyStoppingClassifier(SGDClassifier(), random_state=0).fit(x, y)
    assert ours.best_estimator_.coef_.shape == (3, 20)
    assert len(ours.history_["valid_score"]) == ours.n_iter_


def test_differs_classes_too_small_for_each_part_are_drawn_together() -> None:
    x, y = np.arange(12.0).reshape(-1, 1), np.array([0] * 6 + [1] * 5 + [2])
    for kind in (SGDClassifier, MLPClassifier):
        with pytest.raises(ValueError, match="class"):
            kind(early_stopping=True).fit(x, y == 2)
        inside = kind(max_iter=3)
        assert EarlyStoppingClassifier(inside, random_state=0).fit(x, y).n_iter_ == 3
