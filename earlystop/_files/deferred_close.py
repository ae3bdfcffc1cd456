"""Replaces and deletes files without waiting for their disk space to be freed.

The system frees the space of a file when its last name and its last handle are gone. This takes
longer than writing a small file, and seconds for a large one. So the old file is kept open while
its name is removed, and a thread closes the handle. The thread ends when no handles are left.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

__all__ = ["KEEP_OPEN", "THREAD_NAME", "keep_open", "wait_for_space"]

THREAD_NAME = "earlystop._files.deferred_close"

# O_PATH, where it exists, gives a handle that can neither be read nor locked. O_NONBLOCK keeps the
# call from blocking if the path is a pipe.
KEEP_OPEN = getattr(os, "O_PATH", os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
# Open a link itself, never its target: the target stays, and closing a handle to it would release
# the record locks that this process holds on it.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_MAX_OPEN = 32  # a process may have a few hundred handles


@contextlib.contextmanager
def keep_open(path: str | os.PathLike[str], flags: int = KEEP_OPEN) -> Iterator[None]:
    """Keep the file at a path open, if it exists, until after its name has been removed.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "old"
    ...     path.touch()
    ...     with keep_open(path):
    ...         path.unlink()
    ...     wait_for_space()
    """
    handle = None
    if os.name != "nt":  # Windows keeps the name of an open file
        with contextlib.suppress(OSError):  # no file, or one that cannot be opened
            handle = os.open(path, flags | _NO_FOLLOW)
    try:
        yield
    finally:
        if handle is not None:
            _closer.add(handle)


def wait_for_space() -> None:
    """Wait until the space of all files replaced or deleted by this module is free."""
    _closer.wait()


class _Closer:
    """Closes handles in a thread that exists only while there are handles to close.

    A signal handler or a finalizer may interrupt any of this code and save, too. It must not wait
    for the code it has interrupted, so it closes its own handle immediately and does not wait.
    """

    def __init__(self) -> None:
        self._handles: list[int] = []
        self.start_afresh()

    def start_afresh(self) -> None:
        """Reset; a forked process inherits the handles but not the thread."""
        inherited, self._handles = self._handles, []
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._inside: set[int] = set()
        for handle in inherited:
            _close(handle)

    def add(self, handle: int) -> None:
        if len(self._handles) >= _MAX_OPEN or not self._enter(self._defer, handle):
            _close(handle)

    def wait(self) -> None:
        self._enter(self._finish)

    def _enter(self, action: Callable[..., None], *arguments: int) -> bool:
        """Run the action; return False if this thread is in one or the interpreter shuts down."""
        this_thread = threading.get_ident()
        if this_thread in self._inside or sys.is_finalizing():
            return False
        try:
            self._inside.add(this_thread)
            action(*arguments)
        finally:
            self._inside.discard(this_thread)
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
                except RuntimeError:  # no thread can be started, for example at exit
                    self._close_all()
                else:
                    self._thread = thread

    def _finish(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()
        self._close_all()  # handles may remain if the start of the thread was interrupted

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
if hasattr(os, "register_at_fork"):  # a child would keep the files open as long as it lives
    os.register_at_fork(before=_closer.wait, after_in_child=_closer.start_afresh)
