"""Interrupts wherever Python looks for them: on entering a function, and after each call."""

from __future__ import annotations

import dis
import gc
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
    *,
    everywhere: bool = False,
) -> Iterator[Any]:
    """Act again and again, interrupted one moment later each time, until it ends by itself.

    prepare: gives what `act` is called with; not interrupted.
    folder: only code of files below it (or below one of them) is interrupted.

    everywhere: interrupt between any two instructions, also where this Python would not.

    Yields what `prepare` gave, after each interrupt.
    """
    for n in itertools.count():
        subject = prepare()
        if not _interrupted(n, lambda given=subject: act(given), folder, everywhere):
            return
        yield subject


def _interrupted(
    n: int, act: Callable[[], object], folder: str | tuple[str, ...], everywhere: bool
) -> bool:
    """Whether the action had an n-th moment, at which it was interrupted."""
    count, came = itertools.count(), False
    last: dict[int, str] = {}  # the instruction that each frame has carried out

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal came
        if not frame.f_code.co_filename.startswith(folder):
            return None
        frame.f_trace_opcodes = True
        if event == "call":  # its first instruction is the moment
            last[id(frame)] = "CALL"
        if event != "opcode":
            return trace
        before = last.get(id(frame), "")
        last[id(frame)] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
        if (everywhere or before.startswith("CALL")) and next(count) == n:
            sys.settrace(None)
            came = True
            raise KeyboardInterrupt
        return trace

    before, hook, collects = sys.gettrace(), sys.unraisablehook, gc.isenabled()
    gc.disable()  # an interrupt in a finalizer of what others left would be lost, and counted
    sys.unraisablehook = lambda unraisable: None  # pytest's would keep what is being finalized
    try:
        sys.settrace(trace)
        act()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
        sys.unraisablehook = hook
        if collects:
            gc.enable()
    return came  # a finalizer cannot raise it
