"""What LightGBM's metrics give in a round: read, printed, and as plain JSON data.

A result is a tuple of the data set, the metric, its value, whether it should rise and, over the
folds of a cross-validation, its deviation.
"""

from __future__ import annotations

from typing import Any

from earlystop.engine.metrics import as_floats
from earlystop.errors import MetricError, StateError, shortened
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
    shown = (_text(value) for value in (result[VALUE], *list(result)[DEVIATION:]))
    return f"{data}'s {metric}: {' + '.join(shown)}"


def _text(value: Any) -> str:
    number = _number(value)
    return shortened(value) if number is None else f"{number:g}"


def _number(value: Any) -> float | None:
    """What a metric of the user's own returned, such as a tensor; None for what is no number."""
    if type(value) is float:
        return value
    try:
        return as_floats({"": value})[""]
    except MetricError:
        return None


def best_to_json(best: BestRound) -> list[Any] | None:
    number, results = best
    if number is None:
        return None
    as_json = (_to_json(*result) for result in results)
    return [number, [result for result in as_json if None not in result]]


def _to_json(data: str, metric: str, value: Any, rises: bool, *deviation: Any) -> list[Any]:
    numbers = [_number(one) for one in (value, *deviation)]
    told = [None if number is None else number_to_json(number) for number in numbers]
    return [data, metric, told[0], bool(rises), *told[1:]]


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
