"""Files written by a caller's function, either completely or not at all."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from .._files.atomic import replace, sync_file
from .._files.deferred_close import wait_for_space
from ..errors import CheckpointError
from .names import UNLISTED, unlisted_temporary_name

__all__ = ["explain_refusal", "write_and_sync", "write_atomically"]

_swept: set[Path] = set()  # folders in which this process has looked for abandoned files


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file by `write(temporary_path)`, then rename it to `path`.

    If several processes write the same file, the complete file of the last one remains. A partial
    file of a killed process is deleted when another process writes into its folder.

    Raises CheckpointError if the disk refuses, and whatever `write` raises; an existing file is
    then unchanged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", lambda path: path.write_text("all of it"))
    ...     (Path(folder) / "a.txt").read_text()
    'all of it'
    """
    wait_for_space()  # the space of earlier files may be needed
    with explain_refusal(f"the checkpoint {str(path)!r} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(unlisted_temporary_name(path.name, os.getpid()))
        write_and_sync(temporary, write)
        _name(temporary, path)
    if path.parent not in _swept:
        _swept.add(path.parent)
        _delete_abandoned(path.parent)


def write_and_sync(temporary: Path, write: Callable[[Path], object]) -> None:
    """Have a file written under a temporary name, and sync it to the disk."""
    with _removed_on_error(temporary):
        write(temporary)
        sync_file(temporary)


def _name(temporary: Path, path: Path) -> None:
    with _removed_on_error(temporary):
        replace(temporary, path)


@contextlib.contextmanager
def _removed_on_error(temporary: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # the next file takes the same temporary name
            os.unlink(temporary)
        raise


def _delete_abandoned(folder: Path) -> None:
    """Delete partial files of processes of this machine that have ended."""
    if os.name == "nt":  # Windows has no harmless way to test whether a process exists
        return
    for name in os.listdir(folder):
        found = re.match(rf"{re.escape(UNLISTED)}(\d+)-", name)
        if found is None:
            continue
        try:
            os.kill(int(found[1]), 0)
        except ProcessLookupError:
            with contextlib.suppress(OSError):  # the new file has been written all the same
                os.unlink(folder / name)
        except PermissionError:  # a live process of another user
            pass


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
