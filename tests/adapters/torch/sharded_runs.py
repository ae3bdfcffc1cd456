"""Runs with a sharded model, in real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


def run(folder: Path, world: int, *cases: str, ends: int = 0) -> dict[str, list[Any]]:
    """What each rank came to in each case.

    ends: what the processes end with: their return codes.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests" / "support" / "sharded_ranks.py")]
    processes = [
        subprocess.Popen([*command, str(rank), str(world), str(folder), *cases], env=environment)
        for rank in range(world)
    ]
    try:
        assert [process.wait(timeout=180) for process in processes] == [ends] * world
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return (
        {}
        if ends
        else {
            case: [
                json.loads((folder / f"{case}-{rank}.json").read_text()) for rank in range(world)
            ]
            for case in cases
        }
    )
