"""How a save survives a kill at any moment.

A save goes through these steps, in this order:

    1  the caller's function writes the file under a temporary name (".new-NAME"), which is synced
       to the disk
    2  the file is given its name
    3  the ledger (checkpoints.json) is replaced by one that lists the file, and synced, too
    4  files that are no longer kept are deleted (a save does not wait for their space to be freed:
       see _files/deferred_close.py)

Whatever ends the process in between, the ledger lists files that are there, whole. Everything it
does not list (a temporary file, a file that was named but not listed, one that was not yet deleted)
is removed when the folder is opened again. An error takes the same way: the ledger is right.

A machine that loses power may forget step 2 and remember step 3: opening the folder repeats step 2.
(To wait for the disk between the two would cost every save for it.)

One process at a time: a lock in the folder ends with the process that holds it. It also notes which
file is being written, so that the next process can tell a file of this run that was named but not
listed from a file of somebody else.
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
from .write import explain_refusal, write_and_name

__all__ = ["LockedFolder"]


class LockedFolder:
    """A folder of checkpoints that this process alone changes.

    ledger: what the ledger on the disk says.

    Raises CheckpointError if the folder is in use or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger()
        self._ledger_path = path / LEDGER
        self._writing: str | None = None  # what was written last, listed or not
        with self._explain_unusable():
            path.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()

    @property
    def is_open(self) -> bool:
        return self._lock.held

    def recover(self, ledger: Ledger) -> None:
        """Bring the folder to what its ledger says, whatever ended the process before."""
        with self._explain_unusable():
            for entry in ledger.entries:  # step 2 again, for a machine that lost power
                if entry.file is not None and not self._is_there(entry):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(self.path / temporary_name(entry.file), self.path / entry.file)
            sync_folder(self.path)  # what was read is what will be read: now strays may go
            self.ledger = ledger
            self._remove_strays(self._lock.found.get("writing"))
            self._remove_unwanted()
        # Somebody may have deleted files to make room; their entries are of no use any more.
        self.ledger = Ledger(tuple(entry for entry in ledger.entries if self._is_there(entry)))

    def commit(
        self,
        entries: Iterable[Checkpoint],
        file: str | None = None,
        write: Callable[[Path], object] | None = None,
    ) -> None:
        """Steps 1 to 4: list these entries, one of which may have a file to be written.

        Raises CheckpointError if the disk refuses, and whatever `write` raises.
        """
        ledger = self.ledger.followed_by(entries)
        data = ledger.to_bytes()
        wait_for_space()  # the space of earlier files may be needed, if only for the ledger
        try:
            if file is not None and write is not None:
                self._write(file, write)
            with explain_refusal(f"the ledger {str(self._ledger_path)!r} cannot be written"):
                write_whole(self._ledger_path, data)
                sync_folder(self.path)
        except BaseException:
            # The ledger on the disk may be the old one or, if the error came late, the new one.
            self.ledger = Ledger.read(self.path)
            with contextlib.suppress(OSError):  # else when the folder is opened again
                self._remove_strays(file)
            raise
        self.ledger = ledger
        with explain_refusal("the new checkpoint is saved, but an old one cannot be deleted"):
            self._remove_unwanted()

    def holds_foreign(self, file: str) -> bool:
        """Whether a file of this name is there that this run has not written."""
        return file != self._writing and (self.path / file).exists()

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

    def _write(self, file: str, write: Callable[[Path], object]) -> None:
        with explain_refusal(f"the lock in {str(self.path)!r} cannot be written"):
            self._lock.note({"writing": file})
        self._writing = file
        write_and_name(self.path / file, self.path / temporary_name(file), write)

    def _remove_unwanted(self) -> None:
        listed = {entry.file for entry in self.ledger.entries}
        for name in self.ledger.unwanted:
            if name not in listed:
                with contextlib.suppress(FileNotFoundError):
                    remove(self.path / name)
        self.ledger = Ledger(self.ledger.entries)

    def _remove_strays(self, writing: str | None) -> None:
        """Delete temporary files, and the file that was being written if it is not listed."""
        for name in os.listdir(self.path):
            if is_temporary(name) or (name == writing and not self.ledger.lists(name)):
                os.unlink(self.path / name)
