"""Interrupts at every moment: between any two instructions that Python carries out."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = ["interrupted_everywhere"]


def interrupted_everywhere(
    prepare: Callable[[], Any],
    act: Callable[[Any], object],
    folder: str | tuple[str, ...],
) -> Iterator[Any]:
    """Act again and again, interrupted one instruction later each time, until it ends by itself.

    prepare: gives what `act` is called with; not interrupted.
    folder: only code of files below it (or below one of them) is interrupted.

    Yields what `prepare` gave, after each interrupt.
    """
    for n in itertools.count():
        subject = prepare()
        if not _interrupted(n, lambda given=subject: act(given), folder):
            return
        yield subject


def _interrupted(n: int, act: Callable[[], object], folder: str | tuple[str, ...]) -> bool:
    """Whether the action had an n-th instruction, at which it was interrupted."""
    count, came = itertools.count(), False

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal came
        if not frame.f_code.co_filename.startswith(folder):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and next(count) == n:
            sys.settrace(None)
            came = True
            raise KeyboardInterrupt
        return trace

    before, hook = sys.gettrace(), sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None  # pytest's would keep what is being finalized
    try:
        sys.settrace(trace)
        act()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
        sys.unraisablehook = hook
    return came  # a finalizer cannot raise it
