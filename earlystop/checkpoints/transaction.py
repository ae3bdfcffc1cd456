"""How a save survives a kill at any moment.

A save goes through these steps, in this order:

    1  the caller's function writes the file under a temporary name (".new-NAME"), and the file is
       synced to the disk
    2  the ledger (checkpoints.json) is replaced by one that lists the file, and the folder is
       synced
    3  the file is renamed to its final name
    4  files that are no longer kept are deleted (a save does not wait for their space to be freed:
       see _files/deferred_close.py)

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

Only one process at a time uses a folder: it holds a lock that ends with the process. (Version 0.1.0
renamed files before it listed them, and recorded in the lock which file it was writing.)
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from .._files.atomic import remove, sync_folder, write_whole
from .._files.deferred_close import wait_for_space
from .._files.lock import HeldError, Lock
from ..errors import CheckpointError
from .ledger import Checkpoint, Ledger
from .names import LEDGER, LOCK, is_temporary, temporary_name
from .write import explain_refusal, write_and_sync

__all__ = ["LockedFolder"]


class LockedFolder:
    """A folder of checkpoints that only this process changes.

    ledger: the contents of the ledger on the disk.

    Raises CheckpointError if the folder is in use or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger()
        self._ledger_path = path / LEDGER
        with self._explain_unusable():
            path.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()

    @property
    def is_open(self) -> bool:
        """Whether this process still holds the lock."""
        return self._lock.held

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
                write_whole(self._ledger_path, self.ledger.to_bytes())
            self._remove_strays(self._lock.found.get("writing"))
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

        Raises CheckpointError if the disk refuses, and whatever `write` raises.
        """
        before, ledger = self.ledger, self.ledger.followed_by(entries)
        data = ledger.to_bytes()
        wait_for_space()  # the space of deleted files may be needed, if only for the ledger
        try:
            if file is not None and write is not None:
                with explain_refusal(f"the checkpoint {str(self.path / file)!r} cannot be written"):
                    write_and_sync(self.path / temporary_name(file), write)
            with explain_refusal(f"the ledger {str(self._ledger_path)!r} cannot be written"):
                write_whole(self._ledger_path, data)
                sync_folder(self.path)
            if file is not None and write is not None:
                with explain_refusal(f"the checkpoint {str(self.path / file)!r} cannot be named"):
                    os.replace(self.path / temporary_name(file), self.path / file)
        except BaseException:
            # The ledger on the disk may be the old one or, if the error came late, the new one.
            self.ledger = Ledger.read(self.path)
            with contextlib.suppress(OSError):  # else when the folder is opened again
                self._name_listed(self.ledger)
                self._remove_strays(None)
            raise
        self.ledger = ledger
        with explain_refusal("the new checkpoint is saved, but an old one cannot be deleted"):
            self._remove_unwanted()
            if file is None:  # a run that goes back may soon write files of the same names
                sync_folder(self.path)
        # Deletions are on the disk once the folder is synced: until then the ledger names them.
        deleted = before.unwanted if file is not None else ledger.unwanted
        self.ledger = ledger.without_unwanted(deleted)

    def holds_foreign(self, file: str) -> bool:
        """Whether a file of this name is there that is not listed: this run has not written it."""
        return not self.ledger.lists(file) and (self.path / file).exists()

    def close(self) -> None:
        """Release the lock."""
        try:
            wait_for_space()
        finally:  # also on KeyboardInterrupt
            self._lock.release()

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
        return entry.file is None or (self.path / entry.file).is_file()

    def _name_listed(self, ledger: Ledger) -> None:
        """Step 3 again, for files that still have their temporary names."""
        for entry in (*ledger.entries, *ledger.replaced):
            if entry.file is not None and not self._is_there(entry):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.path / temporary_name(entry.file), self.path / entry.file)

    def _remove_unwanted(self) -> None:
        listed = {entry.file for entry in self.ledger.entries}
        for name in self.ledger.unwanted:
            if name not in listed:
                with contextlib.suppress(FileNotFoundError):
                    remove(self.path / name)

    def _remove_strays(self, writing: str | None) -> None:
        """Delete temporary files, and what version 0.1.0 was writing if it is not listed."""
        for name in os.listdir(self.path):
            if is_temporary(name) or (name == writing and not self.ledger.lists(name)):
                os.unlink(self.path / name)
