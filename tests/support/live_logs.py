"""Runs that write their logs live, in several formats, as tools and accidents do.

    python -m tests.support.live_logs FORMAT FOLDER SEED

Lines and records come in halves; some runs are begun anew in the same file (truncated, or another
file in its place), some are resumed from an earlier epoch. A seed always writes the same.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tests.support.event_files import event, record

__all__ = ["FORMATS", "PATTERN", "Accident", "accident_of", "write_live"]

PATTERN = r"Epoch (?P<epoch>\d+): loss=(?P<loss>\S+), val_loss=(?P<val_loss>\S+)"
EARLY = 2  # accidents happen before a patience of 3 can end
EPOCHS = 60

Accident = str | None  # "truncated", "rotated", "resumed"


def accident_of(format: str, seed: int) -> Accident:
    """What happens to the log of a run."""
    happens: list[Accident] = [None, "truncated", "rotated"]
    if format in ("csv", "json_lines"):
        happens.append("resumed")
    if format in ("trainer_state", "tensorboard"):  # which write other files instead
        happens = [None]
    return happens[seed % len(happens)]


def curve(rng: random.Random) -> list[float]:
    """Losses that fall, more and more slowly, with noise."""
    pace, noise = rng.uniform(0.05, 0.5), rng.uniform(0.0, 0.3)
    return [1 / (1 + pace * e) + noise * rng.random() for e in range(EPOCHS)]


class Writer:
    """Writes to a file in halves, with pauses."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self.path, self._rng = path, rng
        self._file: BinaryIO = path.open("wb")

    def write(self, data: bytes) -> None:
        cut = self._rng.randrange(len(data) + 1) if self._rng.random() < 0.5 else len(data)
        for part in (data[:cut], data[cut:]):
            self._file.write(part)
            self._file.flush()
            time.sleep(self._rng.uniform(0.0, 0.006))

    def begin_anew(self, accident: Accident) -> None:
        """Go on in the emptied file, or in a new one of the same name."""
        if accident == "truncated":
            self._file.truncate(0)
            self._file.seek(0)
        else:
            os.replace(self.path, self.path.with_name("old"))
            self._file.close()
            self._file = self.path.open("wb")


def csv(epoch: int, loss: float, val_loss: float) -> list[bytes]:
    return [f"{epoch},{loss!r},{val_loss!r}\n".encode()]


def json_lines(epoch: int, loss: float, val_loss: float) -> list[bytes]:
    rows: list[dict[str, Any]] = [{"epoch": epoch, "loss": loss}]
    rows.append({"epoch": epoch, "val_loss": val_loss})
    return [json.dumps(row).encode() + b"\n" for row in rows]


def text(epoch: int, loss: float, val_loss: float) -> list[bytes]:
    return [
        b"INFO a new epoch\n",
        f"INFO Epoch {epoch}: loss={loss:.5f}, val_loss={val_loss:.5f}\n".encode(),
    ]


def tensorboard(epoch: int, loss: float, val_loss: float) -> list[bytes]:
    values = (("loss", loss), ("val_loss", val_loss))
    return [record(event(1e9 + epoch, epoch + 1, name, value)) for name, value in values]


LINES: dict[str, Callable[[int, float, float], list[bytes]]] = {
    "csv": csv,
    "json_lines": json_lines,
    "text": text,
    "tensorboard": tensorboard,
}
NAMES = {"csv": "log.csv", "json_lines": "log.jsonl", "text": "train.log"}
NAMES["tensorboard"] = "events.out.tfevents.1.host"
FORMATS = (*LINES, "trainer_state")


def write_live(format: str, folder: Path, seed: int) -> None:
    """Write the log of a run until it is over, or the process is ended."""
    rng = random.Random(seed)
    values = curve(rng)
    if format == "trainer_state":
        write_checkpoints(folder, values, rng)
        return
    accident = accident_of(format, seed)
    writer = Writer(folder / NAMES[format], rng)
    begin(writer, format)
    for epoch in range(EARLY if accident else 0):
        step(writer, format, epoch, values[epoch] + 1)
    if accident in ("truncated", "rotated"):
        writer.begin_anew(accident)
        begin(writer, format)
    first = 1 if accident == "resumed" else 0
    for epoch in range(first, EPOCHS):
        step(writer, format, epoch, values[epoch])


def begin(writer: Writer, format: str) -> None:
    if format == "csv":
        writer.write(b"epoch,loss,val_loss\n")


def step(writer: Writer, format: str, epoch: int, value: float) -> None:
    for part in LINES[format](epoch, value / 2, value):
        writer.write(part)
    time.sleep(0.01)


def write_checkpoints(folder: Path, values: list[float], rng: random.Random) -> None:
    """As the Hugging Face Trainer: a folder for each checkpoint, of which two are kept."""
    rows: list[dict[str, Any]] = []
    kept: list[Path] = []
    for epoch, value in enumerate(values):
        at = {"epoch": float(epoch + 1), "step": 10 * (epoch + 1)}
        rows += [{**at, "loss": value / 2}, {**at, "eval_loss": value}]
        checkpoint = folder / f"checkpoint-{10 * (epoch + 1)}"
        checkpoint.mkdir()
        document = json.dumps({"log_history": rows, "global_step": at["step"]}, indent=2)
        Writer(checkpoint / "trainer_state.json", rng).write(document.encode())
        kept.append(checkpoint)
        for old in kept[:-2]:
            (old / "trainer_state.json").unlink()
            old.rmdir()
        del kept[:-2]
        time.sleep(0.01)


if __name__ == "__main__":
    write_live(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
