"""Checkpoints of a run: files in one folder, and a ledger that says what they are.

A save goes through these steps, in this order:

    1  the caller's function writes the file under a temporary name (".new-NAME"); to the disk
    2  the file is given its name
    3  the ledger (checkpoints.json) is replaced by one that lists the file; to the disk
    4  files that are to be kept no longer are deleted (a save does not wait for their room:
       see files.py)

Whatever ends the process in between, the ledger lists files that are there, whole. What it does
not list (a temporary file, a file that was named but not listed, one that was not yet deleted) is
removed when the folder is opened again. An error takes the same way: what the ledger says, is.

A machine that loses power may forget step 2 and remember step 3: opening the folder makes good for
that. (To wait for the disk between the two would cost every save for it.)

One process at a time: a lock in the folder ends with the process that holds it.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import re
import socket
import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsFloat

from .._files.atomic import (
    remove,
    replace,
    sync_file,
    sync_folder,
    wait_for_room,
    write_whole,
)
from .._files.lock import HeldError, Lock
from ..engine.metrics import as_floats
from ..errors import (
    CheckpointError,
    MissingMetricError,
    RuleError,
    StateError,
    name_advice,
)
from ..language.direction import Mode, direction
from ..language.ops import better, worst
from ..language.settings import Count, Positive, validated
from ..language.state import decode_state, number_from_json, number_to_json

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["Checkpoint", "Checkpoints", "filled", "place", "read_ledger"]

LEDGER = "checkpoints.json"
_LOCK = ".checkpoints.lock"
_NEW = ".new-"  # begins the name of a file that is being written
_HOST = re.sub(r"[^\w.-]", "_", socket.gethostname())[:64]
_PLACING = f".placing-{_HOST}-"  # the same, of a file that is in no ledger; then the process
_swept: set[Path] = set()  # the folders in which this process has looked for what others left
_FORMAT, _VERSION = "earlystop.Checkpoints", 1


class Checkpoint(NamedTuple):
    """What the ledger says of one epoch.

    epoch: counted from 0.
    file: the name of its file in the folder; None for an epoch of which only the state is kept.
    best: was it the best when it was saved?
    metrics: those of the epoch.
    state: what the run needs to go on from here, as plain JSON data.
    """

    epoch: int
    file: str | None
    best: bool
    metrics: dict[str, float]
    state: Any = None


class Checkpoints:
    """The checkpoints of one run: the best, the last and more, never less than the ledger says.

    folder: where they are; made if it is not there.
    name: the names of the files, a template of the epoch and the metrics.
    monitor: the metric that ranks them, for `keep_best` above 1; an epoch that lacks it, or has a
        NaN there, is not among the best.
    mode: which of its values are better: "min", "max", or "auto": by its name.
    keep_best: how many of the best are kept. The newest that was saved as the best always is.
    keep_last: how many of the last are kept, and for each of them the best of its time: a run
        that goes on from any of them finds the best it knew.
    keep_every: n: every n-th epoch is kept for good; None: none is.
    count_from: what names call the first epoch: 0, or 1 where a framework counts so.
    resume: go on with what an earlier run left in the folder. Without it, a folder that holds
        checkpoints is refused; with it, an empty one is fine, too.

    Raises CheckpointError (an OSError, too) where the folder is in use, holds another run, or
    cannot be written; RuleError for settings that make no sense.

    >>> import tempfile
    >>> from earlystop import Checkpoints
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Checkpoints(folder.name, "{epoch:03d}-{loss:.2f}.txt") as checkpoints:
    ...     for epoch, loss in enumerate([0.9, 0.5, 0.7]):
    ...         path = checkpoints.save(
    ...             lambda path: path.write_text("the weights"),
    ...             epoch=epoch, metrics={"loss": loss}, best=loss < 0.6,
    ...         )
    ...     checkpoints.best_path.name, checkpoints.last_path.name
    ('001-0.50.txt', '002-0.70.txt')
    >>> sorted(path.name for path in checkpoints.folder.glob("*.txt"))
    ['001-0.50.txt', '002-0.70.txt']
    >>> Checkpoints(folder.name, "{epoch:03d}.txt", resume=True).best.metrics
    {'loss': 0.5}
    >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        name: str = "{epoch:04d}.ckpt",
        *,
        monitor: str | None = None,
        mode: Mode = "auto",
        keep_best: int = 1,
        keep_last: int = 1,
        keep_every: int | None = None,
        count_from: int = 0,
        resume: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.name = _checked_template(name)
        self.keep_best = validated(Positive, keep_best, "Checkpoints(keep_best=...)")
        self.keep_last = validated(Count, keep_last, "Checkpoints(keep_last=...)")
        self.keep_every = validated(Positive | None, keep_every, "Checkpoints(keep_every=...)")
        self.count_from = validated(Count, count_from, "Checkpoints(count_from=...)")
        self.monitor = validated(str | None, monitor, "Checkpoints(monitor=...)")
        if monitor is None and self.keep_best > 1:
            raise RuleError(
                f"`Checkpoints(keep_best={keep_best})` needs a metric that tells which are the "
                "best: pass monitor='val_loss', or whichever it is"
            )
        self.mode = None if monitor is None else direction(monitor, mode, "Checkpoints")
        self._entries: tuple[Checkpoint, ...] = ()
        self._unwanted: list[str] = []  # no longer listed, and perhaps still there
        self._writing: str | None = None  # what was written last, listed or not
        with _explained(f"the folder {str(self.folder)!r} cannot be used for checkpoints"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
        try:
            self._open(resume)
        except BaseException:
            self.close()
            raise

    def _locked(self) -> Lock:
        try:
            return Lock(self.folder / _LOCK)
        except HeldError as holder:
            raise CheckpointError(
                f"the folder {str(self.folder)!r} is in use by {holder}: two runs in one folder "
                "would delete each other's checkpoints, so choose another, or end that run (in "
                "one process: `close()` it)"
            ) from None

    def _open(self, resume: bool) -> None:
        entries, unwanted = _read(self.folder)
        if entries and not resume:
            best = _newest_best(entries)
            raise CheckpointError(
                f"the folder {str(self.folder)!r} holds the checkpoints of an earlier run (last "
                f"epoch {entries[-1].epoch}, best epoch {best.epoch if best else None}): pass "
                "resume=True to go on with it, or choose another folder"
            )
        with _explained(f"the folder {str(self.folder)!r} cannot be used for checkpoints"):
            for entry in entries:  # named, but forgotten by a machine that lost power
                if entry.file is not None and not self._is_there(entry):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(self.folder / (_NEW + entry.file), self.folder / entry.file)
            sync_folder(self.folder)  # what was read is what will be read: now strays may go
            self._entries, self._unwanted = entries, unwanted
            self._remove_strays(self._lock.found.get("writing"))
            self._remove_unwanted()
        # Somebody may have deleted some to make room; nothing can be said of them any more.
        self._entries = tuple(entry for entry in entries if self._is_there(entry))

    def _is_there(self, entry: Checkpoint) -> bool:
        return entry.file is None or (self.folder / entry.file).is_file()

    # What there is ---------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Checkpoint, ...]:
        """What the ledger lists, in the order of the epochs."""
        return self._entries

    @property
    def best(self) -> Checkpoint | None:
        """The newest that was saved as the best; None before the first."""
        return _newest_best(self._entries)

    @property
    def last(self) -> Checkpoint | None:
        """The newest of all; None before the first."""
        return self._entries[-1] if self._entries else None

    @property
    def best_path(self) -> Path | None:
        """Where the best is; None before the first."""
        return self.path(self.best)

    @property
    def last_path(self) -> Path | None:
        """Where the newest that has a file is; None before the first."""
        with_file = [entry for entry in self._entries if entry.file is not None]
        return self.path(with_file[-1]) if with_file else None

    def path(self, entry: Checkpoint | None) -> Path | None:
        """Where the file of an entry is; None where it has none."""
        return None if entry is None or entry.file is None else self.folder / entry.file

    # One more --------------------------------------------------------------------------------

    def wants(
        self, *, epoch: int, metrics: Mapping[str, SupportsFloat] | None = None, best: bool = False
    ) -> bool:
        """Would this epoch be kept? `save` does nothing for one that would not."""
        entry = Checkpoint(epoch, "", best, as_floats(metrics or {}))
        return entry in self._kept((*self._entries, entry))

    def save(
        self,
        write: Callable[[Path], object] | None,
        *,
        epoch: int,
        metrics: Mapping[str, SupportsFloat] | None = None,
        best: bool = False,
        state: Any = None,
    ) -> Path | None:
        """Save an epoch, if it is among those to keep, and delete what it takes the place of.

        write: `write(path)` writes the file. With None only the state is kept, as one of the last.
        epoch: counted from 0; must be after all that there are.
        best: is it the best so far? (`Decision.save` tells.)
        state: anything of plain JSON that is to be found with it (`Stopper.state_dict()`, say).

        Gives the path of the file, or None where nothing was written.

        Raises CheckpointError where the disk refuses, and whatever `write` raises: then all that
        there was is still there, as is the ledger.
        """
        if not self._lock.release.alive:
            raise CheckpointError(f"the checkpoints in {str(self.folder)!r} are closed")
        epoch = validated(Count, epoch, "Checkpoints.save(epoch=...)")
        if self._entries and epoch <= self._entries[-1].epoch:
            raise CheckpointError(
                f"epoch {epoch} is not after epoch {self._entries[-1].epoch}, which is saved in "
                f"{str(self.folder)!r}: to do epochs again, call `rewind({epoch - 1})` first"
            )
        values = as_floats(metrics or {})
        shown = {**values, "epoch": epoch + self.count_from}
        file = None if write is None else filled(self.name, shown)
        entry = Checkpoint(epoch, file, bool(best), values, state)
        if file is not None and any(entry.file == file for entry in self._entries):
            raise CheckpointError(
                f"`Checkpoints(name={self.name!r})` gives {file!r} to more than one epoch"
            )
        kept = self._kept((*self._entries, entry))
        if entry not in kept:
            return None
        if file is not None and file != self._writing and (self.folder / file).exists():
            raise CheckpointError(
                f"there is a file {str(self.folder / file)!r} that is not of this run: choose "
                "another folder, or move it away"
            )
        self._replace(kept, file, write)
        return self.path(entry)

    def rewind(self, epoch: int) -> None:
        """Forget what was saved after an epoch, which the run goes on from; -1 is before all."""
        stays = tuple(entry for entry in self._entries if entry.epoch <= epoch)
        if stays != self._entries:
            self._replace(stays)

    def prune(self, keep_last: int = 0) -> None:
        """Forget what is kept only as one of the last: at the end of a run nothing goes on."""
        kept = self._kept(self._entries, keep_last)
        if kept != self._entries:
            self._replace(kept)

    def ranks(self, metrics: Mapping[str, SupportsFloat]) -> bool:
        """Would an epoch with these metrics be among the `keep_best` by the monitor?"""
        entry = Checkpoint(1 << 62, "", False, as_floats(metrics))
        return entry in self._top((*self._entries, entry))

    def _replace(
        self,
        entries: tuple[Checkpoint, ...],
        file: str | None = None,
        write: Callable[[Path], object] | None = None,
    ) -> None:
        """Steps 1 to 4: from the entries there are to these, one of which has a file to write."""
        stays = {entry.file for entry in entries}
        files = [*self._unwanted, *(entry.file for entry in self._entries)]
        unwanted = [name for name in files if name is not None and name not in stays]
        data = _ledger(entries, unwanted)
        wait_for_room()  # that of the ones before may be needed, if only for the ledger
        try:
            if file is not None and write is not None:
                with _explained(f"the lock in {str(self.folder)!r} cannot be written"):
                    self._lock.note({"writing": file})
                self._writing = file
                _place(self.folder / file, self.folder / (_NEW + file), write)
            with _explained(f"the ledger {str(self.folder / LEDGER)!r} cannot be written"):
                write_whole(self.folder / LEDGER, data)
                sync_folder(self.folder)
        except BaseException:
            # The ledger on the disk may be the old one or, an error later, the new one.
            self._entries, self._unwanted = _read(self.folder)
            with contextlib.suppress(OSError):  # else when the folder is opened again
                self._remove_strays(file)
            raise
        self._entries, self._unwanted = entries, unwanted
        with _explained("the new checkpoint is saved, but an old one cannot be deleted"):
            self._remove_unwanted()

    def _remove_unwanted(self) -> None:
        listed = {entry.file for entry in self._entries}
        for name in self._unwanted:
            if name not in listed:
                with contextlib.suppress(FileNotFoundError):
                    remove(self.folder / name)
        self._unwanted = []

    def _remove_strays(self, writing: str | None) -> None:
        """Delete temporary files, and the one that was being written if it is not listed."""
        listed = {entry.file for entry in self._entries}
        for name in os.listdir(self.folder):
            is_temporary = name.startswith((_NEW, f".{LEDGER}."))
            if is_temporary or (name == writing and name not in listed):
                os.unlink(self.folder / name)

    def _kept(
        self, entries: tuple[Checkpoint, ...], keep_last: int | None = None
    ) -> tuple[Checkpoint, ...]:
        """Those of the entries that are to be kept."""
        keep_last = self.keep_last if keep_last is None else keep_last
        last = entries[max(len(entries) - keep_last, 0) :]
        kept = {entry.epoch for entry in last}
        for now in (*entries[-1:], *last):
            best = _newest_best(entry for entry in entries if entry.epoch <= now.epoch)
            kept.update(() if best is None else (best.epoch,))
        kept.update(entry.epoch for entry in self._top(entries))
        if self.keep_every is not None:
            kept.update(e.epoch for e in entries if (e.epoch + 1) % self.keep_every == 0)
        return tuple(entry for entry in entries if entry.epoch in kept)

    def _top(self, entries: tuple[Checkpoint, ...]) -> list[Checkpoint]:
        """The best by the monitor; of equal ones the earlier."""
        if self.monitor is None or self.mode is None:
            return []
        name, mode = self.monitor, self.mode
        ranked = [
            entry
            for entry in entries
            if entry.file is not None
            and name in entry.metrics
            and better(entry.metrics[name], worst(mode), mode)
        ]
        ranked.sort(key=lambda entry: entry.metrics[name], reverse=mode == "max")
        return ranked[: self.keep_best]

    # The end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Let others have the folder. It needs no call where the process ends."""
        try:
            wait_for_room()
        finally:  # also where somebody has had enough of waiting
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Checkpoints({str(self.folder)!r}, {self.name!r})"


def _newest_best(entries: Any) -> Checkpoint | None:
    best = [entry for entry in entries if entry.best]
    return best[-1] if best else None


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn what the system refuses into an error that says what could not be done."""
    try:
        yield
    except CheckpointError:
        raise
    except OSError as error:
        explained = CheckpointError(
            f"{what}: {error.strerror or error}. What was saved before is as it was."
        )
        explained.errno = error.errno
        raise explained from error


def place(path: Path, write: Callable[[Path], object]) -> None:
    """Have one file written, whole or not at all: steps 1 and 2.

    Processes that write one file do not mix what they write: the last one's is there, whole. What a
    process that was killed has left half-written is deleted when another writes into its folder.

    Raises CheckpointError where the disk refuses, and whatever `write` raises; a file that was
    there is as it was then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place(Path(folder) / "a.txt", lambda path: path.write_text("all of it"))
    ...     (Path(folder) / "a.txt").read_text()
    'all of it'
    """
    wait_for_room()  # that of the ones before may be needed
    _place(path, path.with_name(f"{_PLACING}{os.getpid()}-{path.name}"), write)
    if path.parent not in _swept:
        _swept.add(path.parent)
        _sweep(path.parent)


def _sweep(folder: Path) -> None:
    """Delete what processes of this machine that are no more were writing in a folder."""
    if os.name == "nt":  # which has no harmless way to ask for a process
        return
    for name in os.listdir(folder):
        found = re.match(rf"{re.escape(_PLACING)}(\d+)-", name)
        if found is None:
            continue
        try:
            os.kill(int(found[1]), 0)
        except ProcessLookupError:
            with contextlib.suppress(OSError):  # the new file is there, which is what counts
                os.unlink(folder / name)
        except PermissionError:  # somebody else's: it is there
            pass


def _place(path: Path, temporary: Path, write: Callable[[Path], object]) -> None:
    with _explained(f"the checkpoint {str(path)!r} cannot be written"):
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            sync_file(temporary)
            replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):  # the next one takes the same name
                os.unlink(temporary)
            raise


# Names --------------------------------------------------------------------------------------------


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The file name that a template gives for these values, which are numbers.

    A field is the name of a value, as a whole; nothing is looked up inside it. Raises
    MissingMetricError for a field that there is no value for, RuleError for a name that is not
    one of a file right in the folder.

    >>> filled("{epoch:04d}-{val/loss:.4f}.keras", {"epoch": 7, "val/loss": 0.25})
    '0007-0.2500.keras'
    """
    parts = []
    for text, field, spec in _parsed(template):
        parts.append(text)
        if field is None:
            continue
        if field not in values:
            raise MissingMetricError(
                f"the file name {template!r} asks for {field!r}: {name_advice(field, values)}"
            )
        try:
            parts.append(format(values[field], spec))
        except ValueError as error:
            raise RuleError(
                f"the file name {template!r}: {field}={values[field]!r} cannot be written as "
                f"{spec!r} ({error})"
            ) from None
    return _checked_name("".join(parts), template)


@functools.lru_cache(maxsize=64)
def _parsed(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """The fields of a template, each with the text before it and its format."""
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise RuleError(f"the file name {template!r} is no template: {error}") from None
    for _, field, spec, conversion in parsed:
        if field == "" or conversion or (spec and "{" in spec):
            raise RuleError(
                f"the file name {template!r}: a field is written {{name}} or {{name:format}}, "
                "such as {epoch:04d} or {val_loss:.4f}"
            )
    return tuple((text, field, spec or "") for text, field, spec, _ in parsed)


def _checked_name(name: str, template: str) -> str:
    reserved = name == LEDGER or name.startswith(".")
    # Path(...).name: what this system takes for a separator or a drive
    if reserved or re.search(r"[/\\\x00-\x1f]", name) or name != Path(name).name:
        raise RuleError(
            f"the file name {template!r} gives {name!r}: it must be one plain name in the folder, "
            f"not begin with a dot, and not be {LEDGER}"
        )
    if len(os.fsencode(f"{_PLACING}{1 << 22}-{name}")) > 255:
        raise RuleError(f"the file name {template!r} gives one that is too long: {name!r}")
    return name


def _checked_template(template: str) -> str:
    template = validated(str, template, "Checkpoints(name=...)")
    names = {field for _, field, _ in _parsed(template) if field is not None}
    if "epoch" not in names:
        raise RuleError(
            f"`Checkpoints(name={template!r})` gives all epochs one name: put {{epoch}} into it"
        )
    filled(template, {**dict.fromkeys(names, 0.5), "epoch": 0})
    return template


# The ledger ---------------------------------------------------------------------------------------


def read_ledger(folder: str | os.PathLike[str]) -> tuple[Checkpoint, ...]:
    """What the ledger in a folder lists, in the order of the epochs; the folder may be in use.

    Raises StateError for a ledger that is damaged or of a newer version.

    >>> read_ledger("there/is/no/such/folder")
    ()
    """
    return _read(Path(folder))[0]


def _read(folder: Path) -> tuple[tuple[Checkpoint, ...], list[str]]:
    """The entries of the ledger, and the files that were to be deleted."""
    path = folder / LEDGER
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return (), []
    where = f"the ledger {str(path)!r}"
    try:
        data = json.loads(text)
    except ValueError as error:
        raise StateError(f"{where} is damaged: {error}") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise StateError(f'{where} should have "format": "{_FORMAT}", got {text!r:.100}')
    if data.get("version") != _VERSION:
        raise StateError(
            f"{where} has version {data.get('version')!r}, this library reads version {_VERSION}"
        )
    listed, unwanted = data.get("checkpoints"), data.get("unwanted")
    if not isinstance(listed, list) or not isinstance(unwanted, list):
        raise StateError(f"{where} is damaged: it lacks its checkpoints or what is unwanted")
    entries = tuple(_entry_from(item, f"{where}: entry {n}") for n, item in enumerate(listed))
    if any(b.epoch <= a.epoch for a, b in itertools.pairwise(entries)):
        raise StateError(f"{where} is damaged: its epochs are not in order")
    return entries, [_file_from(file, where) for file in unwanted]


def _entry_from(data: Any, where: str) -> Checkpoint:
    if not isinstance(data, dict) or not {"epoch", "file", "best", "metrics", "state"} <= set(data):
        raise StateError(f"{where} is damaged, got {data!r:.100}")
    metrics = data["metrics"]
    if not isinstance(metrics, dict):
        raise StateError(f"{where}.metrics should be an object, got {metrics!r:.100}")
    return Checkpoint(
        epoch=decode_state(data["epoch"], 0, f"{where}.epoch"),
        file=None if data["file"] is None else _file_from(data["file"], where),
        best=decode_state(data["best"], False, f"{where}.best"),
        metrics={name: number_from_json(x, f"{where}.{name}") for name, x in metrics.items()},
        state=data["state"],
    )


def _file_from(name: Any, where: str) -> str:
    # Files that a ledger names may be deleted: it must not reach out of its folder.
    try:
        return _checked_name(validated(str, name, "file"), "")
    except RuleError as error:
        raise StateError(f"{where} names a file that is none of its folder: {error}") from None


def _ledger(entries: tuple[Checkpoint, ...], unwanted: list[str]) -> bytes:
    head = {"format": _FORMAT, "version": _VERSION, "unwanted": unwanted}
    listed = (
        {**e._asdict(), "metrics": {name: number_to_json(x) for name, x in e.metrics.items()}}
        for e in entries
    )
    try:  # one entry a line: with an indent, Python writes JSON ten times slower
        lines = ",\n".join(json.dumps(entry, allow_nan=False) for entry in listed)
        return f'{json.dumps(head)[:-1]}, "checkpoints": [\n{lines}\n]}}\n'.encode()
    except (TypeError, ValueError) as error:
        raise StateError(
            f"`Checkpoints.save(state=...)` must be plain JSON data, such as a `state_dict()` of a "
            f"Stopper: {error}"
        ) from None
