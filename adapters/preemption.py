"""Leave a run before its process is killed, and resume it when the program is run again.

with (
    Preemption(grace=60) as preemption,
    Training(stopper, model, folder="run", resume=True, preemption=preemption) as training,
):
    for epoch in training.epochs(300):
        ...
"""

from __future__ import annotations

import datetime
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

from earlystop.engine.ranks import OneProcess, Ranks
from earlystop.errors import RuleError, RuleTypeError, shortened, warn_caller
from earlystop.language.settings import AtLeast, AtMost, NonNegative, validated

from .signals import SignalHandlers, signal_numbers

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["Preempted", "Preemption", "checked_preemption"]

Until = float | datetime.datetime | Literal["slurm"] | None

_SLURM = "SLURM_JOB_END_TIME"
_SIGNALS = tuple(name for name in ("SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))
_EXIT_CODE = Annotated[int, AtLeast(0), AtMost(255)]
# Ranks agree within an epoch after about so many seconds, and after so many checks at most.
_BETWEEN, _MOST_CHECKS = 0.5, 32
_log = logging.getLogger("earlystop")


class Preempted(SystemExit):
    """The run was left, to be resumed when the program is run again; it ends with an exit code.

    It is a SystemExit, so that it passes `except Exception`.

    >>> Preempted(75).code
    75
    """


class Preemption:
    """Leaves a run in time when its process is about to be killed: on a signal, or by the clock.

    Use it in `with`, and pass it to `EpochLoop(..., preemption=...)` or `Training(...,
    preemption=...)`. After a signal they end the epoch and save as ever; then, rather than begin
    another, they leave: `save` is called, and Preempted ends the program with `exit_code`. The
    stopper has not stopped, the best is not restored. Run again, the program resumes as if it had
    never been left; and a run that ends in that epoch ends as usual.

    signals: those that ask to leave, as `signal.SIGTERM`, numbers or names.
    grace: the seconds from a signal to the end of the process: 30 in SLURM (KillWait) and in
        Kubernetes, unless set otherwise. Where an epoch takes longer, check `leave` within it.
    until: when the process ends, as seconds since 1970 or a datetime. The run is left `grace`
        seconds before. An epoch that would take longer, going by the longest so far, is not begun,
        unless `leave` is checked within epochs. "slurm": the end of the SLURM job
        (SLURM_JOB_END_TIME), if this is one; None: no end.
    exit_code: what the program ends with. 75 stands for "try again later" in `sysexits.h`.
    save: `save()` is called between two epochs, before the run is left: it writes what the next run
        resumes from. A Training with a folder has that there already.
    clock: returns the seconds since 1970.

    An earlier handler of a signal, other than the default, is called as well. What it raises is
    raised once the run is saved, in place of Preempted; but a SystemExit, as Ray's handler raises,
    only once a run has ended by itself: one that is left ends the program with `exit_code`. At the
    end of the `with` block the earlier handlers are back. A second signal changes nothing, as
    launchers often pass it on twice; but a second SIGINT is raised at once. In a forked process
    signals act as before, but for SIGUSR1 and SIGUSR2: they do not end it.

    In a distributed run it is enough that one rank is asked to leave: between epochs all agree.

    Raises RuleTypeError and RuleError for invalid arguments; when it is entered, RuleError in a
    thread that is not the main one, which gets no signals: there, pass `signals=()`.

    >>> import os, signal
    >>> import earlystop as es
    >>> from earlystop.adapters.loop import EpochLoop
    >>> saved = {}
    >>> def save():
    ...     saved.update(loop.state_dict())
    >>> try:
    ...     with Preemption(save=save) as preemption, EpochLoop(
    ...         es.EarlyStopping("val_loss", patience=5), preemption=preemption
    ...     ) as loop:
    ...         for epoch in loop:
    ...             decision = loop.report(val_loss=1 / (epoch + 1))
    ...             if epoch == 2:
    ...                 os.kill(os.getpid(), signal.SIGTERM)
    ... except Preempted as left:
    ...     print(left.code, preemption.reason, loop.stopper.checks)
    75 SIGTERM 3
    """

    def __init__(
        self,
        *,
        signals: Iterable[str | int] = _SIGNALS,
        grace: float = 30.0,
        until: Until = "slurm",
        exit_code: int = 75,
        save: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.grace: float = validated(NonNegative, grace, "Preemption(grace=...)")
        self.until = _seconds(until)
        self.exit_code: int = validated(_EXIT_CODE, exit_code, "Preemption(exit_code=...)")
        self.has_left = False
        self.save, self._clock = save, clock
        self._handlers = SignalHandlers(signal_numbers(signals, "Preemption(signals=...)"), clock)
        self._reason = ""
        self._process = 0  # that has entered it; -1 when it is over
        self._ranks: Ranks = OneProcess()
        self._began: float | None = None  # the current epoch
        self._longest = 0.0
        self._is_asked_within = self._is_warned = False
        self._every, self._calls, self._agreed_at = 1, 0, 0.0

    # Whether to leave ------------------------------------------------------------------------

    @property
    def leave(self) -> bool:
        """Whether it is time to leave; check it within epochs that take longer than `grace`.

        If it is, end the epoch early, or call `exit()` to leave at once. The next run begins the
        epoch anew, unless a check within it was saved (`training.step(..., epoch=epoch + 0.5)`).
        In a distributed run all ranks check it equally often in an epoch, such as after each batch,
        and get the same answer; now and then they wait for each other for it.
        """
        self._is_asked_within = True
        if not self._reason:
            self._calls += 1
            if self._ranks.size == 1:
                self._reason = self._wish()
            elif self._calls >= self._every:
                self._agree(self._wish())
        return self._reason != ""

    @property
    def reason(self) -> str:
        """Why the run is left, such as "SIGTERM"; "" while it is not."""
        return self._reason

    @property
    def seconds_left(self) -> float:
        """The seconds until the process is killed, as far as known; infinity if it is not."""
        first = self._handlers.first
        killed = math.inf if first is None else first[1] + self.grace
        return min(killed, math.inf if self.until is None else self.until) - self._clock()

    def exit(self) -> NoReturn:
        """Leave at once, without calling `save`. Raises Preempted."""
        self._reason = self._reason or "asked to"
        self.has_left = True
        _log.warning("left the run (%s): run it again to go on", self._reason)
        raised = self._handlers.raised
        if raised is None or isinstance(raised, SystemExit):
            raise Preempted(self.exit_code) from raised
        raise raised

    def next_epoch(self, ranks: Ranks | None = None) -> None:
        """Leave if it is time to, rather than begin another epoch. Loops call it before each.

        ranks: the processes of a distributed run; all of them call this together.

        Raises Preempted, and what `save` raises; RuleError outside of the `with` block.
        """
        if self._process != os.getpid():
            raise RuleError(
                "a Preemption works in its `with` block: `with Preemption() as preemption:` around "
                "the run"
            )
        self._ranks = ranks or OneProcess()
        now = self._clock()
        if self._began is not None:
            self._longest = max(self._longest, now - self._began)
            self._warn_of_long_epochs()
        if not self._reason:
            self._agree(self._wish() or self._no_time(now))
        if self._reason:
            if self.save is not None:
                self.save()
            self.exit()
        self._began = self._clock()

    def _wish(self) -> str:
        """Why this rank wants to leave; "" if it does not."""
        if self._handlers.first is not None:
            return self._handlers.first[0]
        if self.until is not None and self._clock() >= self.until - self.grace:
            return f"{self.grace:g} seconds are left"
        return ""

    def _no_time(self, now: float) -> str:
        if self.until is None or self._is_asked_within:
            return ""
        if now + self._longest <= self.until - self.grace:
            return ""
        return f"another epoch of {self._longest:.3g} seconds would not end in time"

    def _agree(self, wish: str) -> None:
        """Agree on all ranks to leave if any wishes to; rank 0 sets when they agree next."""
        now, calls = self._clock(), self._calls
        aim = calls * _BETWEEN / max(now - self._agreed_at, 1e-6)
        every = max(1, min(int(aim), 2 * calls, _MOST_CHECKS))
        told = self._ranks.gather((wish, every))
        self._every, self._calls, self._agreed_at = told[0][1], 0, self._clock()
        for rank, (reason, _) in enumerate(told):
            if reason:
                self._reason = wish or f"rank {rank}: {reason}"
                return

    def _warn_of_long_epochs(self) -> None:
        if self._longest <= self.grace or self._is_asked_within or self._is_warned:
            return
        self._is_warned = True
        warn_caller(
            f"an epoch took {self._longest:.3g} seconds, and `Preemption(grace={self.grace:g})` is "
            "what there is after a signal: check `preemption.leave` within epochs, or pass the "
            "grace that there really is",
            UserWarning,
        )

    # The block -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._process:
            raise RuleError("this Preemption has been entered: make a new one for another run")
        if self._handlers.numbers and threading.current_thread() is not threading.main_thread():
            raise RuleError(
                "`Preemption()` handles signals in the main thread only: enter it there, or pass "
                "`signals=()` to leave by `until` alone"
            )
        self._handlers.install()
        self._process = os.getpid()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._handlers.put_back()
        self._process = -1
        if error is None and self._handlers.raised is not None:  # the run has ended by itself
            raise self._handlers.raised


def checked_preemption(
    preemption: Preemption | None, owner: str, *, saves: bool = False
) -> Preemption | None:
    """A preemption that was passed to a loop, which is named `owner`.

    saves: whether the loop itself saves the run.

    Raises RuleTypeError if it is none, RuleError if nothing would save the run.
    """
    if preemption is None:
        return None
    if not isinstance(preemption, Preemption):
        raise RuleTypeError(
            f"`{owner}(preemption=...)` must be a Preemption or None, got {shortened(preemption)}"
        )
    if not saves and preemption.save is None:
        raise RuleError(
            f"`{owner}(preemption=...)` would leave a run that is not saved: pass "
            "`Preemption(save=...)`, which is called to save it"
            + (", or `Training(folder=...)`" if owner == "Training" else "")
        )
    return preemption


def _seconds(until: object) -> float | None:
    if until == "slurm":
        text = os.environ.get(_SLURM)
        if text is None:
            return None
        try:
            return _seconds(float(text))
        except ValueError as error:
            raise RuleError(
                f"the environment variable {_SLURM} should be seconds since 1970, got {text!r}: "
                "pass `Preemption(until=None)` to ignore it"
            ) from error
    if isinstance(until, datetime.datetime):
        return until.timestamp()
    if until is None or (isinstance(until, (int, float)) and not isinstance(until, bool)):
        seconds: float | None = validated(NonNegative | None, until, "Preemption(until=...)")
        return seconds
    raise RuleTypeError(
        '`Preemption(until=...)` must be seconds since 1970, a datetime, "slurm" or None, got '
        f"{shortened(until)}"
    )
