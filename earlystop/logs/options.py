"""`Options`: the arguments of `read_history` that apply to all sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .limits import Limits

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """The validated arguments of `read_history` that apply to all sources.

    skip: whether to skip sources that cannot be read.
    wanted: the names of the metrics to keep; None for all, or if others are derived from them.
    growing: whether the log is being written, so that a last line without its end is left out.
    The others are named as in `read_history`.
    """

    coordinate: str | None = None
    repeats: str = "replace"
    skip: bool = False
    wanted: frozenset[str] | None = None
    separator: str | None = None
    pattern: Any = None
    encoding: str = "utf-8"
    value_name: str = "value"
    nan_is_gap: bool | None = None
    growing: bool = False
    limits: Limits = field(default_factory=Limits)
