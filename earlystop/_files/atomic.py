"""Files written whole or not at all, and what that takes: sync, replace, remove."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from .deferred_close import keep_open

__all__ = ["remove", "replace", "sync_file", "sync_folder", "write_whole"]


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file so that, whatever happens, either the old or the new content is there.

    The bytes go to a temporary file beside it, to the disk, and only then to the name. Raises
    OSError if the file cannot be written; nothing is left behind then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/notes.txt", b"all of it").read_bytes()
    b'all of it'
    """
    path = Path(path)
    if not path.parent.is_dir():  # or the error would be about the temporary file
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
    """Wait until a file that its writer has closed is on the disk."""
    handle = os.open(path, os.O_RDWR)  # Windows flushes only handles that may write
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Wait until the names in a folder are on the disk; Windows has no such request."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """`os.replace`; the space of the old target is freed a little later.

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
    """`os.unlink`; the space of the file is freed a little later.

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
