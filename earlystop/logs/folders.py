"""Folders whose files belong together: several files that are one run."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .options import Options
from .run import Run
from .source import Source

__all__ = ["Claim", "Folder", "is_regular"]


def is_regular(path: Path) -> bool:
    """Is this a file itself, and no link to one, no pipe, no device?"""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


@dataclass
class Folder:
    """A folder in a walk: its regular files, those already claimed left out."""

    path: Path
    root: Path
    files: list[Path]
    options: Options

    def folders(self) -> list[str]:
        """The folders in it, links left out."""
        try:
            return sorted(e.name for e in os.scandir(self.path) if e.is_dir(follow_symlinks=False))
        except OSError:
            return []

    def files_in(self, name: str) -> list[Path]:
        """The regular files in one of its folders."""
        try:
            return sorted(filter(is_regular, (self.path / name).iterdir()))
        except OSError:
            return []

    def files_below(self, name: str | None) -> list[Path]:
        """The regular files in one of its folders (or it), and those in it; links left out."""
        found: list[Path] = []
        for here, folders, files in os.walk(self.path / name if name else self.path):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            paths = (Path(here, file) for file in sorted(files) if not file.startswith("."))
            found += filter(is_regular, paths)
            if len(found) > self.options.limits.names:
                break
        return found


@dataclass
class Claim:
    """Files that are one log: where they lie, their format, and how to read them."""

    path: Path
    files: list[Path]
    format: str
    read: Callable[[Source], Iterable[Run]]
    notes: list[str] = field(default_factory=list)
