"""One file written by several processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


WRITING = """
import os, sys, time
from pathlib import Path
from earlystop.checkpoints import write_atomically

def write(path):
    with open(path, "w") as file:
        file.write(sys.argv[2] * 9)
        file.flush()
        print("half", flush=True)
        sys.stdin.readline()
        file.write(sys.argv[2] * 9)

write_atomically(Path(sys.argv[1]), write)
"""


def test_two_processes_that_write_one_file_do_not_mix_what_they_write(tmp_path: Path) -> None:
    path = tmp_path / "best.txt"
    one, other, killed = (
        subprocess.Popen(
            [sys.executable, "-c", WRITING, str(path), letter],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for letter in "abc"
    )
    for process in (one, other, killed):
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
    assert len(os.listdir(tmp_path)) == 3
    killed.kill()
    killed.communicate()
    one.communicate("\n")
    assert path.read_text() == "a" * 18
    assert len(os.listdir(tmp_path)) == 2  # what the one that was killed had written is gone
    other.communicate("\n")
    assert path.read_text() == "b" * 18
    assert os.listdir(tmp_path) == ["best.txt"]
