"""Sends SIGTERM to runs at random instants, and runs them again: do they end as if left alone?

    python -m benchmarks.crash.preemptions [--count 100] [--seed 0] [--only KIND ...] [--folder F]

The runs: a plain `EpochLoop`, which saves when it is left; `Training` in a folder, left between
epochs or within them; the same in two ranks of gloo, of which one gets the signal, or both at
different times. Each signal must end the program with exit code 75, in two ranks both, after the
same epoch; the last program that is started must end with 0, and what came of the run (losses,
weights, decisions) must be what comes of one that nobody disturbs, to the bit. A signal may also
come when nothing is left to do but to end; that is told apart. Exits with 1 if anything was wrong.

--folder: where the runs are kept; on a disk, most of the time goes into syncing files.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import statistics
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from earlystop.adapters.preemption import Preempted

from benchmarks.crash.preempted_runs import RUNS, WORLD

LEFT = 75


class Program:
    """One rank of a run, in a process of its own that has imported everything already."""

    def __init__(self, kind: str, folder: Path, rank: int) -> None:
        self.told = folder.with_suffix(f".{rank}.json")
        self.told.unlink(missing_ok=True)
        self._ready, ready = os.pipe()
        sys.stdout.flush()
        self.process = os.fork()
        if self.process == 0:
            os._exit(self._run(kind, folder, rank, ready))
        os.close(ready)

    def _run(self, kind: str, folder: Path, rank: int, ready: int) -> int:
        # Once the run has ended, its earlier handler is back: a signal then ends nothing.
        signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            result = RUNS[kind](folder, rank, lambda: os.write(ready, b"."))
        except Preempted as left:
            return int(str(left.code))
        except BaseException:
            traceback.print_exc()
            return 1
        self.told.write_text(json.dumps(result))
        return 0

    def wait_until_ready(self) -> None:
        os.read(self._ready, 1)
        os.close(self._ready)

    def end(self) -> int:
        """Wait for the exit code; a negative number is the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def has_ended(self) -> bool:
        """Whether it has ended; it can still be waited for."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process, options) is not None


def started(kind: str, folder: Path) -> list[Program]:
    Path(f"{folder}.meeting").unlink(missing_ok=True)
    programs = [Program(kind, folder, rank) for rank in range(WORLD[kind])]
    for program in programs:
        program.wait_until_ready()
    return programs


def undisturbed(kind: str, folder: Path) -> tuple[Any, float]:
    """What comes of the run, and how many seconds it takes."""
    programs = started(kind, folder)
    began = time.monotonic()
    codes = [program.end() for program in programs]
    assert codes == [0] * len(programs), f"undisturbed, it ended with {codes}"
    return results(programs), time.monotonic() - began


def results(programs: list[Program]) -> list[Any]:
    return [json.loads(program.told.read_text()) for program in programs]


class Campaign:
    """Signals to one kind of run, until enough of them have ended a program."""

    def __init__(self, kind: str, folder: Path, seed: int) -> None:
        self.kind, self.folder, self.draws = kind, folder, random.Random(seed)
        self.expected, self.seconds = undisturbed(kind, self._fresh("undisturbed"))
        self.delays: list[float] = []  # from the (first) signal to the end
        self.too_late = self.runs = 0

    def _fresh(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir()
        return path

    def signal(self, programs: list[Program]) -> float | None:
        """Send one program, or each, a signal; return when the first was sent, or None."""
        to = [self.draws.choice(programs)] if self.draws.random() < 0.5 else programs
        at = sorted((self.draws.uniform(0, self.seconds), program.process) for program in to)
        began, first = time.monotonic(), None
        for delay, process in at:
            while (left := began + delay - time.monotonic()) > 0:
                if any(program.has_ended() for program in programs):
                    return first
                time.sleep(min(left, 1e-3))
            first = time.monotonic() if first is None else first
            os.kill(process, signal.SIGTERM)  # one that has ended takes it until it is waited for
        return first

    def run(self, count: int) -> None:
        """Make one run, in which at most `count` signals end a program; it is run until it ends."""
        folder = self._fresh(f"run {self.runs}")
        left = 0
        while True:
            programs = started(self.kind, folder)
            sent = self.signal(programs) if left < count else None
            codes = [program.end() for program in programs]
            assert set(codes) in ({0}, {LEFT}), f"it ended with {codes}"
            if codes[0] == 0:
                self.too_late += sent is not None
                break
            assert sent is not None, "it was left without a signal"
            self.delays.append(time.monotonic() - sent)
            left += 1
        assert results(programs) == self.expected, "it ended otherwise than if left alone"
        self.runs += 1

    def __str__(self) -> str:
        delays = [1000 * delay for delay in self.delays]
        return (
            f"{self.kind}: {len(delays)} SIGTERMs over {self.runs} runs of {self.seconds:.2f} s, "
            f"each ended as if left alone; left after {statistics.median(delays):.0f} ms (median), "
            f"{max(delays):.0f} ms (longest); {self.too_late} signals came as all was done"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"Python {platform.python_version()}, PyTorch {torch.__version__}")
    for kind in arguments.only:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            campaign = Campaign(kind, Path(folder), arguments.seed)
            while (missing := arguments.count - len(campaign.delays)) > 0:
                campaign.run(missing)
        print(campaign, flush=True)


if __name__ == "__main__":
    main()
