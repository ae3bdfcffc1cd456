"""Ctrl-C ends work on parts soon, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.datasets.tables import curves, rows_of, written

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, pathlib, signal, sys, time
import earlystop as es

signal.signal(signal.SIGINT, signal.default_int_handler)


def slow(history, number):
    pathlib.Path(sys.argv[2], str(os.getpid())).touch()
    time.sleep(0.2 if sys.argv[3] == "one" else 1)


if __name__ == "__main__":
    data = es.scan_history(sys.argv[1], run="run_id", step="step", rows=8)
    print(len(data), flush=True)
    data.total(slow, "test", workers=1 if sys.argv[3] == "one" else 2)
"""


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("how", ["one", "two"])
def test_ctrl_c_cancels_what_has_not_begun(how: str, tmp_path: Path) -> None:
    table = written(rows_of(curves()), tmp_path, group=4)
    program, seen = tmp_path / "program.py", tmp_path / "seen"
    program.write_text(PROGRAM)
    seen.mkdir()
    with subprocess.Popen(
        [sys.executable, program, table, seen, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as run:
        assert run.stdout is not None
        assert int(run.stdout.readline()) > 15  # each takes a second
        while not any(seen.iterdir()):
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=10)
    assert run.returncode == -signal.SIGINT
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert not any(is_alive(int(path.name)) for path in seen.iterdir())
