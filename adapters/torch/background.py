"""Writes a checkpoint in a thread of its own, while the training goes on."""

from __future__ import annotations

import _thread
import atexit
import os
from collections.abc import Callable

from earlystop.errors import CheckpointError

from .ranks import TorchRanks

__all__ = ["Background"]

_LOOK_AGAIN = 0.05  # seconds after which one of several that wait looks whether all is done


class _Task:
    """An action that is run once, in whichever thread comes first, or withdrawn.

    As in `_files/deferred_close.py`, the thread is a bare one: the start of a `threading.Thread`
    does not survive an interrupt.

    error: what the action raised.
    """

    def __init__(self, action: Callable[[], object], where: str) -> None:
        self.where = where
        self.error: BaseException | None = None
        self._action: Callable[[], object] | None = action
        self._process = os.getpid()
        self._claim, self._done = _thread.allocate_lock(), _thread.allocate_lock()
        self._done.acquire()

    def run(self) -> None:
        if not self.withdraw() or self._action is None:
            return
        try:
            self._action()
        except BaseException as error:  # told in the thread that waits
            self.error = error
        finally:
            self._action = None  # and the copy of the weights that it holds
            self._done.release()

    def withdraw(self) -> bool:
        """Keep the action from being run; False if it has begun."""
        return self._claim.acquire(blocking=False)

    def wait(self) -> None:
        # A fork of this process has no such thread.
        while self._action is not None and self._process == os.getpid():
            self._done.acquire(timeout=_LOOK_AGAIN)


class Background:
    """Runs one action at a time; all ranks make the same calls.

    The end of the process waits for it.

    ranks: all ranks, in a process group of their own, so that messages of the threads do not mix
        with those of the training.
    """

    def __init__(self) -> None:
        self.ranks = TorchRanks.in_own_group()
        self._task: _Task | None = None
        atexit.register(self.settle)

    def start(self, action: Callable[[], object], where: str) -> None:
        """Begin to run what saves a check. `wait` must have been called since the last one.

        where: the check stands, in words.
        """
        task = _Task(action, where)
        try:
            self._task = task
            _thread.start_new_thread(task.run, ())
        except RuntimeError:  # there are too many threads
            task.run()
        except BaseException:
            if task.withdraw():
                self._task = None
            raise

    def settle(self) -> None:
        """Wait until all is done; an error is left for `wait`."""
        if self._task is not None:
            self._task.wait()

    def wait(self) -> None:
        """Wait until all is done. Raises CheckpointError, which names the check, if it failed."""
        self.settle()
        task, self._task = self._task, None
        if task is None or task.error is None:
            return
        if not isinstance(task.error, Exception):
            raise task.error
        raise CheckpointError(
            f"{task.where} could not be saved in the background: {task.error}"
        ) from task.error

    def close(self) -> None:
        """Wait, and give up the process group. Raises what `wait` does."""
        try:
            self.wait()
        finally:
            atexit.unregister(self.settle)
            self.ranks.release()
