"""The time of a run, which goes on counting where an interrupted run left off."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Stopwatch"]


class Stopwatch:
    """Seconds of a run: those of its earlier parts, and those since `start`.

    clock: gives seconds from any origin; a test passes one that it moves by hand.
    earlier: the seconds that earlier parts of the run took. Set it to resume a run.

    It stands still until `start`, and again after `stop`.

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
        """The time since the run began, its earlier parts included."""
        return self.earlier if self._began is None else self.earlier + self._clock() - self._began

    def start(self) -> None:
        """Count from now. Time counted since an earlier start is lost; `earlier` is kept."""
        self._began = self._clock()

    def stop(self) -> None:
        """Stand still from now on."""
        self.earlier, self._began = self.seconds, None
