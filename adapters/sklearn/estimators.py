"""`EarlyStoppingClassifier` and `EarlyStoppingRegressor`: meta-estimators that stop by a rule."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleTypeError
from earlystop.language.rule import Rule
from earlystop.language.settings import NonNegative, Positive, validated
from earlystop.peers.sklearn import mlp, sgd
from earlystop.rules import Best

from ..arguments import known_arguments
from ..chosen import chosen_stopper
from .growing import Growing
from .samples import Samples, checked, checked_validation, divided
from .scores import Scores

__all__ = ["EarlyStoppingClassifier", "EarlyStoppingRegressor"]

_SCORE = "valid_score"
_DEFAULTS = {"n_iter_no_change": 10, "tol": 1e-4}


def _has(method: str) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a method that is available only if the estimator inside has this method."""

    def check(self: Any) -> bool:
        getattr(getattr(self, "best_estimator_", self.estimator), method)  # or AttributeError
        return True

    decorator: Callable[[Callable[..., Any]], Any] = available_if(check)
    return decorator


class _EarlyStopping:
    """What both estimators have in common; see `EarlyStoppingClassifier`."""

    # Not in the signature of `fit`: who finds it there expects that a sample of weight 2 is the
    # same as two samples, which no split into training and validation can promise.
    __metadata_request__fit = {"sample_weight": None}  # noqa: RUF012  # scikit-learn's own form

    @known_arguments
    def __init__(
        self,
        estimator: Any,
        *,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        validation_fraction: float | None = 0.1,
        max_iter: int | None = None,
        scoring: Any = None,
        iterations_per_check: int = 1,
        random_state: Any = None,
        verbose: bool = False,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.validation_fraction = validation_fraction
        self.max_iter = max_iter
        self.scoring = scoring
        self.iterations_per_check = iterations_per_check
        self.random_state = random_state
        self.verbose = verbose
        self.stop = stop
        self.save = save

    # The stopper ------------------------------------------------------------------------------

    def _stopper(self) -> Stopper:
        """A new stopper for one fit: parameters are not changed by it."""
        stop, save = copy.deepcopy((self.stop, self.save))  # rules remember what they worked out
        if save is None and isinstance(stop, Rule):
            save = Best(_SCORE, mode="max")
        given = self.n_iter_no_change, self.tol
        name = type(self).__name__
        stopper = chosen_stopper(name, stop, save, self._own, _DEFAULTS, given, last_is_best=True)
        return Stopper(stopper.stop, stopper.save, on_missing=stopper.on_missing)

    def _own(self) -> Stopper:
        """The stopper of scikit-learn's arguments."""
        name = type(self).__name__
        wait = validated(Positive, self.n_iter_no_change, f"{name}(n_iter_no_change=...)")
        tol = validated(NonNegative | None, self.tol, f"{name}(tol=...)")
        if isinstance(self.estimator, (MLPClassifier, MLPRegressor)) and tol is not None:
            return mlp(tol, early_stopping=True, n_iter_no_change=wait, monitor=_SCORE)
        return sgd(tol, early_stopping=True, n_iter_no_change=wait, monitor=_SCORE)

    # Training ---------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train a clone of the estimator until the rules stop it, and keep the best.

        X, y: the samples, of shape (n_samples, n_features), and their targets.
        X_val, y_val, sample_weight_val: samples to validate on, in place of a part of X and y.
        sample_weight: of the samples of X, of shape (n_samples,).

        Raises ValueError and TypeError as scikit-learn does; RuleError for parameters that do not
        fit together or are out of range; MissingMetricError for a rule over another metric.
        """
        stopper = self._stopper()
        samples = checked(self, Samples(X, y, self._weights(fit_params)))
        rng = check_random_state(self.random_state)
        train, valid = samples, checked_validation(self, X_val, y_val, sample_weight_val)
        if valid is None:
            train, valid = divided(self, samples, self.validation_fraction, rng)
        growing = Growing(self.estimator, rng, samples.y)
        if train.weights is not None and not growing.takes_weights:
            raise RuleTypeError(
                f"{type(self.estimator).__name__} takes no sample_weight: leave it out"
            )
        self._train(growing, stopper, train, valid)
        if hasattr(self.best_estimator_, "classes_"):
            self.classes_ = self.best_estimator_.classes_
        return self

    def _weights(self, fit_params: Mapping[str, Any]) -> Any:
        """The weights of the samples of X; None without."""
        unknown = sorted(fit_params.keys() - {"sample_weight"})
        if unknown:
            raise RuleTypeError(
                f"`{type(self).__name__}.fit` takes sample_weight, X_val, y_val and "
                f"sample_weight_val besides X and y, not {', '.join(unknown)}"
            )
        return fit_params.get("sample_weight")

    def _train(self, growing: Growing, stopper: Stopper, train: Samples, valid: Samples) -> None:
        name = type(self).__name__
        per_check = validated(
            Positive, self.iterations_per_check, f"{name}(iterations_per_check=...)"
        )
        most = growing.most
        if self.max_iter is not None:
            most = validated(Positive, self.max_iter, f"{name}(max_iter=...)")
        score = Scores(growing.estimator, self.scoring, train, valid)
        session = Session(stopper, name, on_missing="raise")
        if growing.by_passes:
            session.count_from(0, from_zero=False)
        self.history_: dict[str, list[float]] = {}
        best = None
        while growing.done < most and not stopper.stopped:
            growing.grow(train, min(per_check, most - growing.done))
            values = session.collect(score(growing.estimator, session.needed))
            place = {"epoch" if growing.by_passes else "step": growing.done}
            if session.step(values, **place).save:
                best, self.best_iteration_ = growing.copy(), growing.done
            for metric, value in values.items():
                self.history_.setdefault(metric, []).append(value)
        if best is None:
            best, self.best_iteration_ = growing.estimator, growing.done
        self.best_estimator_, self.n_iter_ = best, growing.done
        self.stopper_, self.stopped_reason_ = stopper, stopper.reason
        if self.verbose:
            print(f"{name}: {stopper.reason or f'max_iter ({most}) is reached'}")

    # The best estimator -----------------------------------------------------------------------

    def _best(self, X: Any) -> Any:
        check_is_fitted(self)
        _check_feature_names(self, X, reset=False)
        return self.best_estimator_

    def predict(self, X: Any) -> Any:
        """What the best estimator predicts for samples of shape (n_samples, n_features)."""
        return self._best(X).predict(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # of scikit-learn's classes
        inside = get_tags(self.estimator)
        for part in ("input_tags", "target_tags", "classifier_tags", "regressor_tags"):
            setattr(tags, part, getattr(inside, part))
        tags.non_deterministic = inside.non_deterministic
        return tags


class EarlyStoppingClassifier(
    _EarlyStopping,
    ClassifierMixin,  # type: ignore[misc]  # scikit-learn has no types
    MetaEstimatorMixin,  # type: ignore[misc]  # nor this
    BaseEstimator,  # type: ignore[misc]  # nor this
):
    """Trains a classifier step by step, stops early, and keeps the best estimator on the way.

    estimator: the classifier. It has `partial_fit` (each iteration is then a pass over the training
        data), or `warm_start` with `n_estimators` or `max_iter`. It is cloned.
    n_iter_no_change, tol: stop when `valid_score` has not improved by at least `tol` for this many
        checks in a row, as `SGDClassifier(early_stopping=True)` does; around an `MLPClassifier`, or
        `MLPRegressor`, as that does, which waits for one more. A `tol` of None never stops.
    validation_fraction: the share of the samples to validate on, drawn alike from each class if
        there are enough of each. None: validate on those that are trained on. `fit` takes X_val
        and y_val in its place.
    max_iter: how many iterations at most; by default, as many as the estimator would take.
    scoring: as in `GridSearchCV`; by default, the estimator's own `score`. Greater is better.
    iterations_per_check: how many iterations lie between two checks.
    random_state: draws the samples to validate on, and seeds an estimator that has no seed.
    verbose: print why the training has ended.
    stop: a rule that ends the training, in place of n_iter_no_change and tol; or a `Stopper`,
        whose two rules are taken. Rules look at `valid_score`; of several `scoring`, at
        `valid_NAME`; at the same with `train_`; and at `loss`, if the estimator has one.
    save: with a `stop` rule, the rule that decides what is the best; by default,
        `Best("valid_score", mode="max")`.

    After `fit` there are `best_estimator_`, `best_iteration_`, `n_iter_`, `history_` (the metrics
    of each check, for `History.from_runs`), `stopped_reason_` ("" if no rule has stopped it) and
    `stopper_`. Parameters are never changed by a fit, a `Stopper` included.

    Deliberate differences from `early_stopping=True` of `SGDClassifier` and `MLPClassifier`:

    - The best estimator is kept. (SGD keeps the last.)
    - What is scored is what predicts. (SGD leaves out the scale of a penalty when it scores, and
      with loss="log_loss", in scikit-learn 1.9, takes all samples of the first class for wrong.)
    - With learning_rate="adaptive", too, the training ends. (Both first lower the rate and go on;
      it is the estimator's, out of reach from around it.)
    - One decision is taken for all classes. (SGD stops each class's own problem by itself.)
    - If classes are too small to be drawn alike, samples are drawn from all of them together.
      (Both refuse.)
    - `sample_weight` is passed by its name, and is not in the signature of `fit`.

    Raises RuleError, which is a ValueError, in `fit` for parameters that do not fit together.

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import SGDClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = EarlyStoppingClassifier(SGDClassifier(), random_state=0, n_iter_no_change=5)
    >>> classifier.fit(X, y).n_iter_ < 100
    True
    >>> bool(classifier.score(X, y) > 0.9)
    True
    """

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """The probabilities of the classes, of shape (n_samples, n_classes)."""
        return self._best(X).predict_proba(X)

    @_has("predict_log_proba")
    def predict_log_proba(self, X: Any) -> Any:
        """The logarithms of the probabilities of the classes."""
        return self._best(X).predict_log_proba(X)

    @_has("decision_function")
    def decision_function(self, X: Any) -> Any:
        """The decision function of the best estimator."""
        return self._best(X).decision_function(X)


class EarlyStoppingRegressor(
    _EarlyStopping,
    RegressorMixin,  # type: ignore[misc]  # scikit-learn has no types
    MetaEstimatorMixin,  # type: ignore[misc]  # nor this
    BaseEstimator,  # type: ignore[misc]  # nor this
):
    """Trains a regressor step by step, stops early, and keeps the best estimator on the way.

    Parameters, attributes, errors and differences are those of `EarlyStoppingClassifier`.

    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> X, y = make_friedman1(400, random_state=0)
    >>> regressor = EarlyStoppingRegressor(
    ...     GradientBoostingRegressor(learning_rate=0.5, n_estimators=1000), random_state=0)
    >>> regressor.fit(X, y).n_iter_ - regressor.best_iteration_
    10
    >>> len(regressor.best_estimator_.estimators_) == regressor.best_iteration_
    True
    """
