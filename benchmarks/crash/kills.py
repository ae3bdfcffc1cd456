"""Kills a training with SIGKILL, again and again, and looks at what is left.

    python -m benchmarks.crash.kills [--kills 300] [--seed 0] [--what torch or keras]

Each run is killed at random instants, most of them while it saves, until it ends, and is then
compared with one of the same seed that was left alone. After every kill, before anything is cleaned
up: the ledger can be read, every file it lists can be loaded, the weights of the best give the loss
that the ledger says, and that is the lowest there was. Needs `os.fork`.

torch: a loop with `Training`. keras: a `fit` with our `EarlyStopping` and `ModelCheckpoint`, and
Keras's BackupAndRestore, by which it is resumed.
"""

from __future__ import annotations

import argparse
import collections
import gc
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.crash.torch_run import TorchRun
from earlystop.checkpoints import checkpoint_path, read_ledger


def forked(kind: Any, seed: int, folder: Path) -> tuple[int, int]:
    """A process that trains and tells of its saves; its number, and where it tells."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    status = 1
    try:
        result, weights = kind(seed).train(folder, lambda text: os.write(writing, text))
        gc.collect()  # as at the end of a process that is not a forked one
        torch.save([result, weights], folder / "result")
        os.write(writing, b".")
        status = 0
    finally:
        os._exit(status)


def told(reading: int) -> bytes:
    """All that the process told until it ended."""
    text = b""
    while part := os.read(reading, 1 << 16):
        text += part
    return text


def left_over(folder: Path) -> str:
    """What the kill has left beside what is listed."""
    names = []
    for parent in {path.parent for path in folder.rglob("*")}:
        listed = {checkpoint_path(parent, entry) for entry in read_ledger(parent)}
        names += [path.name for path in parent.iterdir() if path not in listed]
    if any(name.startswith((".new-", ".placing-")) for name in names):
        return "a file half written"
    if any(name.startswith(".checkpoints.json") for name in names):
        return "a ledger half written"
    if any(name.endswith((".pt", ".npz")) for name in names):
        return "a file not deleted yet"
    return "nothing"


def campaign(kind: Any, kills: int, seed: int) -> collections.Counter[str]:
    """Kill a training `kills` times. Raises AssertionError if anything was lost."""
    generator = random.Random(seed)
    counts: collections.Counter[str] = collections.Counter()
    run = seed
    while counts["kills"] < kills:
        run += 1
        with tempfile.TemporaryDirectory() as top:
            alone, folder = Path(top, "alone"), Path(top, "killed")
            process, reading = forked(kind, run, alone)
            began = time.perf_counter()
            text = told(reading)
            a_save = (time.perf_counter() - began) / max(text.count(b"("), 1) / 2
            os.close(reading)
            assert os.waitpid(process, 0)[1] == 0
            _kill_until_it_ends(kind, run, folder, kills, a_save, generator, counts)
            expected, actual = (torch.load(path / "result") for path in (alone, folder))
            assert expected[0] == actual[0], f"{expected[0]} but {actual[0]}"
            assert all(torch.equal(expected[1][name], actual[1][name]) for name in expected[1])
            kind(run).check_end(alone, folder)
            counts["runs that ended as if left alone"] += 1
    return counts


def _kill_until_it_ends(
    kind: Any,
    run: int,
    folder: Path,
    kills: int,
    a_save: float,
    generator: random.Random,
    counts: collections.Counter[str],
) -> None:
    while True:
        process, reading = forked(kind, run, folder)
        if counts["kills"] >= kills:  # there have been enough: this one may end
            told(reading)
            os.close(reading)
            assert os.waitpid(process, 0)[1] == 0, "the run failed"
            return
        text = b""
        saves = generator.randint(0, 8) and generator.randint(1, 3)  # to let pass; 0: as it starts
        while text.count(b"(") < saves and b"." not in text:
            part = os.read(reading, 1)
            if not part:
                break
            text += part
        time.sleep(generator.uniform(0, 0.7 * a_save))
        os.kill(process, signal.SIGKILL)
        text += told(reading)
        os.close(reading)
        status = os.waitpid(process, 0)[1]
        if not os.WIFSIGNALED(status):
            assert status == 0, "the run failed"
        if b"." in text:
            return
        counts["kills"] += 1
        counts["  while saving"] += text.endswith(b"(")
        if folder.exists():
            kind(run).check(folder)
            counts[f"  leaving {left_over(folder)}"] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--what", choices=["torch", "keras"], default="torch")
    arguments = parser.parse_args()
    if not hasattr(os, "fork"):
        sys.exit("this needs os.fork")
    torch.set_num_threads(1)
    kind: Any = TorchRun
    if arguments.what == "keras":
        from benchmarks.crash.keras_run import KerasRun

        kind = KerasRun
    began = time.perf_counter()
    for what, count in campaign(kind, arguments.kills, arguments.seed).items():
        print(f"{count:6} {what}")
    print(f"nothing was lost; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
