"""The command line as a process: pipes, signals and progress bars."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.cli.running import MONITOR, ROOT

# Real processes -----------------------------------------------------------------------------------


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "earlystop", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen(command, env=environment, **pipes)


def test_a_pipe_that_is_closed_ends_it_quietly(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.random.default_rng(1).random((20_000, 5)))
    process = start(
        *("replay", tmp_path / "values.npy", "--monitor", "value", "--mode", "min", "--csv")
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("rule,run,")
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait() == 141


# The tests may have been started with SIGINT ignored, which child processes inherit.
INTERRUPTIBLE: dict[str, Any] = {
    "preexec_fn": functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
}


def test_ctrl_c_ends_it_in_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.random.default_rng(1).random((500, 2000)))
    rule = ("--rule", "Plateau('value', 2, 0.0)", "--grid", "window=2:400", "--monitor", "value")
    process = start(
        "sweep", tmp_path / "values.npy", *rule, "--mode", "min", "--progress", **INTERRUPTIBLE
    )
    assert process.stderr is not None
    assert process.stderr.read(1)  # it shows a bar, so it is at work
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Interrupted"
    assert "Traceback" not in errors
    assert output == ""


def test_progress_bars_go_to_the_error_output_and_only_on_request(one: Path) -> None:
    arguments = ("replay", one, *MONITOR, "--patience", "1", "--csv")
    output, errors = start(*arguments).communicate(timeout=60)
    assert errors == ""
    again, bars = start(*arguments, "--progress").communicate(timeout=60)
    assert again == output
    assert "100%" in bars
