"""Damage to JSON data: any of its nodes deleted, repeated or replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st


def places(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    parts: Any = ()
    if isinstance(tree, (dict, list)):
        parts = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for step, part in parts:
        yield from places(part, (*place, step))


def changed(tree: Any, place: tuple[Any, ...], how: str, value: Any) -> Any:
    """The tree with the node at a place deleted, repeated beside itself, or replaced."""
    if not place:
        return value
    tree = copy.deepcopy(tree)
    *way, last = place
    parent = tree
    for step in way:
        parent = parent[step]
    if how == "delete":
        del parent[last]
    elif how == "repeat" and isinstance(parent, list):
        parent.insert(last, copy.deepcopy(parent[last]))
    elif how == "repeat":
        parent[f"{last} again"] = parent[last]
    else:
        parent[last] = value
    return tree


VALUES = st.sampled_from(
    [
        *(None, True, False, -1, 0, 1, 2**53, 2**62, 2**63, 10**400, 0.5, -0.0, 1e308, 1e-320),
        *("", "nan", "-inf", "1", "1.txt", "../x", "x\0", "\ud800", "loss", [], {}, [[]], [0.5]),
        *({"loss": 1}, {"epoch": 1}, [[[[]]]], 7, 10**18, "x" * 300),
    ]
)
