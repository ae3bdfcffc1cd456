"""One file written by several processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from earlystop.checkpoints import unlisted, write_atomically
from earlystop.checkpoints.names import UNLISTED
from earlystop.checkpoints.unlisted import new_unlisted

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


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder that this process has not looked into yet, where it writes a file."""
    return tmp_path / "best.txt"


def write(path: Path) -> None:
    write_atomically(path, lambda temporary: temporary.write_text("whole"))


def test_processes_of_one_number_in_two_containers_write_to_two_files(tmp_path: Path) -> None:
    names = {new_unlisted(tmp_path / "best.txt").name for _ in range(100)}
    assert len(names) == 100  # which is to say that the number of the process does not matter
    assert all(name.endswith("-best.txt") for name in names)
    assert len(os.fsencode(new_unlisted(tmp_path / ("é" * 100 + ".keras")).name)) <= 255


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot ask whether a process exists")
def test_what_was_abandoned_is_deleted_and_what_others_may_be_writing_is_not(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own, foreign = f"{unlisted._world()}.12345678", "00000000.12345678"
    gone = [f"{UNLISTED}{ended.pid}-a", f"{UNLISTED}{ended.pid}-{own}-b"]
    old = f"{UNLISTED}{ended.pid}-{foreign}-old"  # of another container, or before the last boot
    kept = [
        f"{UNLISTED}{os.getpid()}-c",
        f"{UNLISTED}{os.getpid()}-{own}-d",
        f"{UNLISTED}{ended.pid}-{foreign}-e",
        "placing",
    ]
    for name in (*gone, old, *kept):
        (written.parent / name).write_text("half")
    (written.parent / f"{UNLISTED}{ended.pid}-folder").mkdir()
    (written.parent / f"{UNLISTED}{ended.pid}-folder" / "weights").write_text("half")
    os.utime(written.parent / old, (0, 0))
    write(written)
    assert sorted(os.listdir(written.parent)) == sorted(["best.txt", *kept])
