"""The meta-estimators within scikit-learn: its own checks, grids, pipelines, weights, and rules."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from earlystop.adapters.sklearn import EarlyStoppingClassifier, EarlyStoppingRegressor
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification, make_friedman1
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import Perceptron, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import earlystop as es

X, Y = make_classification(200, n_informative=4, flip_y=0.1, random_state=0)


@pytest.mark.parametrize(
    "estimator",
    [
        EarlyStoppingClassifier(SGDClassifier(max_iter=15)),
        EarlyStoppingRegressor(SGDRegressor(max_iter=15)),
        EarlyStoppingClassifier(
            MLPClassifier(hidden_layer_sizes=(8,), max_iter=15, learning_rate_init=0.1)
        ),
        EarlyStoppingRegressor(
            MLPRegressor(hidden_layer_sizes=(8,), max_iter=15, learning_rate_init=0.1)
        ),
        EarlyStoppingClassifier(GaussianNB(), max_iter=3, validation_fraction=None),
        EarlyStoppingClassifier(ExtraTreesClassifier(n_estimators=9), iterations_per_check=3),
        EarlyStoppingClassifier(SGDClassifier(), stop=es.MaxEpochs(3), max_iter=5),
    ],
    ids=lambda estimator: type(estimator.estimator).__name__,
)
def test_scikit_learn_s_own_checks_pass(estimator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(estimator)


def test_rules_end_the_training_and_the_best_is_kept() -> None:
    rule = es.Patience("valid_score", 4, mode="max")
    model = EarlyStoppingClassifier(SGDClassifier(), stop=rule, random_state=0).fit(X, Y)
    scores = model.history_["valid_score"]
    assert model.n_iter_ == len(scores)
    assert model.best_iteration_ == int(np.argmax(scores)) + 1 == model.n_iter_ - 4
    assert model.stopped_reason_ == (
        f"valid_score has not improved on {max(scores):.6g} (epoch {model.best_iteration_}) "
        "by more than 0 for 4 epochs"
    )
    assert model.best_estimator_.t_ == 1 + 180 * model.best_iteration_


def test_its_history_is_one_to_replay() -> None:
    rule = es.Patience("valid_score", 4, mode="max")
    model = EarlyStoppingClassifier(SGDClassifier(), stop=rule, random_state=0).fit(X, Y)
    replayed = es.replay(rule, es.History.from_runs([model.history_]))
    assert (replayed.epochs[0], replayed.stopped[0]) == (model.n_iter_, True)


@pytest.mark.parametrize(
    "inside",
    [
        GradientBoostingClassifier(n_estimators=60),
        RandomForestClassifier(n_estimators=60),
        HistGradientBoostingClassifier(max_iter=60),
    ],
    ids=lambda inside: type(inside).__name__,
)
def test_ensembles_grow_tree_by_tree_and_the_best_has_as_many_as_it_had(inside: Any) -> None:
    model = EarlyStoppingClassifier(inside, n_iter_no_change=5, random_state=0).fit(X, Y)
    assert model.n_iter_ < 60
    assert model.n_iter_ - model.best_iteration_ == 5
    whole = clone(model.best_estimator_).fit(*held_in(model))
    assert (whole.predict(X) == model.predict(X)).all()
    assert f"at step {model.n_iter_ - 5}" in model.stopped_reason_


def held_in(model: Any) -> tuple[Any, Any]:
    """The samples that the model was trained on."""
    from earlystop.adapters.sklearn.samples import Samples, divided

    rng = np.random.RandomState(model.random_state)
    part = divided(model, Samples(X, Y), model.validation_fraction, rng)[0]
    return part.X, part.y


def test_copies_of_an_ensemble_share_its_trees_and_stay_as_they_are() -> None:
    x, y = make_friedman1(200, random_state=0)
    inside = GradientBoostingRegressor(n_estimators=30, random_state=0)
    model = EarlyStoppingRegressor(
        inside, stop=es.MaxEpochs(30), save=es.Every(10), max_iter=25, random_state=0
    ).fit(x, y)
    assert (model.n_iter_, model.best_iteration_) == (25, 20)
    assert len(model.best_estimator_.estimators_) == 20
    assert model.best_estimator_.get_params()["n_estimators"] == 20


def test_iterations_between_checks_end_at_the_most_there_may_be() -> None:
    model = EarlyStoppingClassifier(
        SGDClassifier(), max_iter=10, iterations_per_check=4, stop=es.Never()
    ).fit(X, Y)
    assert (model.n_iter_, len(model.history_["valid_score"])) == (10, 3)
    assert model.stopped_reason_ == ""


def test_the_same_seed_gives_the_same_training_and_passes_differ() -> None:
    def coefficients(seed: int, inside: Any) -> Any:
        model = EarlyStoppingClassifier(inside, random_state=seed)
        return model.fit(X, Y).best_estimator_.coef_.tolist()

    assert coefficients(0, SGDClassifier()) == coefficients(0, SGDClassifier())
    assert coefficients(0, SGDClassifier()) != coefficients(1, SGDClassifier())
    seeded = SGDClassifier(random_state=7)
    assert coefficients(0, seeded) == coefficients(0, seeded)
    rule = es.MaxEpochs(2)
    shuffled = EarlyStoppingClassifier(seeded, stop=rule, save=es.Always(), random_state=0)
    alike = SGDClassifier(random_state=7)
    part = held_in(shuffled)
    for _ in range(2):
        alike.partial_fit(*part, classes=[0, 1])
    assert not np.allclose(shuffled.fit(X, Y).best_estimator_.coef_, alike.coef_)


def test_a_grid_may_be_over_rules_and_a_pipeline_end_with_it() -> None:
    x, y = load_digits(return_X_y=True)
    model = make_pipeline(
        StandardScaler(), EarlyStoppingClassifier(SGDClassifier(), max_iter=12, random_state=0)
    )
    rules = [None, es.Patience("valid_score", 1, mode="max"), es.MaxEpochs(2) | es.MaxEpochs(3)]
    grid = GridSearchCV(
        model,
        {
            "earlystoppingclassifier__stop": rules,
            "earlystoppingclassifier__estimator__alpha": [1e-4, 1e-1],
        },
        cv=2,
    ).fit(x[:500], y[:500])
    assert len(grid.cv_results_["params"]) == 6
    assert grid.best_score_ > 0.7
    assert grid.best_estimator_[-1].n_iter_ >= 1


def test_a_stopper_is_neither_changed_by_a_fit_nor_cloned_with_its_state() -> None:
    stopper = es.Stopper(es.MaxEpochs(3), es.Best("valid_score", mode="max"))
    stopper.step({"valid_score": 0.5})
    model = EarlyStoppingClassifier(SGDClassifier(), stop=stopper)
    other = clone(model)
    for each in (model, model, other):
        assert each.fit(X, Y).n_iter_ == 3
        assert each.stopper_.checks == 3
    assert (stopper.checks, model.stop) == (1, stopper)
    assert not hasattr(clone(model), "stopper_")
    assert pickle.loads(pickle.dumps(model)).stopped_reason_ == model.stopped_reason_


def test_own_samples_to_validate_on_take_the_place_of_a_part_of_the_others() -> None:
    model = EarlyStoppingClassifier(SGDClassifier(), stop=es.MaxEpochs(2), save=es.Always())
    model.fit(X[:150], Y[:150], X_val=X[150:], y_val=Y[150:])
    assert model.best_estimator_.t_ == 1 + 2 * 150
    assert model.history_["valid_score"][-1] == model.score(X[150:], Y[150:])


def test_weights_reach_the_estimator_and_the_score() -> None:
    weights = np.where(Y == 1, 1.0, 1e-9)
    model = EarlyStoppingClassifier(GaussianNB(), max_iter=1, random_state=0)
    assert model.fit(X, Y, sample_weight=weights).predict(X).mean() > 0.99
    model.fit(X, Y, X_val=X, y_val=Y, sample_weight_val=weights)
    assert model.history_["valid_score"] == [model.score(X, Y, sample_weight=weights)]
    half = np.arange(200) % 2
    part = clone(model).fit(X[1::2], Y[1::2]).best_estimator_
    assert (model.fit(X, Y, sample_weight=half).best_estimator_.theta_ == part.theta_).all()


def test_weights_are_routed_where_they_are_requested() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        model = EarlyStoppingClassifier(GaussianNB(), max_iter=2)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        scores = cross_val_score(model, X, Y, cv=2, params={"sample_weight": np.ones(200)})
    assert (scores > 0.5).all()


def test_several_scores_have_names_of_their_own() -> None:
    model = EarlyStoppingClassifier(
        SGDClassifier(loss="log_loss"),
        scoring=["accuracy", "neg_log_loss"],
        stop=es.Patience("valid_neg_log_loss", 3) | es.Threshold("train_accuracy", 1.0, mode="max"),
        save=es.Best("valid_neg_log_loss"),
    ).fit(X, Y)
    assert set(model.history_) == {
        *("valid_accuracy", "valid_neg_log_loss", "train_accuracy", "train_neg_log_loss"),
        "elapsed_seconds",
    }


def test_the_loss_of_a_network_is_a_metric_too() -> None:
    model = EarlyStoppingClassifier(MLPClassifier((3,)), stop=es.MaxEpochs(2)).fit(X, Y)
    assert len(model.history_["loss"]) == 2


def test_frames_stay_frames_for_the_estimator_inside() -> None:
    frame = pd.DataFrame(X[:, :3], columns=list("abc")).assign(
        kind=pd.Categorical(np.where(Y, "x", "y"))
    )
    inside = HistGradientBoostingClassifier(max_iter=5)
    model = EarlyStoppingClassifier(inside, random_state=0).fit(frame, Y)
    assert list(model.feature_names_in_) == ["a", "b", "c", "kind"]
    assert list(model.best_estimator_.feature_names_in_) == ["a", "b", "c", "kind"]
    assert model.score(frame, Y) == 1.0
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_methods_are_there_if_the_estimator_inside_has_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hinge = EarlyStoppingClassifier(SGDClassifier(), verbose=True, max_iter=1)
    assert not hasattr(hinge, "predict_proba")
    assert hinge.fit(X, Y).decision_function(X).shape == (200,)
    assert capsys.readouterr().out == "EarlyStoppingClassifier: max_iter (1) is reached\n"
    proba = EarlyStoppingClassifier(GaussianNB(), max_iter=2).fit(X, Y)
    assert proba.predict_proba(X).shape == proba.predict_log_proba(X).shape == (200, 2)


@pytest.mark.parametrize(
    ("estimator", "fit", "error", "text"),
    [
        (EarlyStoppingClassifier(KNeighborsClassifier()), {}, TypeError, "step by step"),
        (
            EarlyStoppingClassifier(make_pipeline(StandardScaler(), SGDClassifier())),
            {},
            TypeError,
            "stop the last step early",
        ),
        (
            EarlyStoppingClassifier(SGDClassifier(early_stopping=True)),
            {},
            ValueError,
            "would stop by itself",
        ),
        (
            EarlyStoppingClassifier(GradientBoostingClassifier(n_iter_no_change=3)),
            {},
            ValueError,
            "would stop by itself",
        ),
        (EarlyStoppingClassifier(SGDClassifier(), n_iter_no_change=0), {}, ValueError, "n_iter_no"),
        (EarlyStoppingClassifier(SGDClassifier(), tol=-1.0), {}, ValueError, "tol"),
        (EarlyStoppingClassifier(SGDClassifier(), max_iter=0), {}, ValueError, "max_iter"),
        (
            EarlyStoppingClassifier(SGDClassifier(), iterations_per_check=0),
            {},
            ValueError,
            "iterations_per_check",
        ),
        (
            EarlyStoppingClassifier(SGDClassifier(), validation_fraction=1.0),
            {},
            ValueError,
            "validation_fraction",
        ),
        (
            EarlyStoppingClassifier(SGDClassifier(), stop=es.MaxEpochs(2), tol=0.1),
            {},
            ValueError,
            "leave out tol",
        ),
        (EarlyStoppingClassifier(SGDClassifier(), save=es.Every(2)), {}, ValueError, "with `stop="),
        (
            EarlyStoppingClassifier(SGDClassifier(), stop=es.Patience("val_loss", 2)),
            {},
            KeyError,
            "no metric 'val_loss': available metrics: valid_score",
        ),
        (EarlyStoppingClassifier(SGDClassifier()), {"X_val": X}, ValueError, "go together"),
        (EarlyStoppingClassifier(SGDClassifier()), {"sample_weight_val": Y}, ValueError, "X_val"),
        (EarlyStoppingClassifier(SGDClassifier()), {"classes": [0]}, TypeError, "not classes"),
        (EarlyStoppingClassifier(Perceptron()), {"sample_weight": Y}, ValueError, "one class"),
        (
            EarlyStoppingClassifier(Perceptron()),
            {"sample_weight": np.zeros(200)},
            ValueError,
            "at least one",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_together_is_refused(
    estimator: Any, fit: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        estimator.fit(X, Y, **fit)
    assert not hasattr(estimator, "best_estimator_")
