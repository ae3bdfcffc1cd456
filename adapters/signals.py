"""Handlers of signals that notice them, call the earlier handlers, and give way to them again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from earlystop._arguments import argument
from earlystop.errors import RuleError, shortened

__all__ = ["SignalHandlers", "signal_numbers"]

_END_A_PROCESS = (signal.SIGINT, signal.SIGTERM)


class SignalHandlers:
    """Notices signals while it is installed, in the process that installed it.

    numbers: the signals.
    clock: returns the time.

    Earlier handlers, other than the default, are called, too; what they raise is kept. A forked
    process inherits the handlers, and they do there what the earlier ones did; but SIGUSR1 and the
    like, by default, nothing: a scheduler sends them to all processes of a job, and a process that
    loads data must not be ended by them.

    first: the name of the first signal, and when it came; None before.
    raised: what an earlier handler raised first.

    >>> import os, time
    >>> handlers = SignalHandlers([signal.SIGTERM], time.time)
    >>> handlers.install()
    >>> os.kill(os.getpid(), signal.SIGTERM)
    >>> handlers.put_back()
    >>> handlers.first[0]
    'SIGTERM'
    """

    def __init__(self, numbers: Iterable[int], clock: Callable[[], float]) -> None:
        self.numbers = tuple(numbers)
        self.first: tuple[str, float] | None = None
        self.raised: BaseException | None = None
        self._clock = clock
        self._earlier: dict[int, Any] = {}
        self._process: int | None = None

    def install(self) -> None:
        """Take the place of the present handlers. Only the main thread may."""
        self._process = os.getpid()
        try:
            for number in self.numbers:
                self._earlier[number] = signal.getsignal(number)
                signal.signal(number, self._handle)
        except BaseException:
            self.put_back()
            raise

    def put_back(self) -> None:
        """Put the earlier handlers back, except where another one has replaced ours."""
        for number, earlier in self._earlier.items():
            # None is a handler that was not installed from Python, which cannot be put back.
            if signal.getsignal(number) == self._handle and earlier is not None:
                signal.signal(number, earlier)
        self._process = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        notices = self._process == os.getpid()
        again = self.first is not None
        if notices and not again:
            self.first = signal.Signals(number).name, self._clock()
        earlier = self._earlier.get(number, signal.SIG_DFL)
        if callable(earlier) and earlier is not signal.default_int_handler:
            try:
                earlier(number, frame)
            except BaseException as error:
                if not notices:
                    raise
                self.raised = self.raised or error
        elif not notices or (again and number == signal.SIGINT):
            _act_by_default(number, frame, earlier)


def _act_by_default(number: int, frame: FrameType | None, earlier: Any) -> None:
    """What the signal would have done."""
    if earlier is signal.default_int_handler:
        signal.default_int_handler(number, frame)
    elif earlier is signal.SIG_DFL and number in _END_A_PROCESS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def signal_numbers(signals: Iterable[str | int], where: str) -> tuple[int, ...]:
    """The numbers of signals that are given by name or number, without repetition.

    where: where they were given, for errors, such as "Preemption(signals=...)".

    Raises RuleError for one that this system does not have, or that no program can handle.

    >>> signal_numbers(["SIGTERM", signal.SIGTERM], "Preemption(signals=...)")
    (15,)
    """
    given = (signals,) if isinstance(signals, (str, int)) else signals
    return tuple(dict.fromkeys(_number(one, where) for one in given))


def _number(one: str | int, where: str) -> int:
    owner, _, name = where.removesuffix("=...)").partition("(")
    which = argument(name, owner=owner)
    try:
        found = signal.Signals[one] if isinstance(one, str) else signal.Signals(one)
    except (KeyError, ValueError) as error:
        raise RuleError(
            f"{which}: there is no signal {shortened(one)} here: pass signal.SIGTERM or another "
            "of Python's module `signal`"
        ) from error
    if found.name in ("SIGKILL", "SIGSTOP"):
        raise RuleError(f"{which}: no program can handle {found.name}")
    return int(found)
