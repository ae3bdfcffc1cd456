"""How a save survives a kill at any moment.

A save goes through these steps, in this order:

    1  the caller's function writes the file, or a folder of files, under a temporary name
       (".new-NAME"), and all of it is synced to the disk
    2  the ledger (checkpoints.json) is replaced by one that lists the file, and the folder is
       synced
    3  the file is renamed to its final name
    4  files that are no longer kept are deleted (a save does not wait for their space to be freed:
       see _files/deferred_close.py); a folder is renamed first (".old-NAME"), so that no half of it
       is ever seen

Whenever the process ends, every file that the ledger lists exists and is complete; the newest may
still have its temporary name, and gets its own when the folder is opened again. Everything else (a
temporary file that is not listed, a file that was not deleted yet) is removed then. The same holds
after an error: the ledger is right.

If the machine loses power, whatever was not synced may be lost. Before the folder is synced in step
2, the new ledger may survive and the name of the new file may not: then opening the folder goes
back to the entries that the ledger replaced, whose files have not been deleted yet. After that
everything is on the disk but the rename of step 3, which opening the folder repeats. A file is
never renamed before it is listed, so a file that has such a name and is not listed is a foreign
one.

Only one process at a time uses a folder: it holds a lock that ends with the process, and that its
forks do not have. Each save looks first whether the folder is still the one that was locked.
(Version 0.1.0 renamed files before it listed them, and recorded in the lock which file it was
writing.)
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .._files.atomic import remove, replace_whole, sync_folder
from .._files.deferred_close import wait_for_space
from .._files.lock import HeldError, Lock
from .._files.trees import discard
from ..errors import CheckpointError
from .ledger import Checkpoint, Ledger
from .names import LEDGER, LOCK, is_temporary, removal_name, temporary_name
from .write import explain_refusal, write_and_sync

__all__ = ["LockedFolder"]


class LockedFolder:
    """A folder of checkpoints that only this process changes, from `open` to `close`.

    ledger: the contents of the ledger on the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger()
        self._ledger_path = path / LEDGER
        self._deleted: set[str] = set()  # unwanted names that are gone, but perhaps not on the disk
        self._lock: Lock | None = None
        self._found: dict[str, Any] = {}  # what the process before has noted in the lock

    def open(self) -> None:
        """Take the lock, in a new folder if there is none.

        Raises CheckpointError if the folder is in use or cannot be created.
        """
        with self._explain_unusable():
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = lock = self._take_lock()
        self._found = lock.found

    @property
    def is_open(self) -> bool:
        """Whether this process holds the lock."""
        return self._lock is not None and self._lock.held

    def check_usable(self) -> None:
        """Raise CheckpointError unless this process holds the lock and the folder is there."""
        lock = self._lock
        if lock is not None and lock.is_inherited:
            raise CheckpointError(
                f"the checkpoints in {str(self.path)!r} were opened by process {lock.process}, and "
                f"process {os.getpid()} is a fork of it: save them there, or open another folder"
            )
        if lock is None or not lock.held:
            raise CheckpointError(f"the checkpoints in {str(self.path)!r} are closed")
        with self._explain_unusable():
            if not lock.is_in_place:
                raise self._gone()

    def recover(self, ledger: Ledger) -> tuple[Checkpoint, ...]:
        """Make the folder agree with its ledger, however the previous process ended.

        Returns the entries whose files are gone, and which are no longer listed.
        """
        with self._explain_unusable():
            self._name_listed(ledger)
            sync_folder(self.path)  # what was read is what will be read: now strays may go
            # Files are also missing if somebody deleted them to make room.
            self.ledger = ledger.without_lost(self._is_there)
            if self.ledger.entries != ledger.entries:
                replace_whole(self._ledger_path, self.ledger.to_bytes())
            self._remove_strays(self._found.get("writing"))
            self._remove_unwanted()
            sync_folder(self.path)  # a file of the same name may be written next
            self.ledger = Ledger(self.ledger.entries)
        return tuple(entry for entry in ledger.entries if entry not in self.ledger.entries)

    def commit(
        self,
        entries: Iterable[Checkpoint],
        file: str | None = None,
        write: Callable[[Path], object] | None = None,
    ) -> None:
        """Steps 1 to 4: list these entries instead of the present ones.

        file: the name of a file to write, which one of the entries has.
        write: the function that writes it.

        Raises CheckpointError if the disk refuses, the folder is gone or this process does not hold
        it, and whatever `write` raises.
        """
        self.check_usable()
        before, ledger = self.ledger, self.ledger.followed_by(entries)
        data = ledger.to_bytes()
        wait_for_space()  # the space of deleted files may be needed, if only for the ledger
        try:
            if file is not None and write is not None:
                with explain_refusal(f"the checkpoint {str(self.path / file)!r} cannot be written"):
                    write_and_sync(self.path / temporary_name(file), write)
            with explain_refusal(f"the ledger {str(self._ledger_path)!r} cannot be written"):
                replace_whole(self._ledger_path, data)
                sync_folder(self.path)
            if file is not None and write is not None:
                with explain_refusal(f"the checkpoint {str(self.path / file)!r} cannot be named"):
                    os.replace(self.path / temporary_name(file), self.path / file)
        except BaseException as error:
            if isinstance(error, Exception) and not self._is_in_place():
                raise self._gone() from error.__cause__ or error
            # The ledger on the disk may be the old one or, if the error came late, the new one.
            self.ledger = Ledger.read(self.path)
            with contextlib.suppress(OSError):  # else when the folder is opened again
                self._name_listed(self.ledger)
                self._remove_strays(None)
            raise
        self.ledger = ledger
        self._deleted.discard(file or "")
        with explain_refusal("the new checkpoint is saved, but an old one cannot be deleted"):
            self._remove_unwanted()
            if file is None:  # a run that goes back may soon write files of the same names
                sync_folder(self.path)
        # Deletions are on the disk once the folder is synced: until then the ledger names them.
        deleted = before.unwanted if file is not None else ledger.unwanted
        self.ledger = ledger.without_unwanted(deleted)
        self._deleted &= set(self.ledger.unwanted)

    def holds_foreign(self, file: str) -> bool:
        """Whether there is a file of this name that is not listed: another has written it."""
        return not self.ledger.lists(file) and os.path.lexists(self.path / file)

    def close(self) -> None:
        """Release the lock; does nothing in a fork. Can be repeated after an interrupt.

        Raises CheckpointError if the folder was deleted or replaced; the lock is released then.
        """
        gone = self.is_open and not self._is_in_place()
        self.release()
        if gone:
            raise self._gone()

    def release(self) -> None:
        """Release the lock, whatever has become of the folder."""
        try:
            wait_for_space()
        finally:  # also on KeyboardInterrupt
            if self._lock is not None:
                self._lock.release()

    def _is_in_place(self) -> bool:
        """Whether the folder is there, as far as one can see."""
        try:
            return self._lock is None or self._lock.is_in_place
        except OSError:  # the disk refuses everything, which its own errors say
            return True

    def _gone(self) -> CheckpointError:
        return CheckpointError(
            f"the folder {str(self.path)!r}, or the lock in it, was deleted or replaced while this "
            "run used it: look for its checkpoints where they were moved to, and open it anew"
        )

    def _take_lock(self) -> Lock:
        try:
            return Lock(self.path / LOCK)
        except HeldError as holder:
            raise CheckpointError(
                f"the folder {str(self.path)!r} is in use by {holder}: two runs in one folder "
                "would delete each other's checkpoints, so choose another, or end that run (in "
                "one process: `close()` it)"
            ) from None

    def _explain_unusable(self) -> contextlib.AbstractContextManager[None]:
        return explain_refusal(f"the folder {str(self.path)!r} cannot be used for checkpoints")

    def _is_there(self, entry: Checkpoint) -> bool:
        return entry.file is None or (self.path / entry.file).exists()

    def _name_listed(self, ledger: Ledger) -> None:
        """Repeat step 3 for files that still have their temporary names."""
        for entry in (*ledger.entries, *ledger.replaced):
            if entry.file is not None and not self._is_there(entry):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.path / temporary_name(entry.file), self.path / entry.file)

    def _remove_unwanted(self) -> None:
        listed = {entry.file for entry in self.ledger.entries}
        for name in self.ledger.unwanted:
            if name not in listed and name not in self._deleted:
                self._remove(name)
                self._deleted.add(name)

    def _remove(self, name: str) -> None:
        path, away = self.path / name, self.path / removal_name(name)
        try:
            remove(path)
        except FileNotFoundError:
            discard(away)  # if an earlier attempt failed half-way
        except (IsADirectoryError, PermissionError):  # systems differ in what they say of a folder
            if path.is_symlink() or not path.is_dir():
                raise
            discard(away)
            os.replace(path, away)
            discard(away)

    def _remove_strays(self, writing: str | None) -> None:
        """Delete temporary files, and what version 0.1.0 was writing if it is not listed."""
        for name in os.listdir(self.path):
            if is_temporary(name) or (name == writing and not self.ledger.lists(name)):
                discard(self.path / name)
