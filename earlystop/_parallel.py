"""Long work in parts: on several threads, with a progress bar, and cleanly interrupted."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["in_order", "progress_bar"]

Result = TypeVar("Result")


def in_order(tasks: Iterable[Callable[[], Result]], workers: int) -> Iterator[Result]:
    """The results of tasks, in their order, worked out on so many threads.

    No more tasks are begun than there are workers, so that what waits takes no memory. When the
    caller stops asking, or is interrupted, what has been begun is waited for and nothing else is.
    """
    if workers == 1:
        for task in tasks:
            yield task()
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    pool = ThreadPoolExecutor(workers, thread_name_prefix="earlystop")
    begun: collections.deque[Future[Result]] = collections.deque()
    try:
        for task in tasks:
            begun.append(pool.submit(task))
            if len(begun) >= workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown()


def progress_bar(caller: str, **options: Any) -> Any:
    """A progress bar, of tqdm.

    Raises ImportError, naming who asks and what to install, where there is none.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(
            f'`{caller}(progress=True)` needs tqdm: pip install "earlystop[progress]"'
        ) from error
    return tqdm(**options)
