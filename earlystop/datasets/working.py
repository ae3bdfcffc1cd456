"""Work on the parts of a data set, in this process or on any executor."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ..errors import DatasetError, EarlystopError, RuleTypeError
from ..language.settings import Positive, validated
from .parts import Part
from .processes import Processes

__all__ = ["Workers", "check_workers", "work_on"]

Result = TypeVar("Result")
Workers = int | concurrent.futures.Executor

_MOST_SENT = 256  # parts that wait on an executor: what a part says is small, and so are results


def check_workers(workers: Any, owner: str) -> Workers:
    """The argument `workers`: a number, or an executor. Raises RuleTypeError for others.

    owner: the function that takes it.
    """
    if isinstance(workers, concurrent.futures.Executor):
        return workers
    if not isinstance(workers, int) and callable(getattr(workers, "submit", None)):
        raise RuleTypeError(
            f"`{owner}(workers=...)` takes a number or a concurrent.futures.Executor, got "
            f"{type(workers).__name__} (for a Dask client: client.get_executor())"
        )
    number: int = validated(Positive, workers, f"{owner}(workers=...)")
    return number


def work_on(
    parts: Sequence[Part],
    calls: Sequence[Callable[[], Result]],
    workers: Workers,
    retries: int,
    bar: Callable[[int], Any],
) -> Iterator[tuple[int, Result]]:
    """The result for each part, with the number of the part, as they come.

    calls: the work on each part; they can be pickled, as their results can.
    retries: how often a part is tried again that failed for a reason outside of this library, such
        as a file that could not be read, or a process that was killed.
    bar: called with the number of parts that are done.

    Raises DatasetError, naming the part, where it still fails. If the caller stops iterating or is
    interrupted, parts that are not begun are cancelled.
    """
    if isinstance(workers, int) and min(workers, len(calls)) <= 1:
        results = _here(calls, parts, retries)
    elif isinstance(workers, int):
        results = _in_own_processes(calls, parts, min(workers, len(calls)), retries)
    elif isinstance(workers, Processes):
        results = _in_processes(calls, parts, workers, retries)
    else:
        results = _on(workers, calls, parts, retries)
    for number, result in results:
        yield number, result
        bar(1)


def _here(
    calls: Sequence[Callable[[], Result]], parts: Sequence[Part], retries: int
) -> Iterator[tuple[int, Result]]:
    for number, call in enumerate(calls):
        for left in reversed(range(retries + 1)):
            try:
                result = call()
                break
            except Exception as error:
                _raise_unless_left(error, left, number, parts)
        yield number, result


def _on(
    executor: concurrent.futures.Executor,
    calls: Sequence[Callable[[], Result]],
    parts: Sequence[Part],
    retries: int,
) -> Iterator[tuple[int, Result]]:
    rounds: _Rounds[Result] = _Rounds(calls, parts, retries)
    try:
        yield from rounds.of(executor)
    except concurrent.futures.BrokenExecutor as error:
        raise DatasetError(f"the executor broke: {error}") from error


def _in_own_processes(
    calls: Sequence[Callable[[], Result]], parts: Sequence[Part], number: int, retries: int
) -> Iterator[tuple[int, Result]]:
    with Processes(number) as processes:
        yield from _in_processes(calls, parts, processes, retries)


def _in_processes(
    calls: Sequence[Callable[[], Result]],
    parts: Sequence[Part],
    processes: Processes,
    retries: int,
) -> Iterator[tuple[int, Result]]:
    """In processes of this machine; where one is killed, all are started anew."""
    rounds: _Rounds[Result] = _Rounds(calls, parts, retries)
    while rounds.left:
        try:
            yield from rounds.of(processes)
        except concurrent.futures.BrokenExecutor as error:
            processes.shutdown(cancel_futures=True)
            rounds.begin_again(error)


class _Rounds(Generic[Result]):
    """Parts on executors: if one breaks, the next takes up the parts that are left.

    left: the numbers of the parts that are to be sent, the next one last.
    """

    def __init__(
        self, calls: Sequence[Callable[[], Result]], parts: Sequence[Part], retries: int
    ) -> None:
        self._calls, self._parts = calls, parts
        self._tries = [retries + 1] * len(calls)
        self._sent: dict[concurrent.futures.Future[Result], int] = {}
        self.left = list(range(len(calls)))[::-1]

    def of(self, executor: concurrent.futures.Executor) -> Iterator[tuple[int, Result]]:
        """The results that this executor gives. Raises BrokenExecutor if it breaks."""
        try:
            while self.left or self._sent:
                while self.left and len(self._sent) < _MOST_SENT:
                    number = self.left[-1]
                    self._sent[executor.submit(self._calls[number])] = number
                    self.left.pop()
                done, _ = concurrent.futures.wait(
                    self._sent, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    yield from self._result(future)
        finally:
            for future in self._sent:
                future.cancel()

    def _result(self, future: concurrent.futures.Future[Result]) -> Iterator[tuple[int, Result]]:
        """The result of a part; nothing if it failed and is to be tried again."""
        number = self._sent[future]
        try:
            result = future.result()
        except concurrent.futures.BrokenExecutor:
            raise  # of all that were sent, which stay noted
        except Exception as error:
            del self._sent[future]
            self._tries[number] -= 1
            _raise_unless_left(error, self._tries[number], number, self._parts)
            self.left.append(number)
        else:
            del self._sent[future]
            yield number, result

    def begin_again(self, error: BaseException) -> None:
        """Take up what a broken executor left undone. Raises DatasetError if it did so before."""
        undone = sorted({*self.left, *self._sent.values()}, reverse=True)
        self._sent.clear()
        for number in undone:
            self._tries[number] -= 1
        self.left = undone
        first = undone[-1]
        if self._tries[first] <= 0:
            raise DatasetError(
                f"a process ended by itself (killed, for lack of memory?) with {len(undone):,} of "
                f"{len(self._parts):,} parts undone, the first of them part {first}: "
                f"{self._parts[first]}. Fewer workers, or smaller parts, take less memory"
            ) from error


def _raise_unless_left(error: Exception, left: int, number: int, parts: Sequence[Part]) -> None:
    """Raise the error of a part, unless it can be tried again."""
    if isinstance(error, (EarlystopError, ImportError, TypeError, AttributeError)):
        raise error  # it would come again
    if left <= 0:
        raise DatasetError(
            f"part {number} of {len(parts):,} ({parts[number]}) failed: "
            f"{type(error).__name__}: {error}"
        ) from error
