"""Atomic file writes, and the operations they need: sync, replace, remove."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from .deferred_close import keep_open

__all__ = ["remove", "replace", "sync_file", "sync_folder", "write_whole"]


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file so that, whatever happens, it has either the old or the new content.

    The bytes are written to a temporary file next to it and synced to the disk before the file is
    renamed.

    Raises OSError if the file cannot be written, and then leaves nothing behind.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/notes.txt", b"all of it").read_bytes()
    b'all of it'
    """
    path = Path(path)
    if not path.parent.is_dir():  # otherwise the error would name the temporary file
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files private
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    return path


def sync_file(path: str | os.PathLike[str]) -> None:
    """Wait until the content of a closed file is on the disk."""
    handle = os.open(path, os.O_RDWR)  # Windows flushes only writable handles
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Wait until the names in a folder are on the disk; does nothing on Windows."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """`os.replace`, but the space of the old target is freed in the background.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     old, new = Path(folder) / "old", Path(folder) / "new"
    ...     old.touch(), new.write_text("new"), replace(new, old)
    ...     old.read_text()
    (None, 3, None)
    'new'
    """
    with keep_open(target):
        os.replace(source, target)


def remove(path: str | os.PathLike[str]) -> None:
    """`os.unlink`, but the space of the file is freed in the background.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "old"
    ...     path.touch(), remove(path), path.exists()
    (None, None, False)
    """
    with keep_open(path):
        os.unlink(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
