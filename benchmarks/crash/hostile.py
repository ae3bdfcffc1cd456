"""Reads what was damaged or made to do harm, and looks for anything but documented errors.

    python -m benchmarks.crash.hostile [--count 100000] [--seed 0] [--bombs]

Each attempt damages a log of any format, a ledger, a state or a rule (bits, cuts, splices, tokens,
numbers of hundreds of digits, deep nesting), and reads it in a process whose memory and time are
bounded. Then every bomb of `tests/support/bombs.py` is read in a process of its own. Prints what
came of them; exits with 1 if there was an error of another kind, a crash, or a bomb that took more
than 5 s of processor time or 200 MB. Needs `os.fork`. `--first N --count 1` repeats one attempt.
"""

from __future__ import annotations

import argparse
import collections
import functools
import io
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import earlystop as es
from tests.support.bombs import BOMBS
from tests.support.hostile import attempt

SECONDS, MEGABYTES = 5, 200  # that a bomb may take
PATIENCE = 30  # seconds of processor time that an attempt may take
MEMORY = 2 << 30  # bytes that a process of attempts may add


def told_by_child(work: Callable[[Callable[[str], object]], object]) -> Iterator[str]:
    """The lines that work in a forked process tells, and a last one if the process was killed."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        status = 1
        try:
            os.close(reading)
            work(lambda line: os.write(writing, f"{line}\n".encode("utf-8", "replace")))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
        yield from (line.rstrip("\n") for line in lines)
    status = os.waitpid(process, 0)[1]
    if os.WIFSIGNALED(status):
        yield f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    elif status:
        yield f"ended with {os.WEXITSTATUS(status)}"


def attempts(seed: int, first: int, end: int, tell: Callable[[str], object]) -> None:
    """Tell the number of every attempt before it is made, and what came of it."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    os.nice(10)
    for number in range(first, end):
        tell(f"{number}")
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # kills the process
        try:
            tell(f"={attempt(f'{seed}:{number}')}")
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{os.path.basename(place.filename)}:{place.lineno}"
            tell(f"!{type(error).__name__} at {where}: {str(error)[:200]!r}")
        signal.setitimer(signal.ITIMER_PROF, 0)


def campaign(count: int, seed: int, first: int) -> tuple[collections.Counter[str], list[str]]:
    """What came of `count` attempts, and everything that was not documented."""
    counts: collections.Counter[str] = collections.Counter()
    faults: list[str] = []
    number, end = first - 1, first + count
    while number + 1 < end:
        start = number + 1
        for line in told_by_child(functools.partial(attempts, seed, start, end)):
            if line.isdecimal():
                number = int(line)
            elif line.startswith("="):
                counts[line[1:]] += 1
            else:
                faults.append(f"{number}: {line}")
                print(faults[-1], flush=True)
        if number < start:
            faults.append(f"no attempt was made after {start}")
            break
    return counts, faults


def bomb(data: bytes, tell: Callable[[str], object]) -> None:
    """Read it, and tell the processor time, the memory and what came of it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    try:
        es.read_history(io.BytesIO(data))
        what = "read"
    except es.EarlystopError as error:
        what = f"{type(error).__name__}: {str(error)[:60]}"
    except Exception as error:
        what = f"!{type(error).__name__}: {str(error)[:60]}"
    seconds = time.process_time() - began
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    tell(f"{seconds:.2f} {memory} {what}")


def bombs() -> list[str]:
    """Every bomb, and what was wrong."""
    import pyarrow.ipc
    import pyarrow.parquet  # noqa: F401  # so that loading them is not measured

    es.read_history(io.BytesIO(b"epoch,loss\n0,1\n"))
    faults = []
    for name, make in BOMBS.items():
        reading, writing = os.pipe()
        process = os.fork()
        if not process:  # what makes a bomb takes memory, too: in another process
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(make())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        os.waitpid(process, 0)
        said = " ".join(told_by_child(functools.partial(bomb, data)))
        print(f"{name:34} {len(data):>11,} bytes: {said}", flush=True)
        seconds, memory, what = [*said.split(" ", 2), "", "", ""][:3]
        try:
            fine = float(seconds) < SECONDS and int(memory) < MEGABYTES and what[0] != "!"
        except ValueError:
            fine = False
        if not fine:
            faults.append(f"{name}: {said}")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--bombs", action="store_true", help="read the bombs only")
    arguments = parser.parse_args()
    if not hasattr(os, "fork"):
        sys.exit("this needs os.fork")
    faults: list[str] = []
    if not arguments.bombs:
        began = time.perf_counter()
        counts, faults = campaign(arguments.count, arguments.seed, arguments.first)
        for what, count in sorted(counts.items()):
            print(f"{count:8,} {what}")
        print(f"{counts.total():8,} attempts in {time.perf_counter() - began:.0f} s")
    faults += bombs()
    print(f"{len(faults)} faults")
    for fault in faults:
        print(f"  {fault}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
