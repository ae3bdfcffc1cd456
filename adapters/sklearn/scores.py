"""The metrics of an estimator during its training."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Mapping
from typing import Any

from sklearn.metrics import check_scoring

from .samples import Samples

__all__ = ["Scores"]


class Scores:
    """Scores an estimator on what it is validated on and, if rules look at that, on the other part.

    scoring: as in scikit-learn: None, a name, a callable, or several of them.
    """

    def __init__(self, estimator: Any, scoring: Any, train: Samples, valid: Samples) -> None:
        self._scorer = check_scoring(estimator, scoring)
        self._parts = {"valid_": valid, "train_": train}

    def __call__(self, estimator: Any, needed: Collection[str]) -> dict[str, Any]:
        """The metrics: valid_score, or valid_NAME of several, and what else is needed."""
        metrics = {}
        for prefix, samples in self._parts.items():
            if prefix == "valid_" or any(name.startswith(prefix) for name in needed):
                given = {} if samples.weights is None else {"sample_weight": samples.weights}
                score = self._scorer(estimator, samples.X, samples.y, **given)
                named = score if isinstance(score, Mapping) else {"score": score}
                metrics.update({f"{prefix}{name}": value for name, value in named.items()})
        loss = getattr(estimator, "loss_", None)
        return {**metrics, "loss": loss} if isinstance(loss, numbers.Real) else metrics
