"""The meaning of columns by name (coordinates, labels of runs, splits), and reading their cells."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

import numpy as np

from ..language.coordinate_names import CLOCKS, EPOCHS, INNER, RUNTIMES, STEPS, plain_name
from .odd_numbers import NOT_REPORTED, odd_number

__all__ = ["is_coordinate", "is_float", "number", "plain_number"]


_COORDINATES = frozenset(("index", "episode", *STEPS, *EPOCHS, *INNER, *CLOCKS, *RUNTIMES))


@functools.lru_cache(4096)
def is_coordinate(name: str) -> bool:
    """Does a column of this name give the position of a row, rather than a metric?"""
    return name.lower() in _COORDINATES or plain_name(name) in _COORDINATES


def number(text: str) -> float | None:
    """The number in a cell; None for an empty cell or text that means "not reported".

    Raises ValueError for any other text.

    >>> number(" 1.5 "), number("nan"), number(""), number("None")
    (1.5, nan, None, None)
    """
    text = text.strip()  # of more than float() takes for blanks
    try:
        value = float(text)
    except ValueError:
        plain = text.lower()
        return None if plain in NOT_REPORTED else odd_number(plain)
    if "_" in text:  # float() allows underscores, which no log uses
        raise ValueError(f"could not convert string to float: {text!r}")
    return value


def is_float(cell: str) -> bool:
    """Is this cell a number, as Python writes it?"""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def plain_number(value: Any) -> float | None:
    """A number from JSON or a record as a float; None for anything else, including booleans.

    Numbers are those of Python and NumPy, decimals and fractions, and arrays and tensors, of any
    library, whose one element is a number.

    >>> plain_number(1), plain_number("nan"), plain_number(True), plain_number("0.5")
    (1.0, nan, None, None)
    """
    if value is None or isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, float, np.integer, np.floating)):
        return _as_float(value)
    if isinstance(value, str):
        return _NON_FINITE.get(value.strip().lower())
    if isinstance(value, (list, tuple, dict)) or not hasattr(type(value), "__float__"):
        return None
    if hasattr(value, "detach"):  # a tensor of PyTorch, which may have a gradient
        value = value.detach()
    return _as_float(_element(value))


def _as_float(value: Any) -> float | None:
    if value is np.ma.masked or isinstance(value, (complex, np.complexfloating, np.timedelta64)):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError, LookupError, RuntimeError):  # other objects, each in its way
        return None


def _element(value: Any) -> Any:
    """The element of an array of any shape that has one; another value as it is."""
    shape = getattr(value, "shape", ())
    if not shape or any(size != 1 for size in shape):
        return value
    return getattr(value, "iloc", value)[(0,) * len(shape)]


_NON_FINITE = {
    **dict.fromkeys(("nan", "+nan", "-nan"), math.nan),
    **dict.fromkeys(("inf", "+inf", "infinity", "+infinity"), math.inf),
    **dict.fromkeys(("-inf", "-infinity"), -math.inf),
}


RUN_COLUMNS = frozenset(
    (
        *("run", "run_id", "run_name", "run_uuid", "runid", "trial", "trial_id", "trial_name"),
        *("fold", "seed", "experiment_id"),
    )
)


SPLIT_COLUMNS = frozenset(["mode", "phase", "split", "stage", "subset"])


# The columns of long tables: in one the name of the metric, in another its value.
METRIC_COLUMNS = frozenset(
    ("metric", "metrics", "metric_name", "variable", "measure", "tag", "key", "name", "scalar")
)


# Those that name metrics only beside a column of values.
NAMES_OF_ANYTHING = frozenset(("tag", "key", "name"))


VALUE_COLUMNS = frozenset(("value", "values", "val", "metric_value", "scalar_value", "result"))


# Words in the names of columns whose numbers tell rows apart, as in cv_fold or worker_id.
_LABEL_WORDS = frozenset(
    (
        *("fold", "cv", "rank", "seed", "run", "trial", "worker", "client", "replica", "member"),
        *("replicate", "repeat", "gpu", "device", "process", "experiment", "split", "set", "model"),
    )
)


def tells_apart(name: str) -> bool:
    """Does a column of this name say to which run, split or metric a row belongs?"""
    plain = name.lower()
    return (
        plain in RUN_COLUMNS or plain in SPLIT_COLUMNS or plain in METRIC_COLUMNS or is_label(name)
    )


@functools.lru_cache(4096)
def is_label(name: str) -> bool:
    """May the numbers, or the text, in a column of this name tell rows apart?

    >>> is_label("cv_fold"), is_label("workerId"), is_label("val_loss")
    (True, True, False)
    """
    words = re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return not _LABEL_WORDS.isdisjoint(words)
