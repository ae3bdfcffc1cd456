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
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
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
    """`os.unlink`; the room of the file is given back a little later.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "old"
    ...     path.touch(), remove(path), path.exists()
    (None, None, False)
    """
    with _kept(path):
        os.unlink(path)


def wait_for_room() -> None:
    """Wait until the room of all files that were replaced or removed here is given back."""
    _closing.wait()


# A handle that can neither be read nor locked, where there is such a thing, and that opening does
# not wait for, should somebody have put a pipe there. It is of a link, never of what that leads to:
# that stays, and to close a handle of it would end the locks that this process has on it.
_ONLY_KEPT = getattr(os, "O_PATH", os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_MOST_KEPT = 32  # of the few hundred handles that a process may have


@contextlib.contextmanager
def _kept(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep the file at a path, if there is one, until its name is gone, and a little longer."""
    handle = None
    if os.name != "nt":  # which does not let go of the name of a file that is open
        with contextlib.suppress(OSError):  # no file, or one that cannot be opened: nothing to keep
            handle = os.open(path, _ONLY_KEPT | _NO_LINK)
    try:
        yield
    finally:
        if handle is not None:
            _closing.add(handle)


class _Closing:
    """Closes handles in a thread that is there only while there are some.

    A signal's handler or a finalizer may come in the middle of any of this, and save, too. It must
    not wait for what it has interrupted: it closes its handle itself, and waits for no other.
    """

    def __init__(self) -> None:
        self._handles: list[int] = []
        self.begin()

    def begin(self) -> None:
        """Begin anew, in a forked process too, which has the handles but not the thread."""
        left, self._handles = self._handles, []
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._inside: set[int] = set()
        for handle in left:
            _close(handle)

    def add(self, handle: int) -> None:
        if len(self._handles) >= _MOST_KEPT or not self._enter(self._start, handle):
            _close(handle)

    def wait(self) -> None:
        self._enter(self._finish)

    def _enter(self, action: Callable[..., None], *arguments: int) -> bool:
        """Do it, unless this thread is in the middle of it, or no thread goes on any more."""
        me = threading.get_ident()
        if me in self._inside or sys.is_finalizing():
            return False
        try:
            self._inside.add(me)
            action(*arguments)
        finally:
            self._inside.discard(me)
        return True

    def _start(self, handle: int) -> None:
        with self._lock:
            self._handles.append(handle)
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(
                    target=self._enter, args=(self._close_all,), name="earlystop._files.atomic"
                )
                try:
                    thread.start()
                except RuntimeError:  # no more threads are to be had: the process ends, say
                    self._close_all()
                else:
                    self._thread = thread

    def _finish(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()
        self._close_all()  # what is left where the start of a thread was interrupted

    def _close_all(self) -> None:
        while True:
            with self._lock:
                if not self._handles:
                    if self._thread is threading.current_thread():
                        self._thread = None
                    return
                handle = self._handles.pop()
            _close(handle)


def _close(handle: int) -> None:
    with contextlib.suppress(OSError):  # nothing was written by this handle
        os.close(handle)


_closing = _Closing()
if hasattr(os, "register_at_fork"):  # a child would keep the files as long as it lives
    os.register_at_fork(before=_closing.wait, after_in_child=_closing.begin)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
