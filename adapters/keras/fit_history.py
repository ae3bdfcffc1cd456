"""The log of a fit as one run of a `History`, with gaps at epochs that were not validated."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from earlystop.engine.metrics import as_floats
from earlystop.errors import HistoryError, MetricError
from earlystop.language.positions import EPOCH
from earlystop.language.settings import Positive, validated

from .metrics import is_validation_metric

__all__ = ["fit_history"]


def fit_history(
    fit: Any, *, validation_freq: int | Collection[int] = 1
) -> dict[str, list[float | None]]:
    """The log of a fit, one value per epoch, for `History.from_runs`.

    Keras's own `history` has no entry for an epoch that was not validated, so that the lists of
    validation metrics are shorter, and their values are not those of the epochs they stand at.

    fit: what `model.fit` returned.
    validation_freq: what `model.fit` was given: every how many epochs it validated, or which ones,
        counted from 1.

    Returns a list per metric, of one value per epoch; None at an epoch that was not validated. What
    is not a number is left out. "epoch" has the epochs as Keras counts them, from 0.

    Raises HistoryError for a metric that has another number of values than there are epochs, or
    validated epochs.

    >>> import keras, numpy as np
    >>> from earlystop import History
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((4, 2)), np.ones((4, 1))
    >>> data = {"validation_data": (x, y), "validation_freq": 2}
    >>> fit = model.fit(x, y, epochs=5, verbose=0, **data)
    >>> run = fit_history(fit, validation_freq=2)
    >>> [value is not None for value in run["val_loss"]]
    [False, True, False, True, False]
    >>> run["epoch"]
    [0, 1, 2, 3, 4]
    >>> History.from_runs([run]).lengths
    array([5])
    """
    epochs, logged = getattr(fit, "epoch", None), getattr(fit, "history", None)
    if not isinstance(epochs, list) or not isinstance(logged, dict):
        raise HistoryError(f"`fit_history` takes what `model.fit` returned, got {fit!r:.100}")
    validated_epochs = _validated(epochs, validation_freq)
    run: dict[str, list[float | None]] = {}
    for name, values in logged.items():
        try:
            numbers = [None if x is None else as_floats({name: x})[name] for x in values]
        except MetricError:  # not a metric, but something else that a callback has logged
            continue
        rows = _rows(name, numbers, epochs, validated_epochs, validation_freq)
        run[name] = [None] * len(epochs)
        for row, number in zip(rows, numbers, strict=True):
            run[name][row] = number
    return {EPOCH: [*epochs], **{name: column for name, column in run.items() if name != EPOCH}}


def _validated(epochs: Iterable[int], validation_freq: Any) -> list[int]:
    """The positions of the epochs that a fit validated."""
    if isinstance(validation_freq, Collection) and not isinstance(validation_freq, str):
        numbers = set(validation_freq)
        return [row for row, epoch in enumerate(epochs) if epoch + 1 in numbers]
    every = validated(Positive, validation_freq, "fit_history(validation_freq=...)")
    return [row for row, epoch in enumerate(epochs) if (epoch + 1) % every == 0]


def _rows(
    name: str, values: list[Any], epochs: list[int], validated_epochs: list[int], freq: Any
) -> Iterable[int]:
    """The positions of the epochs that reported a metric."""
    if len(values) == len(epochs):
        return range(len(epochs))
    if not is_validation_metric(name):
        raise HistoryError(
            f"{name!r} has {len(values)} values in a fit of {len(epochs)} epochs, and which epochs "
            "they are of is not known: log it in every epoch, as None where there is no value"
        )
    if len(values) != len(validated_epochs):
        raise HistoryError(
            f"{name!r} has {len(values)} values, and with validation_freq={freq!r} a fit of "
            f"{len(epochs)} epochs has {len(validated_epochs)}: pass the validation_freq that "
            "`model.fit` was given"
        )
    return validated_epochs
