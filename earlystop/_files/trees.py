"""Folders with all that is in them: synced to the disk, and removed. Links are not followed."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from .atomic import sync_file, sync_folder

__all__ = ["discard", "sync_tree"]


def sync_tree(folder: Path) -> None:
    """Wait until a folder is on the disk: the files in it, and their names."""
    for here, _, names in os.walk(folder, topdown=False, onerror=_raise):
        for path in (Path(here, name) for name in names):
            if stat.S_ISREG(os.lstat(path).st_mode):
                sync_file(path)
        sync_folder(here)


def discard(path: Path) -> None:
    """Remove what is at a path, if anything: a file, a link, or a folder with all that is in it.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a").touch(), discard(folder), discard(folder), folder.exists()
    (None, None, None, False)
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(path)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        _make_writable(path)
        shutil.rmtree(path)


def _make_writable(folder: Path) -> None:
    """Permit the owner to delete what is in a folder, whose maker may have protected it."""
    os.chmod(folder, stat.S_IRWXU)
    for here, folders, _ in os.walk(folder):
        for path in (Path(here, name) for name in folders):
            if not path.is_symlink():
                os.chmod(path, stat.S_IRWXU)


def _raise(error: OSError) -> None:
    raise error
