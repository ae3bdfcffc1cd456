"""Data frames in memory, of whatever library: through narwhals, one branch for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .log import Log
from .run import Run

__all__ = ["is_frame", "runs_of_frame"]


def is_frame(source: Any) -> bool:
    """Is this a data frame, or a table of Arrow?"""
    return hasattr(source, "schema" if hasattr(source, "column_names") else "columns") and hasattr(
        source, "__getitem__"
    )


def runs_of_frame(log: Log, frame: Any) -> Iterator[Run]:
    raise NotImplementedError
    yield
