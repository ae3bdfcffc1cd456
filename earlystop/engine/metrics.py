"""Where metrics enter the engine: whatever a caller reports is converted to plain floats."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

from ..errors import MetricError, shortened

__all__ = ["MissingAsNaN", "as_floats", "with_string_names"]

_BOXED = frozenset("OSUT")  # kinds of NumPy's arrays that may hold text, which `float()` would read


def as_floats(metrics: Any) -> dict[str, float]:
    """The metrics of a check as a new dict of plain floats.

    A value is one real number, or an array or tensor of any shape whose only element is one.

    Raises MetricError for anything other than a mapping from names to single real numbers.

    >>> import numpy as np
    >>> as_floats({"loss": 1, "accuracy": True, "f1": np.array([0.5])})
    {'loss': 1.0, 'accuracy': 1.0, 'f1': 0.5}
    """
    if type(metrics) is not dict and not isinstance(metrics, Mapping):
        raise MetricError(
            "`step` takes the metrics of one epoch as a mapping from name to value, such as "
            f"{{'val_loss': 0.5}}, got {shortened(metrics)}"
        )
    values = with_string_names(metrics)
    for name, value in values.items():
        if type(value) is not float:
            values[name] = _as_float(name, value)
    return values


def with_string_names(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with names of type `str` itself, as JSON requires; subclasses of it are converted.

    Raises MetricError for a name that is not a string.
    """
    return {
        name if type(name) is str else _as_string(name): value for name, value in metrics.items()
    }


class MissingAsNaN(dict[str, float]):
    """The metrics of a check; a missing metric reads as NaN, as in compiled steps.

    >>> MissingAsNaN({"loss": 0.5})["val_loss"]
    nan
    """

    def __missing__(self, name: str) -> float:
        return math.nan


def _as_string(name: object) -> str:
    if not isinstance(name, str):
        raise MetricError(f"the names of metrics must be strings, got {name!r}")
    return str.__str__(name)


def _as_float(name: str, value: Any) -> float:
    is_number = isinstance(value, (float, int))  # the usual case, NumPy's float64 among them
    problem = "" if is_number else _problem(value)
    if not problem:
        try:
            element = value if is_number else _element(value)
            problem = "" if element is value else _problem(element)
            if not problem:
                return float(element)
        except OverflowError:
            problem = f"a {type(value).__name__} too large for a float"
        except (TypeError, ValueError, LookupError, RuntimeError) as error:
            problem = f"{shortened(value)} ({error})"
    raise MetricError(f"the metric {name!r} must be one real number, got {problem}")


def _problem(value: Any) -> str:
    """Why a value is refused although `float()` might accept it; "" if it is not refused."""
    shape = getattr(value, "shape", ())
    if value is None:
        return "None: leave a metric out at an epoch that does not report it"
    if isinstance(value, (str, bytes, bytearray)):
        return f"the text {shortened(value)}"
    if isinstance(value, (tuple, list, Mapping)):
        return f"{shortened(value)}: report one number of it, or each under a name of its own"
    if any(size != 1 for size in shape):
        return f"an array of shape {tuple(shape)}: reduce it to one number first"
    if _is_complex(value):
        return f"the complex number {value!r}: report its magnitude, or its parts as two metrics"
    return ""


def _element(value: Any) -> Any:
    """The element of an array of any shape that has only one; any other value as it is."""
    shape = getattr(value, "shape", ())
    # Not `item()`, which drops the mask of a masked array, and not all libraries have.
    if len(shape):
        return getattr(value, "iloc", value)[(0,) * len(shape)]
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return value.item() if kind in _BOXED else value


def _is_complex(value: Any) -> bool:
    if isinstance(value, numbers.Complex):
        return not isinstance(value, numbers.Real)
    return "complex" in str(getattr(value, "dtype", ""))  # 0-d arrays and tensors
