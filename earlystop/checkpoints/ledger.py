"""The ledger of a folder: which epochs are saved, in which files, with which metrics and state.

    {"format": "earlystop.Checkpoints", "version": 1, "unwanted": ["0001.ckpt"], "checkpoints": [
    {"epoch": 2, "file": "0002.ckpt", "best": true, "metrics": {"loss": 0.5}, "state": null}
    ]}

"unwanted" are files that are no longer listed but may not have been deleted yet. Files named in a
ledger may be deleted, so a name that points outside the folder is refused.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..engine.saved_state import SavedFormat
from ..errors import RuleError, StateError
from ..language.settings import validated
from ..language.state import decode_state, number_from_json, number_to_json
from .names import LEDGER, checked_name

__all__ = ["Checkpoint", "Ledger", "read_ledger"]

_FORMAT = SavedFormat("earlystop.Checkpoints", 1, "a ledger of `Checkpoints`")


class Checkpoint(NamedTuple):
    """The entry of one epoch in the ledger.

    epoch: the number of the epoch, counted from 0.
    file: the name of its file in the folder; None if only the state was saved.
    best: whether it was the best when it was saved.
    metrics: the metrics of the epoch.
    state: what the run needs to resume from here, as plain JSON data.
    """

    epoch: int
    file: str | None
    best: bool
    metrics: dict[str, float]
    state: Any = None


class Ledger(NamedTuple):
    """The contents of a ledger.

    entries: the checkpoints, in epoch order.
    unwanted: files that are no longer listed, and may still exist.
    """

    entries: tuple[Checkpoint, ...] = ()
    unwanted: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """The ledger in a folder; an empty one if the folder has none.

        Raises StateError for a ledger that is damaged or of a newer version.
        """
        path = folder / LEDGER
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        where = f"the ledger {str(path)!r}"
        try:
            data = json.loads(text)
        except ValueError as error:
            raise StateError(f"{where} is damaged: {error}") from None
        body = _FORMAT.unwrap(data, where)
        listed, unwanted = body.get("checkpoints"), body.get("unwanted")
        if not isinstance(listed, list) or not isinstance(unwanted, list):
            raise StateError(f"{where} is damaged: it lacks its checkpoints or what is unwanted")
        entries = tuple(_read_entry(item, f"{where}: entry {n}") for n, item in enumerate(listed))
        if any(b.epoch <= a.epoch for a, b in itertools.pairwise(entries)):
            raise StateError(f"{where} is damaged: its epochs are not in order")
        return cls(entries, tuple(_read_file_name(file, where) for file in unwanted))

    def to_bytes(self) -> bytes:
        """The content of the file. Raises StateError for a state that is not plain JSON data."""
        head = _FORMAT.wrap({"unwanted": self.unwanted})
        listed = (_entry_data(entry) for entry in self.entries)
        try:  # one entry per line: with an indent, Python writes JSON ten times slower
            lines = ",\n".join(json.dumps(entry, allow_nan=False) for entry in listed)
            return f'{json.dumps(head)[:-1]}, "checkpoints": [\n{lines}\n]}}\n'.encode()
        except (TypeError, ValueError) as error:
            raise StateError(
                "`Checkpoints.save(state=...)` must be plain JSON data, such as a `state_dict()` "
                f"of a Stopper: {error}"
            ) from None

    def followed_by(self, entries: Iterable[Checkpoint]) -> Ledger:
        """The ledger that lists these entries instead; all other files become unwanted."""
        entries = tuple(entries)
        listed = {entry.file for entry in entries}
        files = [*self.unwanted, *(entry.file for entry in self.entries)]
        return Ledger(entries, tuple(f for f in files if f is not None and f not in listed))

    def lists(self, file: str) -> bool:
        """Whether an entry has this file."""
        return any(entry.file == file for entry in self.entries)


def read_ledger(folder: str | os.PathLike[str]) -> tuple[Checkpoint, ...]:
    """The checkpoints listed in a folder's ledger, in epoch order; the folder may be in use.

    Raises StateError for a ledger that is damaged or of a newer version.

    >>> read_ledger("there/is/no/such/folder")
    ()
    """
    return Ledger.read(Path(folder)).entries


def _entry_data(entry: Checkpoint) -> dict[str, Any]:
    return {
        "epoch": entry.epoch,
        "file": entry.file,
        "best": entry.best,
        "metrics": {name: number_to_json(value) for name, value in entry.metrics.items()},
        "state": entry.state,
    }


def _read_entry(data: Any, where: str) -> Checkpoint:
    if not isinstance(data, dict) or not {"epoch", "file", "best", "metrics", "state"} <= set(data):
        raise StateError(f"{where} is damaged, got {data!r:.100}")
    metrics = data["metrics"]
    if not isinstance(metrics, dict):
        raise StateError(f"{where}.metrics should be an object, got {metrics!r:.100}")
    return Checkpoint(
        epoch=decode_state(data["epoch"], 0, f"{where}.epoch"),
        file=None if data["file"] is None else _read_file_name(data["file"], where),
        best=decode_state(data["best"], False, f"{where}.best"),
        metrics={name: number_from_json(x, f"{where}.{name}") for name, x in metrics.items()},
        state=data["state"],
    )


def _read_file_name(name: Any, where: str) -> str:
    try:
        return checked_name(validated(str, name, "file"), "")
    except RuleError as error:
        raise StateError(f"{where} names a file that is not in its folder: {error}") from None
