"""Files and folders written by a caller's function, either completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from .._files.atomic import replace, sync_file
from .._files.deferred_close import wait_for_space
from .._files.paths import local_path
from .._files.targets import Target
from .._files.trees import discard, sync_tree
from ..errors import CheckpointError
from .unlisted import delete_abandoned, new_unlisted

__all__ = ["explain_refusal", "write_and_sync", "write_atomically"]

_swept: set[Path] = set()  # folders in which this process has looked for abandoned files


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file by `write(temporary_path)`, then rename it to `path`.

    If several processes write the same file, the complete file of the last one remains. A partial
    file of a killed process is deleted when another process writes into its folder. Behind a link
    the file that it leads to is replaced; permissions are kept. `write` may also make a folder, if
    there is nothing at the path yet.

    Raises CheckpointError if the disk refuses, and whatever `write` raises; an existing file is
    then unchanged. RuleError for what is not a path of this machine.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", lambda path: path.write_text("all of it"))
    ...     (Path(folder) / "a.txt").read_text()
    'all of it'
    """
    path = local_path(path, "the path of a checkpoint")
    wait_for_space()  # the space of earlier files may be needed
    with explain_refusal(f"the checkpoint {str(path)!r} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        target = Target.behind(path)
        if not target.is_replaceable:
            raise FileExistsError(errno.EEXIST, "what is there is neither a file nor a folder")
        temporary = new_unlisted(target.path)
        write_and_sync(temporary, write)
        _name(temporary, target)
    folder = target.path.parent
    if folder not in _swept:
        _swept.add(folder)
        delete_abandoned(folder)


def write_and_sync(temporary: Path, write: Callable[[Path], object]) -> None:
    """Have a file or folder written under a temporary name, and sync it to the disk."""
    with _removed_on_error(temporary):
        discard(temporary)  # what an earlier save could not delete
        write(temporary)
        _sync_made(temporary)


def _sync_made(path: Path) -> None:
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        what = "`write` made neither a file nor a folder at the path it was given"
        raise FileNotFoundError(errno.ENOENT, what) from None
    if stat.S_ISREG(kind):
        sync_file(path)
    elif stat.S_ISDIR(kind) and not path.is_symlink():
        sync_tree(path)
    else:
        what = "`write` made a device, a pipe or a link to a folder at the path it was given"
        raise FileExistsError(errno.EEXIST, what)


def _name(temporary: Path, target: Target) -> None:
    with _removed_on_error(temporary):
        if not temporary.is_dir():
            target.keep_permissions(temporary)
        elif target.found is not None:
            what = "`write` made a folder, and there is a file of this name"
            raise FileExistsError(errno.EEXIST, what)
        replace(temporary, target.path)


@contextlib.contextmanager
def _removed_on_error(temporary: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # else before the next is written, or on opening
            discard(temporary)
        raise


@contextlib.contextmanager
def explain_refusal(what: str) -> Iterator[None]:
    """Turn an OSError in the block into a CheckpointError that says what could not be done."""
    try:
        yield
    except CheckpointError:
        raise
    except OSError as error:
        explained = CheckpointError(
            f"{what}: {error.strerror or error}. Earlier checkpoints are unchanged."
        )
        explained.errno = error.errno
        raise explained from error
