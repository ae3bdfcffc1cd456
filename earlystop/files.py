"""Files that are written whole or not at all, and files that go.

The system gives back the room of a file when its last name and its last handle are gone, and that
takes it longer than to write a small file, or seconds for a large one. So whoever replaces or
removes a file here does not wait for that: a handle is kept, and closed by a thread, which ends
when nothing is left to close.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["remove", "replace", "sync_file", "sync_folder", "wait_for_room", "write_whole"]


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file so that, whatever happens, it is either there as it was or there anew.

    The bytes go to a temporary file beside it, to the disk, and only then to the name. Raises
    OSError where the file cannot be written; nothing is left behind then.

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
    """Wait until a file, closed by whoever wrote it, is on the disk."""
    handle = os.open(path, os.O_RDWR)  # Windows flushes only what may be written
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
    """`os.replace`; the room of the file that was there is given back a little later.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     old, new = Path(folder) / "old", Path(folder) / "new"
    ...     old.touch(), new.write_text("new"), replace(new, old)
    ...     wait_for_room()
    ...     old.read_text()
    (None, 3, None)
    'new'
    """
    with _kept(target):
        os.replace(source, target)


def remove(path: str | os.PathLike[str]) -> None:
    """`os.unlink`; the room of the file is given back a little later."""
    with _kept(path):
        os.unlink(path)


def wait_for_room() -> None:
    """Wait until the room of all files that were replaced or removed here is given back."""
    _closing.wait()


# A handle that can neither be read nor locked, where there is such a thing, and that opening does
# not wait for, should somebody have put a pipe there.
_ONLY_KEPT = getattr(os, "O_PATH", os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))


@contextlib.contextmanager
def _kept(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep the file at a path, if there is one, until its name is gone, and a little longer."""
    handle = None
    if os.name != "nt":  # which does not let go of the name of a file that is open
        with contextlib.suppress(OSError):  # no file, or one that cannot be opened: nothing to keep
            handle = os.open(path, _ONLY_KEPT)
    try:
        yield
    finally:
        if handle is not None:
            _closing.add(handle)


class _Closing:
    """Closes handles in a thread that is there only while there are some."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._lock = threading.RLock()  # a handler of a signal may come in between, and save, too
        self._handles: list[int] = []
        self._thread: threading.Thread | None = None

    def add(self, handle: int) -> None:
        with self._lock:
            self._handles.append(handle)
            if self._thread is None:
                thread = threading.Thread(target=self._close_all, name="earlystop.files")
                try:
                    thread.start()
                except RuntimeError:  # no more threads are to be had: the process ends, say
                    self._close_all()
                else:
                    self._thread = thread

    def wait(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()

    def _close_all(self) -> None:
        while True:
            with self._lock:
                if not self._handles:
                    self._thread = None
                    return
                handle = self._handles.pop()
            with contextlib.suppress(OSError):  # nothing was written by this handle
                os.close(handle)


_closing = _Closing()
if hasattr(os, "register_at_fork"):  # a child would keep the files as long as it lives
    os.register_at_fork(before=_closing.wait, after_in_child=_closing.begin)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
