"""Atomic file writes, and the operations they need: sync, replace, remove."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .deferred_close import keep_open
from .handles import Handle
from .paths import expanded
from .targets import Target, own_handle, temporary_beside

__all__ = ["remove", "replace", "replace_whole", "sync_file", "sync_folder", "write_whole"]

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file so that, whatever happens, it has either the old or the new content.

    The bytes are written to a temporary file next to it and synced to the disk before the file is
    renamed. Behind a link the file that it leads to is replaced. Permissions are kept. What is not
    a regular file, such as /dev/stdout or a pipe, is written to as it is.

    Returns the path, with `~` expanded.

    Raises OSError if the file cannot be written, and then leaves nothing behind; RuleError for what
    is not a path of this machine.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/notes.txt", b"all of it").read_bytes()
    b'all of it'
    """
    path = Path(expanded(path, "the file"))
    target = Target.behind(path)
    if target.is_replaceable:
        _replace(target, data)
    else:
        number = own_handle(target.path)
        with open(target.path if number is None else number, "wb", closefd=number is None) as file:
            file.write(data)
    return path


def replace_whole(path: Path, data: bytes) -> None:
    """`write_whole` for a file of one's own: a link of this name is replaced, not followed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_whole(Path(folder) / "ledger", b"all of it")
    ...     (Path(folder) / "ledger").read_bytes()
    b'all of it'
    """
    _replace(Target.at(path), data)


def _replace(target: Target, data: bytes) -> None:
    temporary = temporary_beside(target.path)
    try:
        _write_new(temporary, data, target)
        replace(temporary, target.path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _write_new(path: Path, data: bytes, target: Target) -> None:
    """Write and sync a new file, which is to become the target."""
    handle = Handle()
    try:
        handle.open(path, _NEW, target.mode)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle.number, rest) :]
        target.keep_permissions(path)
        os.fsync(handle.number)
    finally:
        handle.close()


def sync_file(path: str | os.PathLike[str]) -> None:
    """Wait until the content of a closed file is on the disk."""
    _sync(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # Windows flushes no other


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Wait until the names in a folder are on the disk; does nothing on Windows."""
    if os.name == "nt":
        return
    _sync(folder, os.O_RDONLY)


def _sync(path: str | os.PathLike[str], flags: int) -> None:
    handle = Handle()
    try:
        handle.open(path, flags)
        os.fsync(handle.number)
    finally:
        handle.close()


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
