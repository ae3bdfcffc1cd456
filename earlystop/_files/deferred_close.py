"""Files that are replaced or deleted without waiting for their disk space to be freed.

The system frees the space of a file when its last name and its last handle are gone. That takes
longer than writing a small file, and seconds for a large one. So the old file is kept open while
its name goes, and a thread closes the handle. The thread ends when nothing is left to close.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

__all__ = ["KEEP_OPEN", "THREAD_NAME", "keep_open", "wait_for_space"]

THREAD_NAME = "earlystop._files.deferred_close"

# O_PATH, where it exists, gives a handle that can neither be read nor locked. O_NONBLOCK: opening
# does not wait, should somebody have put a pipe there.
KEEP_OPEN = getattr(os, "O_PATH", os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
# The handle is of a link itself, never of its target: the target stays, and closing a handle of it
# would end the record locks that this process has on it.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_MAX_OPEN = 32  # of the few hundred handles that a process may have


@contextlib.contextmanager
def keep_open(path: str | os.PathLike[str], flags: int = KEEP_OPEN) -> Iterator[None]:
    """Keep the file at a path open, if there is one, until its name is gone and a little longer.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "old"
    ...     path.touch()
    ...     with keep_open(path):
    ...         path.unlink()
    ...     wait_for_space()
    """
    handle = None
    if os.name != "nt":  # Windows keeps the name of a file that is open
        with contextlib.suppress(OSError):  # no file, or one that cannot be opened
            handle = os.open(path, flags | _NO_FOLLOW)
    try:
        yield
    finally:
        if handle is not None:
            _closer.add(handle)


def wait_for_space() -> None:
    """Wait until the space of all files replaced or deleted here is free again."""
    _closer.wait()


class _Closer:
    """Closes handles in a thread that exists only while there are handles to close.

    A signal handler or a finalizer may run in the middle of any of this and save, too. It must not
    wait for the code it has interrupted: it closes its own handle at once and does not wait.
    """

    def __init__(self) -> None:
        self._handles: list[int] = []
        self.start_afresh()

    def start_afresh(self) -> None:
        """Reset; a forked process inherits the handles but not the thread."""
        left, self._handles = self._handles, []
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._inside: set[int] = set()
        for handle in left:
            _close(handle)

    def add(self, handle: int) -> None:
        if len(self._handles) >= _MAX_OPEN or not self._enter(self._defer, handle):
            _close(handle)

    def wait(self) -> None:
        self._enter(self._finish)

    def _enter(self, action: Callable[..., None], *arguments: int) -> bool:
        """Run the action, unless this thread is inside one or the interpreter shuts down."""
        me = threading.get_ident()
        if me in self._inside or sys.is_finalizing():
            return False
        try:
            self._inside.add(me)
            action(*arguments)
        finally:
            self._inside.discard(me)
        return True

    def _defer(self, handle: int) -> None:
        with self._lock:
            self._handles.append(handle)
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(
                    target=self._enter, args=(self._close_all,), name=THREAD_NAME
                )
                try:
                    thread.start()
                except RuntimeError:  # no thread can be started, as when the process ends
                    self._close_all()
                else:
                    self._thread = thread

    def _finish(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()
        self._close_all()  # handles left where the start of a thread was interrupted

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
    with contextlib.suppress(OSError):  # nothing was written through this handle
        os.close(handle)


_closer = _Closer()
if hasattr(os, "register_at_fork"):  # a child would keep the files for as long as it lives
    os.register_at_fork(before=_closer.wait, after_in_child=_closer.start_afresh)
