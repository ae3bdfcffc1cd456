"""The process that trains: whether it has ended, and the signals that end it.

A process is held by its pidfd where the system has one (Linux): so another process that has been
given its number is never mistaken for it, and its end is seen, whoever started it.
"""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

from ..errors import RuleError

__all__ = ["Process", "signal_named"]

_POLL = 0.05  # seconds


class Process:
    """A running process.

    Raises RuleError for a number that is that of no process, and where there are no signals.

    >>> Process(os.getpid()).ended
    False
    """

    def __init__(self, pid: int) -> None:
        if os.name != "posix":
            raise RuleError("processes are watched where there are signals: use a stop file here")
        self.pid = pid
        self._fd: int | None = None
        try:
            os.kill(pid, 0)
            if hasattr(os, "pidfd_open"):
                self._fd = _pidfd(pid)
        except PermissionError:
            raise RuleError(f"process {pid} belongs to another user: run as that user") from None
        except (ProcessLookupError, OverflowError, ValueError):
            raise RuleError(f"there is no process {pid}") from None

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        if self._fd is not None:
            polled = select.poll()
            polled.register(self._fd, select.POLLIN)
            return bool(polled.poll(0))
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def ignores(self, number: int) -> bool:
        """Whether it ignores a signal, as far as the system says (Linux)."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        ignored = (line.split()[1] for line in lines.splitlines() if line.startswith("SigIgn:"))
        return any(int(mask, 16) >> (number - 1) & 1 for mask in ignored)

    def signal(self, number: int) -> bool:
        """Send a signal; False if the process has ended already."""
        try:
            if self._fd is not None:
                signal.pidfd_send_signal(self._fd, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Wait until it ends, for at most `seconds`; return whether it has."""
        until = time.monotonic() + seconds
        while not self.ended:
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL)
        return True

    def close(self) -> None:
        """Release the handle of the process."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # a kernel, or a sandbox, without
        return None


def signal_named(name: str) -> signal.Signals:
    """The signal of this name or number. Raises RuleError for any other text.

    >>> signal_named("term"), signal_named("SIGUSR1").name, signal_named("2").name
    (<Signals.SIGTERM: 15>, 'SIGUSR1', 'SIGINT')
    """
    text = name.strip().upper()
    try:
        if text.isdecimal():
            return signal.Signals(int(text))
        return signal.Signals[text if text.startswith("SIG") else f"SIG{text}"]
    except (KeyError, ValueError):
        raise RuleError(f"there is no signal {name!r}: TERM, INT, USR1 and so on") from None
