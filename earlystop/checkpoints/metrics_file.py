"""The metrics of a run beside its checkpoints: `metrics.jsonl`, a line for each check.

    {"epoch": 0, "loss": 0.9, "val_loss": 0.8, "elapsed_seconds": 12.5}
    {"epoch": 1, "loss": 0.5, "val_loss": "nan", "elapsed_seconds": 25.0}

The number of a check is its epoch, unless its epoch or step was given:

    {"check": 2, "epoch": 1.5, "step": 600, "loss": 0.4, "elapsed_seconds": 31.0}

NaN and the infinities are texts, because JSON has neither. A line is written before the checkpoint
of its check is saved: a process that is killed between the two leaves a line too many, which a
resumed run cuts off, and never one too few. Lines are synced to the disk every few seconds, not
each at once; those that a power loss takes are written again from the ledger, as far as it has
them.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from .._files.atomic import sync_file
from .._files.names import METRICS
from ..engine.reported import Check, from_record, to_record
from ..errors import CheckpointError, StateError
from ..language.positions import CHECK, EPOCH, STEP, place_text
from ..logs.json_text import parsed
from .write import explain_refusal

__all__ = ["MetricsFile"]

_BEGINNINGS = [f'{{"{name}": '.encode() for name in (EPOCH, CHECK)]  # of lines
_SYNC_AFTER = 5.0  # seconds


class MetricsFile:
    """The file of a run's metrics. Only the process that holds the lock on the folder changes it.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = MetricsFile(folder.name)
    >>> file.append(0, {"loss": 0.9})
    >>> file.append(1, {"loss": 0.5})
    >>> file.go_on_after(0)
    [(0, {'loss': 0.9})]
    >>> folder.cleanup()
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder) / METRICS
        self._synced_at = time.monotonic()

    def refuse_earlier_run(self) -> None:
        """Raise CheckpointError if an earlier run, or something else, has written the file."""
        try:
            checks = self._read()[0]
        except StateError as error:
            raise CheckpointError(str(error)) from None
        if checks:
            raise CheckpointError(
                f"the file {str(self.path)!r} holds the metrics of an earlier run, up to "
                f"{_where(checks[-1])}: pass resume=True to continue it, or choose another folder"
            )

    def go_on_after(self, check: int, listed: Iterable[Check] = ()) -> list[Check]:
        """The checks up to the one after which a run resumes; what follows in the file is cut off.

        check: the number of the last check that was saved; -1 if none was.
        listed: checks from the ledger, in order, to write what the file lost.

        Raises StateError for a file that is damaged or of another kind, and leaves it as it is.
        """
        checks = self._cut_after(check)
        for number, metrics in listed:
            if number <= check and (not checks or number > checks[-1][0]):
                self.append(number, metrics)
                checks.append((number, dict(metrics)))
        return checks

    def cut_after(self, check: int) -> None:
        """Delete the lines after a check, when the check that wrote them was undone."""
        self._cut_after(check)

    def append(self, check: int, metrics: Mapping[str, float]) -> None:
        """Add a line. Raises CheckpointError if the disk refuses; the file is then as it was.

        metrics: of the check, with its epoch and its step, if they were given.
        """
        line = (json.dumps(to_record(check, metrics), allow_nan=False) + "\n").encode()
        with self._explained(), open(self.path, "ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                while line:
                    line = line[file.write(line) :]
                now = time.monotonic()
                if now - self._synced_at >= _SYNC_AFTER:
                    os.fsync(file.fileno())
                    self._synced_at = now
            except BaseException:
                with contextlib.suppress(OSError):  # else a resumed run repairs the line
                    file.truncate(size)
                raise

    def sync(self) -> None:
        """Sync the lines to the disk, at the end of the run."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            sync_file(self.path)

    def _cut_after(self, last: int) -> list[Check]:
        checks, ends, size = self._read()
        kept = [check for check in checks if check[0] <= last]
        end = ends[len(kept) - 1] if kept else 0
        if end < size:
            with self._explained():
                os.truncate(self.path, end)
                sync_file(self.path)
        return kept

    def _read(self) -> tuple[list[Check], list[int], int]:
        """The checks, where the line of each ends, and the size of the file."""
        data = self._bytes()
        checks: list[Check] = []
        ends: list[int] = []
        start = 0
        while (end := data.find(b"\n", start) + 1) > 0:
            where = f"line {len(checks) + 1} of the file {str(self.path)!r}"
            check = _check(data[start:end], where)
            if checks and check[0] <= checks[-1][0]:
                raise StateError(_damaged(where, "its number is not after the one before"))
            checks.append(check)
            ends.append(end)
            start = end
        torn = data[start:].rstrip(b"\0")  # some file systems leave zeros after a power loss
        if not any(torn[: len(start)] == start[: len(torn)] for start in _BEGINNINGS):
            where = f"line {len(checks) + 1} of the file {str(self.path)!r}"
            raise StateError(_damaged(where, f"it begins with {torn[:40]!r}"))
        return checks, ends, len(data)

    def _bytes(self) -> bytes:
        with self._explained():
            try:
                if not stat.S_ISREG(os.stat(self.path).st_mode):
                    raise CheckpointError(
                        f"{str(self.path)!r} should be a file of metrics: it is none, so move it "
                        "away, or choose another folder"
                    )
                return self.path.read_bytes()
            except FileNotFoundError:
                return b""

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explain_refusal(f"the metrics {str(self.path)!r} cannot be written or read")


def _check(line: bytes, where: str) -> Check:
    try:
        return from_record(parsed(line.decode()), where)
    except ValueError as error:  # a StateError, too
        raise StateError(_damaged(where, str(error))) from None


def _where(check: Check) -> str:
    number, metrics = check
    return place_text(number, metrics.get(EPOCH), metrics.get(STEP))


def _damaged(where: str, what: str) -> str:
    return (
        f"{where} is damaged, or was not written by this library: {what}. Repair the line, or "
        "move the file away: the run goes on without it"
    )
