"""Runs the command line in this process, on small logs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from earlystop.cli import main

ROOT = Path(__file__).parents[2]
NAN, INF = math.nan, math.inf
CURVE = [0.9, 0.7, 0.8, 0.6, 0.7, 0.75, 0.8, 0.5]
MONITOR = ["--monitor", "val_loss"]


def run(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="earlystop", **options)


def good(*arguments: object, **options: Any) -> str:
    done = run(*arguments, **options)
    assert done.exit_code == 0, done.output
    return done.stdout


def failed(code: int, *arguments: object, **options: Any) -> str:
    """The one line that the command prints about its failure."""
    done = run(*arguments, **options)
    assert done.exit_code == code, done.output
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def log(path: Path, values: list[Any], metric: str = "val_loss") -> Path:
    rows = [f"{epoch},{'' if value is None else value}" for epoch, value in enumerate(values)]
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join([f"epoch,{metric}", *rows, ""]))
    return path


def sparse_log(path: Path, values: list[float], *, time: bool = False) -> Path:
    """A log of 50 steps an epoch: training losses every 10 steps, validation at the end of each.

    time: whether it tells the time, 36 seconds a step.
    """
    lines = ["epoch,step,train_loss,val_loss" + ",_runtime" * time]
    for step in range(10, 50 * len(values) + 1, 10):
        epoch, last = (step - 1) // 50, step % 50 == 0
        value = values[epoch] if last else ""
        lines.append(f"{epoch},{step},{1 / step:.4f},{value}" + f",{36 * step}" * time)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join([*lines, ""]))
    return path
