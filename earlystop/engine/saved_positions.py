"""Metrics and positions of a run as plain JSON data; every entry is checked when it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import StateError, shortened
from ..language.state import decode_state, number_from_json, number_to_json
from .positions import Positions

__all__ = [
    "metrics_from_json",
    "metrics_to_json",
    "position_from_json",
    "positions_from_json",
    "positions_to_json",
]


def metrics_to_json(metrics: Mapping[str, float] | None) -> dict[str, Any] | None:
    if metrics is None:
        return None
    return {name: number_to_json(value) for name, value in metrics.items()}


def metrics_from_json(data: object, where: str) -> dict[str, float]:
    """The metrics that `metrics_to_json` wrote. Raises StateError, naming `where`, for others."""
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        raise StateError(f"{where} should be metrics and their values, got {shortened(data)}")
    return {name: number_from_json(x, f"{where}.{name}") for name, x in data.items()}


def positions_to_json(positions: Positions | None) -> dict[str, Any] | None:
    if positions is None:
        return None
    return {**positions._asdict(), "units": metrics_to_json(dict(positions.units))}


def positions_from_json(data: object) -> Positions | None:
    """The positions that `positions_to_json` wrote. Raises StateError for other data."""
    if data is None:
        return None
    if not isinstance(data, Mapping) or set(data) != set(Positions._fields):
        entries = ", ".join(Positions._fields)
        raise StateError(f"positions should have the entries {entries}, got {shortened(data)}")
    places = {
        name: position_from_json(data[name], f"positions.{name}")
        for name in ("epoch", "step", "first", "best_epoch", "best_step")
    }
    from_zero = decode_state(data["from_zero"], False, "positions.from_zero")
    units = metrics_from_json(data["units"], "positions.units")
    return Positions(**places, from_zero=from_zero, units=tuple(units.items()))


def position_from_json(data: object, where: str) -> float | None:
    """An epoch, a step or neither; a whole number as int. Raises StateError, naming `where`."""
    if data is None:
        return None
    value = number_from_json(data, where)
    if not math.isfinite(value):
        raise StateError(f"{where} should be a finite number, got {shortened(data)}")
    return int(value) if value % 1 == 0 else value
