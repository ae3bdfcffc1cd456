"""The time of a run; a resumed run continues from the time of its earlier parts."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Stopwatch"]


class Stopwatch:
    """Measures a run in seconds: its earlier parts, plus the time since `start`.

    clock: returns seconds from any origin; a test can pass its own.
    earlier: the seconds that earlier parts of the run took. Set it to resume a run.

    It does not run before `start` or after `stop`.

    >>> now = 100.0
    >>> stopwatch = Stopwatch(clock=lambda: now)
    >>> stopwatch.earlier = 60.0
    >>> stopwatch.start()
    >>> now = 105.0
    >>> stopwatch.seconds
    65.0
    """

    __slots__ = ("_clock", "_times")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The earlier seconds and the start, in one: an interrupt leaves both or neither changed.
        self._times: tuple[float, float | None] = (0.0, None)

    @property
    def earlier(self) -> float:
        return self._times[0]

    @earlier.setter
    def earlier(self, seconds: float) -> None:
        self._times = seconds, self._times[1]

    @property
    def seconds(self) -> float:
        """The time since the run began, in seconds, including its earlier parts."""
        earlier, began = self._times
        return earlier if began is None else earlier + self._clock() - began

    def start(self) -> None:
        """Start counting now. Time since a previous `start` is lost; `earlier` is kept."""
        self._times = self.earlier, self._clock()

    def stop(self) -> None:
        """Stop counting; the time so far moves to `earlier`."""
        self._times = self.seconds, None
