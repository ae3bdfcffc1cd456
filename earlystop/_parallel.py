"""Tasks on several threads, cleanly interruptible, and progress bars."""

from __future__ import annotations

import collections
import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["in_order", "progress_bar"]

Result = TypeVar("Result")


def in_order(
    tasks: Iterable[Callable[[], Result]], workers: int, ahead: int = 0
) -> Iterator[Result]:
    """The results of tasks, in order, computed on `workers` threads.

    At most `workers` tasks are started at a time, so that waiting results take little memory; or
    `ahead` more, so that no thread waits while the caller is busy with a result. If the caller
    stops iterating or is interrupted, only started tasks are waited for.
    """
    if workers == 1:
        for task in tasks:
            yield task()
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    pool = ThreadPoolExecutor(workers, thread_name_prefix="earlystop")
    started: collections.deque[Future[Result]] = collections.deque()
    try:
        for task in tasks:
            started.append(pool.submit(contextvars.copy_context().run, task))
            if len(started) >= workers + ahead:
                yield started.popleft().result()
        while started:
            yield started.popleft().result()
    finally:
        pool.shutdown()


def progress_bar(caller: str, **options: Any) -> Any:
    """A tqdm progress bar.

    caller: the function that shows it, for the error.
    options: arguments of `tqdm`.

    Raises ImportError, naming the caller and what to install, if tqdm is not installed.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(f"`{caller}(progress=True)` needs tqdm: pip install tqdm") from error
    return tqdm(**options)
