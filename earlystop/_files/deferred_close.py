"""Replaces and deletes files without waiting for their disk space to be freed.

The system frees the space of a file when its last name and its last handle are gone. This takes
longer than writing a small file, and seconds for a large one. So the old file is kept open while
its name is removed, and a thread closes the handle. The thread ends when no handles are left.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator

from .handles import Handle

__all__ = ["KEEP_OPEN", "keep_open", "wait_for_space"]

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
    handle = Handle()
    try:
        if os.name != "nt":  # Windows keeps the name of an open file
            with contextlib.suppress(OSError):  # no file, or one that cannot be opened
                handle.open(path, flags | _NO_FOLLOW)
        yield
    finally:
        _closer.handles.append(handle)  # before anything of Python can be interrupted
        _closer.close_soon(handle)


def wait_for_space() -> None:
    """Wait until the space of all files replaced or deleted by this module is free."""
    _closer.wait()


class _Closer:
    """Closes handles in a thread that exists only while there are handles to close.

    A signal handler or a finalizer may interrupt any of this code and save, too. It must not wait
    for the code it has interrupted, so it closes its own handle immediately and does not wait.

    KeyboardInterrupt, too, may come anywhere. The start of a `threading.Thread` waits for a sign of
    the thread, and one that is interrupted there can leave a thread that waits for ever and that
    the process waits for when it ends. So the thread is a bare one, of which nothing is recorded: a
    lock that it holds itself says whether it exists. Handles that nobody closes wait for the next
    file, for `wait`, or for the end of the process.
    """

    def __init__(self) -> None:
        self.handles: deque[Handle] = deque()  # to be closed
        self.start_afresh()

    def start_afresh(self) -> None:
        """Reset; a forked process inherits the handles but not the thread."""
        inherited, self.handles = self.handles, deque()
        self._closing = threading.Lock()  # of the thread, or of the one that waits
        self._inside: set[int] = set()
        for handle in inherited:
            self._close(handle)

    def close_soon(self, handle: Handle) -> None:
        """Have a handle closed that is already among `handles`."""
        if len(self.handles) > _MAX_OPEN or not (handle.is_open and self._enter(self._start)):
            self._close(handle)

    def wait(self) -> None:
        self._enter(self._finish)

    def _enter(self, action: Callable[[], None]) -> bool:
        """Run the action; return False if this thread is in one or the interpreter shuts down."""
        this_thread = threading.get_ident()
        if this_thread in self._inside or sys.is_finalizing():
            return False
        try:
            self._inside.add(this_thread)
            action()
        finally:
            self._inside.discard(this_thread)
        return True

    def _start(self) -> None:
        if not self._closing.locked():
            try:
                _thread.start_new_thread(self._enter, (self._work,))
            except RuntimeError:  # no thread can be started, for example at exit
                self._close_all()

    def _work(self) -> None:
        # A handle that is added before the lock is free again starts no other thread: look again.
        while self.handles and self._closing.acquire(blocking=False):
            try:
                self._close_all()
            finally:
                self._closing.release()

    def _finish(self) -> None:
        with self._closing:
            self._close_all()

    def _close_all(self) -> None:
        while self.handles:
            with contextlib.suppress(IndexError):  # another thread has just closed the last one
                self._close(self.handles[0])

    def _close(self, handle: Handle) -> None:
        with contextlib.suppress(OSError):  # nothing was written through this handle
            handle.close()
        with contextlib.suppress(ValueError):  # another thread was faster
            self.handles.remove(handle)


_closer = _Closer()
if hasattr(os, "register_at_fork"):  # a child would keep the files open as long as it lives
    os.register_at_fork(before=_closer.wait, after_in_child=_closer.start_afresh)
