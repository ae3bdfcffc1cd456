"""Arrays computed from those of a history: derived metrics, and the epochs that report a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import HistoryError
from .arrays import Bools, Floats
from .expressions import RecordedReads, evaluate

__all__ = ["derived_values", "reported_epochs"]


def derived_values(
    name: str,
    how: str | Callable[[Mapping[str, Floats]], Any],
    metrics: Mapping[str, Floats],
    coordinates: Mapping[str, Floats],
) -> tuple[Any, Iterable[str]]:
    """The values of a derived metric, shape (runs, epochs), and the names it is computed from.

    name: the name of the metric, for errors.
    how: an expression, or a function of the values by name.
    metrics: the metrics, arrays of shape (runs, epochs).
    coordinates: likewise; a metric hides a coordinate of the same name.

    Raises MissingMetricError for an unknown name, HistoryError for an invalid expression or values
    of another shape.
    """
    values = RecordedReads({**coordinates, **metrics})
    array = np.asarray(evaluate(how, values) if isinstance(how, str) else how(values))
    shape = next(iter(metrics.values())).shape
    if array.shape != shape:
        raise HistoryError(
            f"the values of {name!r} must have the shape of the metrics, (runs, epochs) = "
            f"{shape}, got {array.shape}"
        )
    return array, values.names


def reported_epochs(reported: Bools) -> npt.NDArray[np.intp]:
    """The numbers of the epochs that report a metric, moved to the front of each run.

    reported: where the metric was reported, shape (runs, epochs).

    Returns an array of shape (runs, most epochs reported); in each row, ignore the entries beyond
    the number of epochs that the run reports.

    >>> reported_epochs(np.array([[False, True, True], [False, False, True]])).tolist()
    [[1, 2], [2, 0]]
    """
    most = int(reported.sum(axis=1).max())
    return np.argsort(~reported, axis=1, kind="stable")[:, :most]
