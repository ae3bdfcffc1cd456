"""`LogFormat`: a format of logs is a recogniser and a reader."""

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

    name: what `format=` calls it.
    recognise: is a source of this format, by its content?
    read: the runs in a source; raises LogError where it is damaged.
    general: files that are not logs look like it, too (any CSV), so in a folder only files that
        count epochs or steps are taken for logs.
    order: formats are tried in rising order. Those that are told by a signature or by keys of one
        tool come first, those that accept more come later.
    claim_folder: finds files of a folder that are one log together.
    """

    name: str
    recognise: Callable[[Source], bool]
    read: Callable[[Source], Iterable[Run]]
    general: bool = False
    order: int = 0
    claim_folder: Callable[[Folder], Iterable[Claim]] | None = None
