"""How a result finds the functions that draw it and show it in a notebook, when they are needed.

Results stand below the pictures of them, so they must not import them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal

__all__ = ["Kind", "plotter", "shown"]

Kind = Literal["auto", "curve", "rows", "distribution"]
"""What a picture of replays shows: one run, a row for each run, or shares of runs."""


def plotter(name: str) -> Callable[..., Any]:
    """The function of this name in `earlystop.plotting`. Raises ImportError without matplotlib."""
    function: Callable[..., Any] = getattr(importlib.import_module("earlystop.plotting"), name)
    return function


def shown(name: str, result: Any) -> str:
    """The HTML that the function of this name in `earlystop.notebook` makes of a result."""
    html: str = getattr(importlib.import_module("earlystop.notebook"), name)(result)
    return html
