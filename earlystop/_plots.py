"""The one way up: `.plot()` of a result finds the function that draws it when it is called.

Results stand below the pictures of them, so they must not import them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal

__all__ = ["Kind", "plotter"]

Kind = Literal["auto", "curve", "rows", "distribution"]
"""What a picture of replays shows: one run, a row for each run, or shares of runs."""


def plotter(name: str) -> Callable[..., Any]:
    """The function of this name in `earlystop.plotting`. Raises ImportError without matplotlib."""
    function: Callable[..., Any] = getattr(importlib.import_module("earlystop.plotting"), name)
    return function
