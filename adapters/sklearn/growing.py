"""An estimator that is trained step by step, and copies of it on the way."""

from __future__ import annotations

import copy
import inspect
import numbers
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import unique_labels

from earlystop.errors import RuleError, RuleTypeError

from .samples import Samples

__all__ = ["Growing"]

_MAX_ITER = 1000  # for estimators that do not say how long they train at most
_TREES = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


class Growing:
    """A clone of an estimator, trained iteration by iteration.

    An estimator with `partial_fit` passes over the training data once an iteration. One with
    `warm_start` gets one more of its `n_estimators`, or of the iterations that its `max_iter`
    counts.

    estimator: the estimator, which is cloned.
    rng: where seeds come from for an estimator that has none.
    y: all targets, for the classes there are.

    Attributes: `done`, the iterations so far; `most`, how many the estimator itself would take;
    `by_passes`, whether each is a pass over the data.

    Raises RuleTypeError for an estimator that can do neither, RuleError for one that would stop
    early by itself.
    """

    def __init__(self, estimator: Any, rng: np.random.RandomState, y: Any) -> None:
        self.estimator = clone(estimator)
        self.done = 0
        parameters = self.estimator.get_params(deep=False)
        self.by_passes = hasattr(self.estimator, "partial_fit")
        self._counted = "max_iter" if self.by_passes else _counted(self.estimator, parameters)
        _refuse_own_stopping(self.estimator, parameters)
        if not self.by_passes:
            self.estimator.set_params(warm_start=True)
        own = parameters.get(self._counted)
        self.most = _MAX_ITER if own is None else int(own)
        self._set_seed(parameters, rng)
        self._classes = unique_labels(y) if is_classifier(estimator) else None

    def _set_seed(self, parameters: dict[str, Any], rng: np.random.RandomState) -> None:
        if "random_state" not in parameters:
            return
        seed = parameters["random_state"]
        if seed is None:
            seed = rng.randint(np.iinfo(np.int32).max)
        if self.by_passes and isinstance(seed, numbers.Integral):
            seed = np.random.RandomState(int(seed))  # a number would shuffle every pass alike
        self.estimator.set_params(random_state=seed)

    @property
    def takes_weights(self) -> bool:
        """Whether the estimator takes weights of the samples."""
        train = self.estimator.partial_fit if self.by_passes else self.estimator.fit
        return "sample_weight" in inspect.signature(train).parameters

    def grow(self, samples: Samples, iterations: int) -> None:
        """Train the estimator for some more iterations."""
        given = {} if samples.weights is None else {"sample_weight": samples.weights}
        with warnings.catch_warnings():
            # Whether it has converged is not for the estimator to say.
            warnings.simplefilter("ignore", ConvergenceWarning)
            if self.by_passes:
                if is_classifier(self.estimator):
                    given["classes"] = self._classes
                for _ in range(iterations):
                    self.estimator.partial_fit(samples.X, samples.y, **given)
            else:
                # What counts trees counts all of them; other iterations, those of one call.
                in_all = self._counted == "n_estimators" or isinstance(self.estimator, _TREES)
                count = iterations + (self.done if in_all else 0)
                self.estimator.set_params(**{self._counted: count})
                self.estimator.fit(samples.X, samples.y, **given)
        self.done += iterations

    def copy(self) -> Any:
        """A copy of the estimator that stays as it is; it shares what training does not change."""
        fitted = vars(self.estimator)
        parts = (fitted.get(name, ()) for name in ("estimators_", "_predictors"))
        shared = {id(part): part for each in parts for part in _flat(each)}
        return copy.deepcopy(self.estimator, shared)


def _counted(estimator: Any, parameters: dict[str, Any]) -> str:
    """The parameter that counts the iterations of an estimator that can be started warm."""
    if "warm_start" in parameters:
        for name in ("n_estimators", "max_iter"):
            if name in parameters:
                return name
    raise RuleTypeError(
        f"{type(estimator).__name__} cannot be trained step by step: that takes `partial_fit`, or "
        "`warm_start` with `n_estimators` or `max_iter`. In a pipeline, stop the last step early: "
        "make_pipeline(StandardScaler(), EarlyStoppingClassifier(SGDClassifier()))"
    )


def _refuse_own_stopping(estimator: Any, parameters: dict[str, Any]) -> None:
    name = type(estimator).__name__
    if parameters.get("early_stopping") == "auto":
        estimator.set_params(early_stopping=False)
    elif parameters.get("early_stopping"):
        raise RuleError(
            f"{name}(early_stopping=True) would stop by itself: leave that out, and pass "
            "n_iter_no_change, tol and validation_fraction to the estimator around it"
        )
    if "n_estimators" in parameters and parameters.get("n_iter_no_change") is not None:
        raise RuleError(
            f"{name}(n_iter_no_change=...) would stop by itself: pass it to the estimator around it"
        )


def _flat(parts: Any) -> Iterable[Any]:
    """The fitted parts of an ensemble, which may stand in lists or arrays of them."""
    if isinstance(parts, (list, tuple)) or (
        isinstance(parts, np.ndarray) and parts.dtype == object
    ):
        for part in parts:
            yield from _flat(part)
    else:
        yield parts
