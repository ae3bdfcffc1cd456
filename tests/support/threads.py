"""Ranks of a run as threads of this process, for tests of what they agree on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class ThreadRanks:
    """One rank among threads; implements `earlystop.engine.ranks.Ranks`."""

    def __init__(self, rank: int, values: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.size = rank, len(values)
        self._values, self._barrier = values, barrier

    def share(self, value: Any) -> Any:
        return self.gather(value)[0]

    def gather(self, value: Any) -> list[Any]:
        self._values[self.rank] = value
        self._barrier.wait()
        values = list(self._values)
        self._barrier.wait()  # nobody writes again before everybody has read
        return values


def on_ranks(size: int, action: Callable[[ThreadRanks], Any]) -> list[Any]:
    """What an action gives, or the error it raises, on every rank; a deadlock is an error."""
    values, barrier = [None] * size, threading.Barrier(size, timeout=10)

    def run(rank: int) -> Any:
        try:
            return action(ThreadRanks(rank, values, barrier))
        except Exception as error:
            return error

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, range(size)))
