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

    __slots__ = ("_began", "_clock", "earlier")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.earlier = 0.0
        self._clock = clock
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        """The time since the run began, in seconds, including its earlier parts."""
        return self.earlier if self._began is None else self.earlier + self._clock() - self._began

    def start(self) -> None:
        """Start counting now. Time since a previous `start` is lost; `earlier` is kept."""
        self._began = self._clock()

    def stop(self) -> None:
        """Stop counting; the time so far moves to `earlier`."""
        self.earlier, self._began = self.seconds, None
