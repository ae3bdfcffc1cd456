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


def folder_writer(epoch: int) -> Callable[[Path], object]:
    """Makes a folder of files, one of them in a folder of its own, each as `writer` does."""

    def write(path: Path) -> None:
        (path / "tokens").mkdir(parents=True)
        for name in PARTS:
            writer(epoch)(path / name)

    return write


PARTS = ("weights", "tokens/words")
WRITERS: dict[str, Callable[[int], Callable[[Path], object]]] = {
    "a file": writer,
    "a folder": folder_writer,
}


def text_of(path: Path) -> str:
    """What a checkpoint holds: the text of its file, or that of all files of its folder."""
    if not path.is_dir():
        return path.read_text()
    texts = {str(p.relative_to(path)): p.read_text() for p in path.rglob("*") if p.is_file()}
    (text, *others) = set(texts.values())
    return text if set(texts) == set(PARTS) and not others else repr(texts)


def content(epoch: int) -> str:
    return f"weights of epoch {epoch}, whole"


def names(folder: Path) -> set[str]:
    """The files in the folder, but for the ledger and the lock."""
    return {path.name for path in folder.iterdir()} - {LEDGER, LOCK}


def save_all(
    checkpoints: Checkpoints,
    losses: list[float],
    start: int = 0,
    best: bool = True,
    what: str = "a file",
) -> list[Path | None]:
    lowest = math.inf
    paths = []
    for epoch, loss in enumerate(losses, start):
        is_best = best and loss < lowest
        lowest = min(loss, lowest) if loss == loss else lowest
        paths.append(
            checkpoints.save(
                WRITERS[what](epoch), epoch=epoch, metrics={"loss": loss}, best=is_best
            )
        )
    return paths


def check_whole(folder: Path, bests: set[int]) -> None:
    """The ledger is readable, what it lists is whole, and its best is one of these."""
    entries = read_ledger(folder)
    for entry in entries:
        path = checkpoint_path(folder, entry)
        if path is not None:
            assert text_of(path) == content(entry.epoch)
    assert [entry.epoch for entry in entries if entry.best][-1] in bests


def begun(folder: Path, what: str = "a file") -> Checkpoints:
    checkpoints = Checkpoints(folder, "{epoch}.txt", keep_last=1)
    save_all(checkpoints, [3.0, 2.0, 4.0], what=what)
    return checkpoints


def next_save(checkpoints: Checkpoints, what: str = "a file") -> Path | None:
    return checkpoints.save(WRITERS[what](3), epoch=3, metrics={"loss": 1.0}, best=True)
