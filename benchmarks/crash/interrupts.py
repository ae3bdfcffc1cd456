"""Interrupts runs with SIGINT, as Ctrl-C does, at random instants, and looks at what is left.

    python -m benchmarks.crash.interrupts [--count 1000] [--seed 0] [--only Stopper,EpochLoop]

Another process sends the signal while a run works: while a stopper steps, an `EpochLoop` reports
and closes, a folder of `Checkpoints` is opened, saved to and closed, and a `Training` steps, closes
and resumes (left out where PyTorch is not installed). After each: what came out is
KeyboardInterrupt (Python raises none from a finalizer; those are counted); stopper, loop, ledger,
files and kept model agree; the run goes on, its folder can be opened again, and it ends as if left
alone; no thread and no handle is left. Each kind of run has a process of its own, which must end.
Exits with 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import functools
import gc
import importlib.util
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import earlystop.adapters

import earlystop
from benchmarks.crash import interrupted_runs

LIBRARY = tuple(
    os.path.dirname(package.__file__ or "") for package in (earlystop, earlystop.adapters)
)
A_SHORT_DELAY = 5e-4  # seconds
CALLED_BY_PYTHON = ("__iter__", "__exit__")  # what these call is told apart
# Reads delays and sends a SIGINT after each. It also ends a process that hangs: the thread by which
# faulthandler would do so inside the process can keep CPython 3.11 from noticing a signal.
SENDER = """
import os, select, signal, sys, time
process = int(sys.argv[1])
signal.signal(signal.SIGINT, signal.SIG_IGN)
while select.select([0], [], [], 60)[0]:
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    time.sleep(float(line))
    os.kill(process, signal.SIGINT)
os.kill(process, signal.SIGABRT)
"""


class Interrupts:
    """Sends one signal at a time to this process, and notes where it struck.

    SIGINT, from another process; after short delays, for which that is not exact enough, SIGALRM
    from the timer of the system, which raises KeyboardInterrupt as SIGINT does.
    """

    def __init__(self) -> None:
        self._sender = subprocess.Popen(
            [sys.executable, "-c", SENDER, str(os.getpid())], stdin=subprocess.PIPE, bufsize=0
        )
        self.awaited = False
        self.where = ""
        signal.signal(signal.SIGINT, self._strike)
        signal.signal(signal.SIGALRM, self._strike)

    def send(self, delay: float) -> None:
        self.awaited, self.where = True, ""
        if delay < A_SHORT_DELAY:
            signal.setitimer(signal.ITIMER_REAL, max(delay, 1e-6))
            return
        assert self._sender.stdin is not None
        self._sender.stdin.write(b"%.6f\n" % delay)  # unbuffered: this may be interrupted, too

    def _strike(self, number: int, frame: FrameType | None) -> None:
        self.where = _operation(frame)
        self.awaited = False
        raise KeyboardInterrupt

    def wait(self) -> None:
        while self.awaited:
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(1e-4)

    def close(self) -> None:
        assert self._sender.stdin is not None
        self._sender.stdin.close()
        self._sender.wait()


def _operation(frame: FrameType | None) -> str:
    """The function of the library that a run had called, as `loop.report`; "" if none."""
    name = ""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(LIBRARY) and not (name and code.co_name in CALLED_BY_PYTHON):
            name = f"{Path(code.co_filename).stem}.{code.co_name}"
        frame = frame.f_back
    return name


def outcome(run: Any, interrupts: Interrupts, delay: float) -> str:
    """What came out of a run that is interrupted after a delay; "" if KeyboardInterrupt."""
    came = "nothing"
    try:
        interrupts.send(delay)
        run.act(lambda: interrupts.awaited)
    except KeyboardInterrupt:
        came = ""
    except BaseException:
        came = traceback.format_exc()
    if interrupts.awaited:  # it ended before: then it was not interrupted
        interrupts.wait()
        came = "" if came == "nothing" else came
    return came


def handles() -> list[str]:
    """What this process has open."""
    found = []
    for handle in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{handle}"))
        except FileNotFoundError:  # the one by which the folder was listed
            continue
    return sorted(found)


def left_over(before: list[str]) -> str:
    """Threads that do not end and handles that stay open."""
    until = time.monotonic() + 5
    while True:
        threads = [thread.name for thread in threading.enumerate()[1:]]
        handles_left = collections.Counter(handles()) - collections.Counter(before)
        if not threads and not handles_left:
            return ""
        if time.monotonic() > until:
            return f"threads left: {threads}, handles left: {sorted(handles_left)}"
        gc.collect()
        time.sleep(1e-3)


def trial(kind: Any, seed: int, interrupts: Interrupts, ignored: list[object]) -> str:
    """One interrupt; returns what was wrong, "" if nothing.

    ignored: gets the exceptions that finalizers raise.
    """
    before = handles()
    with tempfile.TemporaryDirectory() as top:
        run = kind(Path(top, "run"), seed)
        came = outcome(run, interrupts, random.Random(seed).uniform(0, run.longest_delay))
        if came == "nothing" and ignored:  # Python raises nothing from a finalizer
            interrupts.where = "a finalizer, where Python ignores it"
        elif came:
            return f"what came out was {came}"
        try:
            run.check()
        except BaseException:
            return traceback.format_exc()
        finally:
            run = None
        return left_over(before)


def campaign(kind: Any, count: int, seed: int) -> int:
    """Interrupt `count` times; print where, and return how many left something wrong."""
    faulthandler.enable()  # says where a process hangs
    interrupts = Interrupts()
    where: collections.Counter[str] = collections.Counter()
    wrong: collections.Counter[str] = collections.Counter()
    ignored: list[object] = []
    sys.unraisablehook = lambda given: ignored.append(repr(given.exc_value))
    for n in range(seed, seed + count):
        ignored.clear()
        found = trial(kind, n, interrupts, ignored)
        where[interrupts.where or "(between calls)"] += 1
        if found:
            wrong[found] += 1
            if wrong[found] == 1:
                print(f"{kind.name}, seed {n}, interrupted in {interrupts.where}: {found}")
    interrupts.close()
    print(f"{count:6} {kind.name}")
    for name, times in where.most_common():
        print(f"{times:6}   in {name}")
    return wrong.total()


@functools.cache
def kinds() -> dict[str, Any]:
    """The kinds of runs, by name."""
    module = interrupted_runs
    found: list[Any] = [module.StopperRun, module.LoopRun, module.CheckpointsRun]
    if importlib.util.find_spec("torch"):
        from benchmarks.crash.interrupted_training import TrainingRun

        found.append(TrainingRun)
    return {kind.name: kind for kind in found}


def in_own_process(name: str, count: int, seed: int) -> bool:
    """Whether nothing was wrong with a kind of run, nor with the end of its process."""
    command = [sys.executable, "-m", __spec__.name if __spec__ else __file__]
    command += ["--only", name, "--count", str(count), "--seed", str(seed), "--here"]
    process = subprocess.Popen(command)
    return process.wait() == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=1000, help="interrupts of each kind of run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="kinds of runs, joined by commas")
    parser.add_argument("--here", action="store_true", help="all in this process")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(kinds())
    if arguments.here:
        wrong = sum(campaign(kinds()[name], arguments.count, arguments.seed) for name in names)
        sys.exit(f"{wrong} of them left something wrong" if wrong else 0)
    print(f"Python {platform.python_version()}", flush=True)
    began = time.perf_counter()
    whole = [in_own_process(name, arguments.count, arguments.seed) for name in names]
    if not all(whole):
        sys.exit("something was wrong")
    print(f"all was whole; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
