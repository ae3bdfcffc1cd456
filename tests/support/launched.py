"""Programs of `tests/support`, run as the several processes of one training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["run_together", "told_by"]

SUPPORT = Path(__file__).parent
_LONGEST = 180  # seconds


def run_together(
    program: str, arguments: Sequence[Sequence[object]], folder: Path, *, ends: int = 0
) -> None:
    """Run a program of this folder once with each of the arguments, all at the same time.

    What they print goes to FOLDER/output-NUMBER.txt.

    ends: the return code that all of them end with.
    """
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT.parents[1]), "OMP_NUM_THREADS": "1"}
    printed = [folder / f"output-{number}.txt" for number in range(len(arguments))]
    processes = []
    try:
        for some, path in zip(arguments, printed, strict=True):
            command = [sys.executable, str(SUPPORT / program), *map(str, some)]
            with path.open("w") as said:
                processes.append(
                    subprocess.Popen(command, env=environment, stdout=said, stderr=said)
                )
        codes = [process.wait(timeout=_LONGEST) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    texts = [path.read_text()[-3000:] for path in printed]
    assert codes == [ends] * len(arguments), "\n".join([str(codes), *texts])


def told_by(world: int, folder: Path, name: str = "{}.json") -> list[Any]:
    """What each rank wrote as JSON; its number stands for {} in the name."""
    return [json.loads((folder / name.format(rank)).read_text()) for rank in range(world)]
