"""The ledger of a folder: which epochs are saved, in which files, with which metrics and state.

    {"format": "earlystop.Checkpoints", "version": 3, "unwanted": ["0001.ckpt"], "replaced": [
    {"epoch": 1, "file": "0001.ckpt", "best": true, "metrics": {"loss": 0.7}, "state": null}
    ], "checkpoints": [
    {"epoch": 2, "file": "0002.ckpt", "best": true, "metrics": {"loss": 0.5}, "state": null}
    ]}

An entry is of a check. If the epoch or the step of the check was given, the entry begins with the
number of the check: {"check": 2, "epoch": 0.5, "step": 1500, "file": ...}; either may be null.

"unwanted" are files that are no longer listed and may not be deleted yet. Files that a ledger
names may be deleted, so a name that leads out of the folder is refused.

"replaced" are the entries of the previous ledger that this one no longer lists. If the newest file
was lost in a power loss, before its save was complete, they are listed again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from .._files.paths import expanded
from ..engine.decision import Place
from ..engine.saved_positions import position_from_json
from ..engine.saved_state import SavedFormat
from ..errors import CheckpointError, RuleError, StateError, shortened
from ..language.state import decode_state, number_from_json, number_to_json
from .names import LEDGER, checked_name, temporary_name
from .saved_json import LARGEST, read_json_file

__all__ = ["Checkpoint", "Ledger", "checkpoint_path", "read_ledger"]


_FORMAT = SavedFormat(
    "earlystop.Checkpoints",
    3,
    "a ledger of `Checkpoints`",
    migrations={1: lambda body: {**body, "replaced": []}, 2: lambda body: body},
)
_ENTRY = ("epoch", "file", "best", "metrics", "state")
_TOLD = ("check", "step")  # further entries, of a check whose epoch or step was given


class Checkpoint(NamedTuple):
    """The entry of one check in the ledger.

    epoch: the epoch of the check, as in `Decision`; if it was not given, the check's number.
    file: the name of its file in the folder; None if only the state was saved.
    best: whether it was the best when it was saved.
    metrics: the metrics of the check.
    state: what the run needs to resume from here, as plain JSON data.
    place: where the check stands, if its epoch or step was given.
    """

    epoch: float
    file: str | None
    best: bool
    metrics: dict[str, float]
    state: Any = None
    place: Place | None = None

    @property
    def check(self) -> int:
        """The number of the check, from 0."""
        return int(self.epoch) if self.place is None else self.place.check

    @property
    def step(self) -> float | None:
        """The step of the check; None if it was not given."""
        return None if self.place is None else self.place.step

    @property
    def where(self) -> str:
        """Where the check stands, in words."""
        return str(self.place or Place(self.check))


class Ledger(NamedTuple):
    """The contents of a ledger.

    entries: in the order of their checks.
    unwanted: files that are no longer listed, and perhaps still there.
    replaced: entries of the previous ledger that are no longer listed.
    """

    entries: tuple[Checkpoint, ...] = ()
    unwanted: tuple[str, ...] = ()
    replaced: tuple[Checkpoint, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """The ledger in a folder; an empty one if the folder has none.

        Raises StateError for a ledger that is damaged or of a newer version, CheckpointError for
            one that cannot be read.
        """
        path = folder / LEDGER
        where = f"the ledger {str(path)!r}"
        try:
            data = read_json_file(path, where)
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        body = _FORMAT.unwrap(data, where)
        listed, unwanted, replaced = (
            _list_of(body, name, where) for name in ("checkpoints", "unwanted", "replaced")
        )
        return cls(
            _read_entries(listed, f"{where}: entry"),
            tuple(
                _read_file_name(file, f"{where}: unwanted file {number}")
                for number, file in enumerate(unwanted)
            ),
            _read_entries(replaced, f"{where}: replaced entry"),
        )

    def to_bytes(self) -> bytes:
        """The content of the file. Raises CheckpointError if it is larger than `read` takes."""
        head = json.dumps(_FORMAT.wrap({"unwanted": self.unwanted}))[:-1]
        replaced, listed = _lines(self.replaced), _lines(self.entries)
        data = f'{head}, "replaced": [{replaced}], "checkpoints": [{listed}]}}\n'.encode()
        if len(data) > LARGEST:
            raise CheckpointError(
                f"the ledger would have {len(data):,} bytes, and at most {LARGEST:,} are read: "
                "keep fewer checkpoints, or pass smaller states to `Checkpoints.save`"
            )
        return data

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

        If the newest is lost, its save was not complete: the entries that it replaced are listed
        again.
        """
        entries = tuple(filter(is_there, self.entries))
        newest = self.entries[-1] if self.entries else None
        if newest is not None and newest not in entries:
            back = (e for e in self.replaced if e.check < newest.check and is_there(e))
            entries = tuple(sorted((*entries, *back), key=lambda entry: entry.check))
        return Ledger(entries, tuple(f for f in self.unwanted if not _has_file(entries, f)))

    def lists(self, file: str) -> bool:
        """Whether an entry has this file."""
        return _has_file(self.entries, file)


