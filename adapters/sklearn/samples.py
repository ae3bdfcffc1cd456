"""The samples to train on, and those to validate on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from earlystop.errors import RuleError

__all__ = ["Samples", "checked", "checked_validation", "divided"]


class Samples(NamedTuple):
    """Samples with their targets and weights, None for no weights."""

    X: Any
    y: Any
    weights: Any = None


def checked(owner: Any, samples: Samples, *, reset: bool = True) -> Samples:
    """The samples, checked as far as any estimator needs it; frames stay what they are.

    owner: the estimator that is fitted; with `reset`, it learns the number and names of features.

    Raises ValueError as scikit-learn does.
    """
    X, y = validate_data(
        owner,
        samples.X,
        samples.y,
        reset=reset,
        accept_sparse=True,
        dtype=None,
        ensure_all_finite=False,
        multi_output=True,
        y_numeric=not is_classifier(owner),
    )
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if is_classifier(owner):
        check_classification_targets(y)
    weights = samples.weights
    if weights is not None:
        weights = _check_sample_weight(weights, X)
    found = Samples(samples.X if hasattr(samples.X, "columns") else X, y, weights)
    return found if weights is None or weights.all() else _weighty(owner, found)


def _weighty(owner: Any, samples: Samples) -> Samples:
    """The samples with a weight other than 0: the others would make a validation set empty."""
    kept = np.flatnonzero(samples.weights)
    X, y, weights = (_safe_indexing(part, kept) for part in samples)
    if not len(kept):
        raise RuleError("sample_weight is 0 for all samples: at least one needs a weight")
    if is_classifier(owner) and len(np.unique(y)) == 1 < len(np.unique(samples.y)):
        raise RuleError("sample_weight leaves samples of one class only: it needs two")
    return Samples(X, y, weights)


def divided(
    owner: Any, samples: Samples, fraction: Any, rng: np.random.RandomState
) -> tuple[Samples, Samples]:
    """The samples to train on, and those to validate on.

    fraction: to validate on, in (0, 1). A classifier's are drawn from each class alike, if there
        are enough of each. None: validate on those that are trained on.
    """
    if fraction is None:
        return samples, samples
    if not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
        raise RuleError(
            f"`{type(owner).__name__}(validation_fraction=...)` must be a number between 0 and 1, "
            f"or None to validate on what is trained on; got {fraction!r}"
        )
    given = [part for part in samples if part is not None]
    stratify = (
        samples.y if is_classifier(owner) and _can_stratify(samples.y, float(fraction)) else None
    )
    parts = train_test_split(*given, test_size=fraction, random_state=rng, stratify=stratify)
    return Samples(*parts[::2]), Samples(*parts[1::2])


def _can_stratify(y: Any, fraction: float) -> bool:
    """Whether each class has samples for both parts."""
    if type_of_target(y).startswith("multilabel") or y.ndim > 1:
        return False
    _, counts = np.unique(y, return_counts=True)
    validated = int(np.ceil(fraction * len(y)))
    return bool(counts.min() >= 2 and min(validated, len(y) - validated) >= len(counts))


def checked_validation(owner: Any, X: Any, y: Any, weights: Any) -> Samples | None:
    """The user's own samples to validate on, checked; None without any.

    Raises ValueError if only a part of them is given.
    """
    if X is None and y is None:
        if weights is not None:
            raise RuleError("sample_weight_val goes with X_val and y_val: pass them, too")
        return None
    if X is None or y is None:
        raise RuleError("X_val and y_val go together: pass both or neither")
    check_consistent_length(X, y)
    return checked(owner, Samples(X, y, weights), reset=False)
