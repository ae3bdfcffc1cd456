"""The ledger of a folder: which epochs are saved, in which files, with which metrics and state.

    {"format": "earlystop.Checkpoints", "version": 2, "unwanted": ["0001.ckpt"], "replaced": [
    {"epoch": 1, "file": "0001.ckpt", "best": true, "metrics": {"loss": 0.7}, "state": null}
    ], "checkpoints": [
    {"epoch": 2, "file": "0002.ckpt", "best": true, "metrics": {"loss": 0.5}, "state": null}
    ]}

"unwanted" are files that are no longer listed and may not be deleted yet. Files that a ledger
names may be deleted, so a name that leads out of the folder is refused.

"replaced" are the entries of the ledger before that this one no longer lists. If the newest file
was lost with the power, before its save was complete, they are listed again.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from .._files.paths import expanded
from ..engine.saved_state import SavedFormat
from ..errors import RuleError, StateError
from ..language.settings import validated
from ..language.state import decode_state, number_from_json, number_to_json
from .names import LEDGER, checked_name, temporary_name

__all__ = ["Checkpoint", "Ledger", "checkpoint_path", "read_ledger"]

_FORMAT = SavedFormat(
    "earlystop.Checkpoints",
    2,
    "a ledger of `Checkpoints`",
    migrations={1: lambda body: {**body, "replaced": []}},
)


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

    entries: in the order of their epochs.
    unwanted: files that are no longer listed, and perhaps still there.
    replaced: entries of the ledger before that are no longer listed.
    """

    entries: tuple[Checkpoint, ...] = ()
    unwanted: tuple[str, ...] = ()
    replaced: tuple[Checkpoint, ...] = ()

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
        listed, unwanted, replaced = (
            _list_of(body, name, where) for name in ("checkpoints", "unwanted", "replaced")
        )
        return cls(
            _read_entries(listed, f"{where}: entry"),
            tuple(_read_file_name(file, where) for file in unwanted),
            _read_entries(replaced, f"{where}: replaced entry"),
        )

    def to_bytes(self) -> bytes:
        """The content of the file. Raises StateError for a state that is not plain JSON data."""
        head = json.dumps(_FORMAT.wrap({"unwanted": self.unwanted}))[:-1]
        try:
            replaced, listed = _lines(self.replaced), _lines(self.entries)
            return f'{head}, "replaced": [{replaced}], "checkpoints": [{listed}]}}\n'.encode()
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
        unwanted = tuple(file for file in files if file is not None and file not in listed)
        return Ledger(entries, unwanted, tuple(e for e in self.entries if e not in entries))

    def without_unwanted(self, deleted: tuple[str, ...]) -> Ledger:
        """The ledger without unwanted files that are known to be deleted."""
        return self._replace(unwanted=tuple(f for f in self.unwanted if f not in deleted))

    def without_lost(self, is_there: Callable[[Checkpoint], bool]) -> Ledger:
        """The ledger without entries whose files are lost.

        If the newest is lost, a save was not complete: the entries that it replaced are back.
        """
        entries = tuple(filter(is_there, self.entries))
        newest = self.entries[-1] if self.entries else None
        if newest is not None and newest not in entries:
            back = (e for e in self.replaced if e.epoch < newest.epoch and is_there(e))
            entries = tuple(sorted((*entries, *back), key=lambda entry: entry.epoch))
        return Ledger(entries, tuple(f for f in self.unwanted if not _has_file(entries, f)))

    def lists(self, file: str) -> bool:
        """Whether an entry has this file."""
        return _has_file(self.entries, file)


def read_ledger(folder: str | os.PathLike[str]) -> tuple[Checkpoint, ...]:
    """The checkpoints listed in a folder's ledger, in epoch order; the folder may be in use.

    `checkpoint_path(folder, entry)` is where the file of an entry is.

    Raises StateError for a ledger that is damaged or of a newer version.

    >>> read_ledger("there/is/no/such/folder")
    ()
    """
    return Ledger.read(Path(expanded(folder, "`read_ledger(folder)`"))).entries


def checkpoint_path(folder: str | os.PathLike[str], entry: Checkpoint) -> Path | None:
    """The path of an entry's file in a folder that is not open; None if it has no file.

    A process that was killed while it saved may have left the newest file under its temporary name;
    opening the folder with `Checkpoints(folder, resume=True)` gives it its name.

    >>> checkpoint_path("runs/1", Checkpoint(2, "0002.ckpt", True, {})).name
    '0002.ckpt'
    """
    if entry.file is None:
        return None
    here = Path(expanded(folder, "`checkpoint_path(folder)`"))
    path, temporary = here / entry.file, here / temporary_name(entry.file)
    return temporary if temporary.exists() and not path.exists() else path


def _has_file(entries: tuple[Checkpoint, ...], file: str) -> bool:
    return any(entry.file == file for entry in entries)


def _lines(entries: tuple[Checkpoint, ...]) -> str:
    """Entries as JSON, one a line: with an indent, Python writes JSON ten times slower."""
    lines = (json.dumps(_entry_data(entry), allow_nan=False) for entry in entries)
    return "\n" + ",\n".join(lines) + "\n" if entries else ""


def _entry_data(entry: Checkpoint) -> dict[str, Any]:
    return {
        "epoch": entry.epoch,
        "file": entry.file,
        "best": entry.best,
        "metrics": {name: number_to_json(value) for name, value in entry.metrics.items()},
        "state": entry.state,
    }


def _list_of(body: dict[str, Any], name: str, where: str) -> list[Any]:
    found = body.get(name)
    if not isinstance(found, list):
        raise StateError(f'{where} is damaged: it lacks its list "{name}"')
    return found


def _read_entries(data: list[Any], where: str) -> tuple[Checkpoint, ...]:
    entries = tuple(_read_entry(item, f"{where} {number}") for number, item in enumerate(data))
    if any(later.epoch <= earlier.epoch for earlier, later in itertools.pairwise(entries)):
        raise StateError(f"{where}: the ledger is damaged: its epochs are not in order")
    return entries


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
