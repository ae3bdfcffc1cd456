"""`LogFormat`: a recogniser and a reader for one format of logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .folders import Claim, Folder
from .run import Run
from .source import Source

__all__ = ["LogFormat"]


@dataclass(frozen=True)
class LogFormat:
    """A format of logs.

    name: its name, as in `read_history(format=...)`.
    recognise: returns whether a source has this format, judging by its content.
    read: returns the runs in a source; raises LogError if it is damaged.
    general: whether other files look like it, too (any CSV), so that in a folder only files with
        an epoch or a step, or with a known metric, count as logs.
    order: formats are tried in ascending order: first those with a signature or with keys of one
        tool, later those that accept more.
    claim_folder: finds files of a folder that form one log together.
    """

    name: str
    recognise: Callable[[Source], bool]
    read: Callable[[Source], Iterable[Run]]
    general: bool = False
    order: int = 0
    claim_folder: Callable[[Folder], Iterable[Claim]] | None = None