def read_ledger(folder: str | os.PathLike[str]) -> tuple[Checkpoint, ...]:
    """The checkpoints listed in a folder's ledger, in their order; the folder may be in use.

    `checkpoint_path(folder, entry)` is where the file of an entry is.

    Raises StateError for a ledger that is damaged or of a newer version, CheckpointError for one
        that cannot be read.

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
    """Entries as JSON, one per line: with an indent, Python writes JSON ten times slower."""
    lines = (json.dumps(_entry_data(entry), allow_nan=False) for entry in entries)
    return "\n" + ",\n".join(lines) + "\n" if entries else ""


def _entry_data(entry: Checkpoint) -> dict[str, Any]:
    place = {"epoch": entry.check} if entry.place is None else entry.place._asdict()
    return {
        **place,
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
    files: dict[str, int] = {}
    for number, (earlier, entry) in enumerate(zip((None, *entries), entries, strict=False)):
        if earlier is not None and entry.check <= earlier.check:
            what = "epoch" if entry.place is None else "check"
            raise StateError(
                f"{where} {number}.{what}: the {what}s are not in order: {entry.check} follows "
                f"{earlier.check}"
            )
        if entry.file is not None and files.setdefault(entry.file, number) != number:
            raise StateError(
                f"{where} {number}.file: {shortened(entry.file)} is the file of entry "
                f"{files[entry.file]}, too"
            )
    return entries


def _read_entry(data: Any, where: str) -> Checkpoint:
    if not isinstance(data, dict) or set(data) not in (set(_ENTRY), {*_ENTRY, *_TOLD}):
        raise StateError(
            f"{where} is damaged: it should be an object of {', '.join(_ENTRY)}, got "
            f"{shortened(data)}"
        )
    metrics = data["metrics"]
    if not isinstance(metrics, dict):
        raise StateError(f"{where}.metrics should be an object, got {shortened(metrics)}")
    place = _read_place(data, where)
    file = data["file"]
    return Checkpoint(
        epoch=place.check if place.epoch is None else place.epoch,
        file=None if file is None else _read_file_name(file, f"{where}.file"),
        best=decode_state(data["best"], False, f"{where}.best"),
        metrics={
            name: number_from_json(value, f"{where}.metrics[{shortened(name)}]")
            for name, value in metrics.items()
        },
        state=data["state"],
        place=None if place == Place(place.check) else place,
    )


def _read_place(data: dict[str, Any], where: str) -> Place:
    number = "check" if "check" in data else "epoch"
    check: int = decode_state(data[number], 0, f"{where}.{number}")
    if check < 0:
        raise StateError(f"{where}.{number} should be at least 0, got {check}")
    if number == "epoch":
        return Place(check)
    told = (position_from_json(data[name], f"{where}.{name}") for name in ("epoch", "step"))
    return Place(check, *told)


def _read_file_name(name: Any, where: str) -> str:
    if not isinstance(name, str):
        raise StateError(f"{where} should be the name of a file, got {shortened(name)}")
    try:
        return checked_name(name, name)
    except RuleError:
        raise StateError(
            f"{where}: {shortened(name)} is not the name of a file in the folder of the ledger"
        ) from None
