"""States as plain JSON data and back.

A state is written by its own shape: a NamedTuple as an object, a window or a tuple of states as a
list; NaN and the infinities as text, because JSON has none. It is read into the shape of a fresh
`init()`, so that no rule needs a codec of its own and nothing in a file decides what is built.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import StateError
from .tracing import is_window

__all__ = ["decode_state", "encode_state", "number_from_json", "number_to_json"]

_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def number_to_json(value: float) -> float | str:
    """A float as JSON has it.

    >>> number_to(0.5), number_to(float("-inf"))
    (0.5, '-inf')
    """
    return value if math.isfinite(value) else repr(value)


def number_from_json(data: Any, where: str) -> float:
    """The float that `number_to` wrote. Raises StateError, naming `where`, for anything else."""
    if isinstance(data, str) and data in _NON_FINITE:
        return _NON_FINITE[data]
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise StateError(f"{where} should be a number, or one of {list(_NON_FINITE)}, got {data!r}")
    try:
        return float(data)
    except OverflowError:
        raise StateError(f"{where} is too large for a float, got {data!r:.50}...") from None


def encode_state(state: Any) -> Any:
    """A state as JSON data."""
    if hasattr(state, "_asdict"):
        return {name: encode_state(value) for name, value in state._asdict().items()}
    if isinstance(state, tuple):
        return [encode_state(value) for value in state]
    return number_to_json(state) if isinstance(state, float) else state


def decode_state(data: Any, shape: Any, where: str) -> Any:
    """The state in `data`, in the shape of `shape`.

    Raises StateError, naming `where` and what was expected, for data of another shape.
    """
    if hasattr(shape, "_asdict"):
        fields: dict[str, Any] = shape._asdict()
        if not isinstance(data, Mapping) or set(data) != set(fields):
            raise StateError(f"{where} should have the entries {', '.join(fields)}, got {data!r}")
        values = {
            name: decode_state(data[name], fields[name], f"{where}.{name}") for name in fields
        }
        return type(shape)(**values)
    if isinstance(shape, tuple):
        if not isinstance(data, list) or len(data) != len(shape):
            what = "numbers" if is_window(shape) else "states"
            raise StateError(f"{where} should be a list of {len(shape)} {what}, got {data!r}")
        if is_window(shape):
            return tuple(
                number_from_json(part, f"{where}[{place}]") for place, part in enumerate(data)
            )
        return tuple(
            decode_state(part, part_shape, f"{where}[{place}]")
            for place, (part, part_shape) in enumerate(zip(data, shape, strict=True))
        )
    if isinstance(shape, bool):
        if not isinstance(data, bool):
            raise StateError(f"{where} should be true or false, got {data!r}")
        return data
    if isinstance(shape, int):
        if isinstance(data, bool) or not isinstance(data, int):
            raise StateError(f"{where} should be a whole number, got {data!r}")
        return data
    return number_from_json(data, where)
