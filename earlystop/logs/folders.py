"""Folders in which several files form one run."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .options import Options
from .run import Run
from .source import Source
from .walking import walk

__all__ = ["Claim", "Folder", "is_regular"]


def is_regular(path: Path) -> bool:
    """Is this a regular file, rather than a link, a pipe or a device?"""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


@dataclass
class Folder:
    """A folder that is searched for logs.

    path: its path.
    root: the folder that the user gave.
    files: its regular files, except those that another log has claimed.
    options: the options of `read_history`.
    claimed: the files that another log has claimed, here or in another folder.
    """

    path: Path
    root: Path
    files: list[Path]
    options: Options
    claimed: Collection[Path] = ()

    def folders(self) -> list[str]:
        """The names of the folders in it; links are skipped."""
        try:
            return sorted(e.name for e in os.scandir(self.path) if e.is_dir(follow_symlinks=False))
        except OSError:
            return []

    def files_in(self, name: str) -> list[Path]:
        """The regular files in the subfolder of this name, except those claimed."""
        try:
            return sorted(filter(self._is_free, (self.path / name).iterdir()))
        except OSError:
            return []

    def files_below(self, name: str | None) -> list[Path]:
        """The regular files in and below a subfolder, or this folder if None, except those claimed.

        Links are skipped.
        """
        found: list[Path] = []
        top = str(self.path / name if name else self.path)
        for here, files in walk(
            top, self.options.limits, lambda folder: not folder.startswith(".")
        ):
            paths = (Path(here, file) for file in sorted(files) if not file.startswith("."))
            found += filter(self._is_free, paths)
            if len(found) > self.options.limits.names:
                break
        return found

    def _is_free(self, path: Path) -> bool:
        return path not in self.claimed and is_regular(path)


@dataclass
class Claim:
    """Files that form one log.

    path: the path that names the log.
    files: the files.
    format: the name of their format.
    read: reads their runs.
    notes: notes for the report.
    """

    path: Path
    files: list[Path]
    format: str
    read: Callable[[Source], Iterable[Run]]
    notes: list[str] = field(default_factory=list)
