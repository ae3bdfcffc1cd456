"""What may be on a disk after the power goes: every state that a file system allows.

A run is recorded call by call: which names change, which data is written, what is synced. After
each call there is a set of states in which a machine that loses its power may come back:

- **journal**: like ext4, XFS or btrfs. Changes of names reach the disk in their order, and all of
  them at the latest with a sync of any file or folder; data that is not synced may be there or not,
  in each file by itself, whatever happened to the names.
- **posix**: what POSIX promises, and no more. Any of the changes of names that are not synced in
  their folder may be missing, each by itself; a rename may have made the new name without removing
  the old one, but never the other way round. Data as above.

Changes inside one folder, and the folders in it, are recorded by watching it before and after each
call of `os` that changes it: what a library does in C between two calls is seen at the next. A
folder is a file whose content is its names: it is synced by itself, and it moves as a whole.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest import mock

Model = Literal["journal", "posix"]
State = dict[str, bytes | None]  # by path in the folder; None: a folder
Name = tuple[int, str]  # in the folder of this number

CALLS = (
    "open",
    "write",
    "ftruncate",
    "fsync",
    "replace",
    "rename",
    "unlink",
    "remove",
    "mkdir",
    "rmdir",
    "link",
    "close",
)
MOST_STATES = 4096
TOP = -1  # the number of the folder itself


class Change(NamedTuple):
    """A change of one name: the file that it leads to from now on; None: none."""

    name: Name
    file: int | None


class Disk:
    """A folder as the disk has it for certain, and what has been done since.

    Files have numbers of their own. `versions[file]` are its contents, oldest first: the first is
    on the disk for certain, the others may be; a folder has none. `pending` are changes of names
    that may be missing.
    """

    def __init__(self) -> None:
        self.names: dict[Name, int] = {}
        self.pending: list[tuple[Change, ...]] = []
        self.versions: dict[int, list[bytes]] = {}

    def settle(self) -> None:
        """Everything is on the disk."""
        self.names, self.pending = self.now(), []
        self.versions = {file: contents[-1:] for file, contents in self.versions.items()}

    def settle_names(self, folder: int | None = None) -> None:
        """The names are on the disk, all or those in one folder."""
        settled, pending = self.names, self.pending
        self.pending = []
        for changes in pending:
            synced = tuple(c for c in changes if folder in (None, c.name[0]))
            settled = _after(settled, [synced])
            left = tuple(c for c in changes if c not in synced)
            if left:
                self.pending.append(left)
        self.names = settled

    def now(self) -> dict[Name, int]:
        """The names as a running system has them."""
        return _after(self.names, self.pending)

    def states(self, model: Model) -> Iterator[State]:
        """Every state in which a machine may come back."""
        seen: set[frozenset[tuple[str, bytes | None]]] = set()
        for names in self._names(model):
            files = dict(self._paths(names, TOP, ""))
            choices = [self._contents(file) for file in files.values()]
            for contents in itertools.product(*choices):
                state = dict(zip(files, contents, strict=True))
                if frozenset(state.items()) not in seen:
                    seen.add(frozenset(state.items()))
                    yield state
                if len(seen) > MOST_STATES:
                    raise AssertionError("more states than can be tried: sync more often")

    def _paths(self, names: dict[Name, int], folder: int, path: str) -> Iterator[tuple[str, int]]:
        """What a folder holds, each folder before what is in it."""
        for (where, name), file in sorted(names.items()):
            if where == folder:
                yield path + name, file
                yield from self._paths(names, file, f"{path}{name}/")

    def _names(self, model: Model) -> Iterator[dict[Name, int]]:
        if model == "journal":
            for count in range(len(self.pending) + 1):
                yield _after(self.names, self.pending[:count])
            return
        options = [
            [changes[:count] for count in range(len(changes) + 1)] for changes in self.pending
        ]
        for kept in itertools.product(*options):
            yield _after(self.names, list(kept))

    def _contents(self, file: int) -> list[bytes] | list[None]:
        """What may be in a file: any of its versions, or zeros of the newest one's length."""
        if file not in self.versions:
            return [None]
        first, *later = self.versions[file]
        zeros = [bytes(len(content)) for content in later[-1:] if content]
        return list(dict.fromkeys([first, *later, *zeros]))


def _after(names: dict[Name, int], changes: list[tuple[Change, ...]]) -> dict[Name, int]:
    result = dict(names)
    for change in itertools.chain.from_iterable(changes):
        if change.file is None:
            result.pop(change.name, None)
        else:
            result[change.name] = change.file
    return result


class Recorder:
    """Records what happens in a folder; `after_call(disk, call)` is called after each call."""

    def __init__(self, folder: Path, model: Model, after_call: Callable[[Disk, str], None]) -> None:
        self.folder, self.model, self.after_call = folder, model, after_call
        self.disk = Disk()
        self._numbers: dict[int, int] = {}  # of the file system's inodes that have a name
        self._count = itertools.count()
        self._patches = [mock.patch.object(os, name, self._watched(name)) for name in CALLS]
        self._busy = False
        self._thread = threading.get_ident()  # others only close what has lost its name

    def __enter__(self) -> Recorder:
        self._look()
        self.disk.settle()  # what is there at the start is on the disk
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        for patch in self._patches:
            patch.stop()

    def _watched(self, name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            if self._busy or threading.get_ident() != self._thread:
                return call(*arguments, **options)
            self._look()  # at what was written since the last call
            synced = _path_of(arguments[0]) if name == "fsync" else None
            result = call(*arguments, **options)
            self._look()
            if synced is not None and synced.is_relative_to(self.folder):
                self._sync(synced)
            self._tell(f"{name} {arguments[0]}")
            return result

        return watched

    def _tell(self, call: str) -> None:
        self._busy = True
        try:
            self.after_call(self.disk, call)
        finally:
            self._busy = False

    def _look(self) -> None:
        """Find what has changed in the folder."""
        self._busy = True
        try:
            found = {path: path.lstat().st_ino for path in sorted(self.folder.rglob("*"))}
            contents = {path: path.read_bytes() for path in found if path.is_file()}
        finally:
            self._busy = False
        for inode in set(self._numbers) - set(found.values()):
            del self._numbers[inode]
        for path, inode in found.items():
            if inode not in self._numbers:
                self._numbers[inode] = next(self._count)
                if path in contents:
                    self.disk.versions[self._numbers[inode]] = [b""]
            if path in contents:
                versions = self.disk.versions[self._numbers[inode]]
                if versions[-1] != contents[path]:
                    versions.append(contents[path])
        numbers = {path: self._numbers[inode] for path, inode in found.items()}
        after = {
            (numbers.get(path.parent, TOP), path.name): number for path, number in numbers.items()
        }
        before = self.disk.now()
        changed = [Change(name, file) for name, file in after.items() if before.get(name) != file]
        changed += [Change(name, None) for name in before if name not in after]
        for _, in_folder in itertools.groupby(sorted(changed, key=_folder), key=_folder):
            self.disk.pending.append(tuple(in_folder))

    def _sync(self, path: Path) -> None:
        now = self.disk.now()
        number = TOP
        for name in path.relative_to(self.folder).parts:
            number = now[number, name]
        if number in self.disk.versions:
            self.disk.versions[number] = self.disk.versions[number][-1:]
        if self.model == "journal":
            self.disk.settle_names()
        elif number not in self.disk.versions:
            self.disk.settle_names(number)


def _folder(change: Change) -> int:
    return change.name[0]


def _path_of(handle: int) -> Path:
    return Path(os.readlink(f"/proc/self/fd/{handle}"))
