"""Folders whose files belong together: several files that are one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .log import Log, Options
from .run import Run

__all__ = ["CLAIMS", "Claim", "Folder"]


@dataclass
class Folder:
    """A folder in a walk: its regular files, those already claimed left out."""

    path: Path
    root: Path
    files: list[Path]
    options: Options


@dataclass
class Claim:
    """Files that are one log: where they lie, their format, and how to read them."""

    path: Path
    files: list[Path]
    format: str
    read: Callable[[Log], Iterable[Run]]
    notes: list[str] = field(default_factory=list)


CLAIMS: list[Callable[[Folder], Iterable[Claim]]] = []
