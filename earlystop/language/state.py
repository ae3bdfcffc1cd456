"""States as flat lists of leaves (numbers and windows), as plain JSON data, and back.

A state has the shape of the rule's `init()`: a NamedTuple of numbers, windows (plain tuples of
numbers) and inner states, or a plain tuple of states. In JSON, a NamedTuple is an object; a window
or a tuple of states is a list; NaN and the infinities are text, because JSON has neither. A state
is always read into the shape of a fresh `init()`, so no rule needs its own codec and nothing in a
file decides which objects are built.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import StateError, shortened

__all__ = [
    "decode_state",
    "encode_state",
    "flatten",
    "is_state",
    "is_window",
    "number_from_json",
    "number_to_json",
    "same_shape",
    "unflatten",
]

_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


# The shape of a state -----------------------------------------------------------------------------


def is_window(tree: object) -> bool:
    """Is this part of a state a window (a plain tuple of numbers) rather than a tuple of states?"""
    return type(tree) is tuple and bool(tree) and not any(isinstance(x, tuple) for x in tree)


def is_state(tree: object) -> bool:
    """Is this a NamedTuple of numbers, windows and states, or a plain tuple of states?"""
    if not isinstance(tree, tuple):
        return False
    if not hasattr(tree, "_fields"):
        return all(map(is_state, tree))
    return all(
        isinstance(part, (int, float))
        or (is_window(part) and all(isinstance(x, (int, float)) for x in part))
        or is_state(part)
        for part in tree
    )


def same_shape(a: object, b: object) -> bool:
    """Do two states have the same types and leaves in the same positions?"""
    return bool(_skeleton(a) == _skeleton(b))


def _skeleton(tree: Any) -> Any:
    if not isinstance(tree, tuple) or is_window(tree):
        return None
    return (type(tree), *map(_skeleton, tree))


def flatten(tree: Any) -> list[Any]:
    """The leaves of a state, in order: its numbers and windows.

    >>> flatten(((1.0, 2.0), ((), (3.0,))))
    [(1.0, 2.0), (3.0,)]
    """
    if not isinstance(tree, tuple) or is_window(tree):
        return [tree]
    return [leaf for branch in tree for leaf in flatten(branch)]


def unflatten(shape: Any, leaves: Iterator[Any]) -> Any:
    """The state with the structure of `shape` and the given leaves; the inverse of `flatten`."""
    if not isinstance(shape, tuple) or is_window(shape):
        return next(leaves)
    branches = [unflatten(branch, leaves) for branch in shape]
    return type(shape)(*branches) if hasattr(shape, "_fields") else tuple(branches)


# States as JSON -----------------------------------------------------------------------------------


def number_to_json(value: float) -> float | str:
    """A float as JSON data: text if it is not finite.

    >>> number_to_json(0.5), number_to_json(float("-inf"))
    (0.5, '-inf')
    """
    return value if math.isfinite(value) else repr(value)


def number_from_json(data: Any, where: str) -> float:
    """The float that `number_to_json` wrote. Raises StateError, naming `where`, for other data."""
    if isinstance(data, str) and data in _NON_FINITE:
        return _NON_FINITE[data]
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise StateError(
            f"{where} should be a number, or one of {list(_NON_FINITE)}, got {shortened(data)}"
        )
    try:
        return float(data)
    except OverflowError:
        raise StateError(f"{where} is too large for a float, got {shortened(data)}") from None


def encode_state(state: Any) -> Any:
    """A state as JSON data."""
    if hasattr(state, "_asdict"):
        return {name: encode_state(value) for name, value in state._asdict().items()}
    if isinstance(state, tuple):
        return [encode_state(value) for value in state]
    return number_to_json(state) if isinstance(state, float) else state


def decode_state(data: Any, shape: Any, where: str) -> Any:
    """The state that `encode_state` wrote, with the structure of `shape`.

    Raises StateError, naming `where` and what was expected, for data of a different structure.
    """
    if hasattr(shape, "_asdict"):
        return _decode_fields(data, shape, where)
    if isinstance(shape, tuple):
        return _decode_items(data, shape, where)
    if isinstance(shape, bool):
        if not isinstance(data, bool):
            raise StateError(f"{where} should be true or false, got {shortened(data)}")
        return data
    if isinstance(shape, int):
        if isinstance(data, bool) or not isinstance(data, int):
            raise StateError(f"{where} should be a whole number, got {shortened(data)}")
        return data
    return number_from_json(data, where)


def _decode_fields(data: Any, shape: Any, where: str) -> Any:
    fields: dict[str, Any] = shape._asdict()
    if not isinstance(data, Mapping) or set(data) != set(fields):
        raise StateError(
            f"{where} should have the entries {', '.join(fields)}, got {shortened(data)}"
        )
    values = {name: decode_state(data[name], fields[name], f"{where}.{name}") for name in fields}
    return type(shape)(**values)


def _decode_items(data: Any, shape: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(data, list) or len(data) != len(shape):
        what = "numbers" if is_window(shape) else "states"
        raise StateError(f"{where} should be a list of {len(shape)} {what}, got {shortened(data)}")
    if is_window(shape):  # floats, even where `init()` wrote 0
        return tuple(number_from_json(item, f"{where}[{i}]") for i, item in enumerate(data))
    return tuple(
        decode_state(item, part, f"{where}[{i}]")
        for i, (item, part) in enumerate(zip(data, shape, strict=True))
    )
