"""Small runs that save checkpoints, and what must be true of the folders they leave."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from earlystop import Checkpoints
from earlystop.checkpoints import checkpoint_path, read_ledger
from earlystop.checkpoints.names import LEDGER, LOCK


def writer(epoch: int) -> Callable[[Path], object]:
    """Writes a file whose text says which epoch it is of, and that it is whole."""

    def write(path: Path) -> None:
        with open(path, "w") as file:
            file.write(f"weights of epoch {epoch}")
            file.flush()
            file.write(", whole")

    return write


def content(epoch: int) -> str:
    return f"weights of epoch {epoch}, whole"


def names(folder: Path) -> set[str]:
    """The files in the folder, but for the ledger and the lock."""
    return {path.name for path in folder.iterdir()} - {LEDGER, LOCK}


def save_all(
    checkpoints: Checkpoints, losses: list[float], start: int = 0, best: bool = True
) -> list[Path | None]:
    lowest = math.inf
    paths = []
    for epoch, loss in enumerate(losses, start):
        is_best = best and loss < lowest
        lowest = min(loss, lowest) if loss == loss else lowest
        paths.append(
            checkpoints.save(writer(epoch), epoch=epoch, metrics={"loss": loss}, best=is_best)
        )
    return paths


def check_whole(folder: Path, bests: set[int]) -> None:
    """The ledger is readable, what it lists is whole, and its best is one of these."""
    entries = read_ledger(folder)
    for entry in entries:
        path = checkpoint_path(folder, entry)
        if path is not None:
            assert path.read_text() == content(entry.epoch)
    assert [entry.epoch for entry in entries if entry.best][-1] in bests


def begun(folder: Path) -> Checkpoints:
    checkpoints = Checkpoints(folder, "{epoch}.txt", keep_last=1)
    save_all(checkpoints, [3.0, 2.0, 4.0])
    return checkpoints


def next_save(checkpoints: Checkpoints) -> Path | None:
    return checkpoints.save(writer(3), epoch=3, metrics={"loss": 1.0}, best=True)
