"""Real processes, killed at any time."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from earlystop import Checkpoints
from earlystop.checkpoints import checkpoint_path, read_ledger

from .runs import names

ROOT = Path(__file__).parents[2]
FOLDER = ("weights", "words", "settings")


TRAINING = """
import json, sys, time
from pathlib import Path
from earlystop import Checkpoints

def write(path):
    if sys.argv[2] == "a folder":
        path.mkdir()
        for name in ("weights", "words", "settings"):
            write_file(path / name)
    else:
        write_file(path)

def write_file(path):
    with open(path, "w") as file:
        for part in range(40):  # long enough to be killed in the middle
            file.write(f"epoch {epoch} " * 50)
            file.flush()
        file.write("whole")

with Checkpoints(sys.argv[1], "{epoch}.txt", keep_last=1, resume=True) as checkpoints:
    epoch = checkpoints.last.epoch + 1 if checkpoints.last else 0
    print("ready", flush=True)
    while True:
        checkpoints.save(write, epoch=epoch, best=epoch % 3 == 0, state=epoch)
        epoch += 1
"""


@pytest.mark.parametrize("what", ["a file", "a folder"])
def test_killed_at_any_time_the_best_is_loadable_and_the_run_goes_on(
    what: str, tmp_path: Path
) -> None:
    random_ = random.Random(4)
    reached = -1
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, str(tmp_path), what],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(random_.uniform(0.0, 0.05))
        process.kill()
        process.wait()
        process.stdout.close()
        entries = read_ledger(tmp_path)
        for entry in entries:
            path = checkpoint_path(tmp_path, entry)
            assert path is not None
            files = [path] if what == "a file" else [path / name for name in FOLDER]
            for file in files:
                assert file.read_text() == f"epoch {entry.epoch} " * 2000 + "whole"
        if entries:
            best = [entry.epoch for entry in entries if entry.best]
            assert best[-1] == entries[-1].epoch // 3 * 3
            assert entries[-1].epoch >= reached
            reached = entries[-1].epoch
    assert reached > 0
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        assert names(tmp_path) == {entry.file for entry in checkpoints.entries}
