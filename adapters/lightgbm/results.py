"""What LightGBM's metrics give in a round: read, printed, and as plain JSON data.

A result is a tuple of the data set, the metric, its value, whether it should rise and, over the
folds of a cross-validation, its deviation.
"""

from __future__ import annotations

from typing import Any

from earlystop.errors import StateError, shortened
from earlystop.language.settings import Count, validated
from earlystop.language.state import number_from_json, number_to_json

__all__ = [
    "DEVIATION",
    "VALUE",
    "BestRound",
    "Results",
    "best_from_json",
    "best_to_json",
    "read",
    "text",
]

Results = list[Any]  # of EvalResult or, before LightGBM 4.7, of tuples
BestRound = tuple[int | None, Results]
"""A round and its results; None before the first."""

VALUE, DEVIATION = 2, 4


def read(result: Any) -> tuple[str, str, bool]:
    """The data set, the metric, and whether it should rise.

    >>> read(("cv_agg", "valid l2", 0.5, False, 0.1))
    ('valid', 'l2', False)
    """
    data, metric, rises = result[0], result[1], bool(result[3])
    if data == "cv_agg":  # of `cv` in earlier versions of LightGBM
        data, _, metric = metric.partition(" ")
    return data, metric, rises


def text(result: Any) -> str:
    """A result as LightGBM prints it.

    >>> text(("valid", "auc", 0.75, True, 0.125))
    "valid's auc: 0.75 + 0.125"
    """
    data, metric, _ = read(result)
    deviation = f" + {result[DEVIATION]:g}" if len(result) > DEVIATION else ""
    return f"{data}'s {metric}: {result[VALUE]:g}{deviation}"


def best_to_json(best: BestRound) -> list[Any] | None:
    number, results = best
    return None if number is None else [number, [_to_json(*result) for result in results]]


def _to_json(data: str, metric: str, value: float, rises: bool, *deviation: float) -> list[Any]:
    return [data, metric, number_to_json(value), bool(rises), *map(number_to_json, deviation)]


def best_from_json(data: Any) -> BestRound:
    """What `best_to_json` wrote. Raises StateError for anything else."""
    if data is None:
        return None, []
    try:
        number, results = data
        return validated(Count, number, "best"), [_from_json(*result) for result in results]
    except (TypeError, ValueError) as error:
        expected = "best should be a round and its results"
        raise StateError(f"{expected}, got {shortened(data)}") from error


def _from_json(data: str, metric: str, value: Any, rises: bool, *deviation: Any) -> Any:
    numbers = (number_from_json(one, metric) for one in (value, *deviation))
    return data, metric, next(numbers), rises, *numbers
