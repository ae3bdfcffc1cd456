"""JSON as text, whose errors are all ValueErrors."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["parsed"]


def parsed(text: str) -> Any:
    """JSON, or a ValueError: nesting beyond what the parser can take is one, too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None
