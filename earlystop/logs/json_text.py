"""Parsing JSON, with a ValueError for every kind of failure."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["parsed"]


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, also for text that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
