"""Processes of this machine as an executor, this one among them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Processes"]


class Processes(concurrent.futures.Executor):
    """So many processes of this machine, for several pieces of work.

    This process is one of them, as another would only have to start while this one waits. The
    others are started when they are first needed, and, after a shutdown, where they are needed
    again. If memory runs out, the system ends one of those rather than this one (Linux).

    number: at least 2.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._team: _Team | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """See `concurrent.futures.Executor`."""
        if self._team is None:
            self._team = _team(self._number)
        return self._team.threads.submit(self._team.work, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `concurrent.futures.Executor`."""
        team, self._team = self._team, None
        if team is not None:
            team.threads.shutdown(wait, cancel_futures=cancel_futures)
            team.others.shutdown(wait=False)  # they have nothing more to do than to end


class _Team(NamedTuple):
    """Threads that take up work: one does it itself, the rest wait for other processes.

    free: held by the thread that does the work itself.
    """

    threads: concurrent.futures.Executor
    others: concurrent.futures.Executor
    free: threading.Lock

    def work(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.free.acquire(blocking=False):
            try:
                return fn(*args, **kwargs)
            finally:
                self.free.release()
        return self.others.submit(fn, *args, **kwargs).result()


def _team(number: int) -> _Team:
    import multiprocessing

    # A forked process would have the locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    others = concurrent.futures.ProcessPoolExecutor(number - 1, context, initializer=_begin)
    threads = concurrent.futures.ThreadPoolExecutor(number, "earlystop")
    return _Team(threads, others, threading.Lock())


def _begin() -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the one that waits for these."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # on systems other than Linux
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
