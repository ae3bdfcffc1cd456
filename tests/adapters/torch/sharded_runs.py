"""Runs with a sharded model, in real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.launched import run_together, told_by


def run(folder: Path, world: int, *cases: str, ends: int = 0) -> dict[str, list[Any]]:
    """What each rank came to in each case.

    ends: what the processes end with: their return codes.
    """
    ranks = [[rank, world, folder, *cases] for rank in range(world)]
    run_together("sharded_ranks.py", ranks, folder, ends=ends)
    return {} if ends else {case: told_by(world, folder, case + "-{}.json") for case in cases}
