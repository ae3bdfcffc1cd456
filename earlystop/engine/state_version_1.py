"""How a state of a stopper that version 0.1.0 saved becomes one of today.

It counted epochs where it meant checks, knew no positions, and some rules kept less of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..language.rule import Rule, State
from ..language.state import encode_state
from ..rules import Every, Patience

__all__ = ["migrated_from_1"]

_ADDED = {Patience.State: ("place",), Every.State: ("multiple",)}


def migrated_from_1(body: dict[str, Any]) -> dict[str, Any]:
    """The body of version 1 as one of version 2. Damaged entries are left for the reader."""
    body = {**body, "checks": body.pop("epoch"), "best_check": body.pop("best_epoch")}
    body["positions"] = None
    rules = {role: Rule.from_dict(body[role]) for role in ("stop", "save")}
    holders = [body]
    if body.get("last_check") is not None:
        body["last_check"] = {**body["last_check"]}
        holders.append(body["last_check"])
    for holder in holders:
        for role, rule in rules.items():
            holder[f"{role}_state"] = _completed(holder[f"{role}_state"], rule.init())
    return body


def _completed(data: Any, shape: State) -> Any:
    """The JSON of a rule's state, with the fields that were added since as they are at first.

    shape: a state of the rule.
    """
    if isinstance(data, Mapping) and hasattr(shape, "_fields"):
        names = _ADDED.get(type(shape), ())
        added = {name: encode_state(getattr(shape, name)) for name in names}
        known = {name: _completed(data[name], getattr(shape, name, None)) for name in data}
        return {**added, **known}
    if isinstance(data, list) and isinstance(shape, tuple) and len(data) == len(shape):
        return [_completed(item, part) for item, part in zip(data, shape, strict=True)]
    return data
