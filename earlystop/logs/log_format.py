"""`LogFormat`: a format is a recogniser and a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .run import Run
from .source import Log

__all__ = ["LogFormat"]


@dataclass(frozen=True)
class LogFormat:
    """A format of logs.

    name: what `format=` calls it. recognise: is a `Log` of this format, by its content? read: the
    runs in it; raises LogError where it is damaged. general: other files than logs look like it,
    too (any CSV), so that it is tried last, and in a folder only files with an epoch or a step
    count as logs.
    """

    name: str
    recognise: Callable[[Log], bool]
    read: Callable[[Log], Iterable[Run]]
    general: bool = False
