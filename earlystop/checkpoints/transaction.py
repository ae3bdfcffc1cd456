"""How a save survives a kill at any moment.

A save goes through these steps, in this order:

    1  the caller's function writes the file under a temporary name (".new-NAME"), and the file is
       synced to the disk
    2  the file is renamed to its final name
    3  the ledger (checkpoints.json) is replaced by one that lists the file, and synced
    4  files that are no longer kept are deleted (a save does not wait for their space to be freed:
       see _files/deferred_close.py)

Whenever the process ends, every file that the ledger lists exists and is complete. Everything else
(a temporary file, a file that was renamed but not listed, one that was not deleted yet) is removed
when the folder is opened again. The same holds after an error: the ledger is right.

If the machine loses power, step 2 may be lost although step 3 is not; opening the folder repeats
step 2. (Waiting for the disk between the two would slow down every save.)

Only one process at a time uses a folder: it holds a lock that ends with the process. The lock also
records which file is being written, so that the next process can distinguish a file of this run
that was renamed but not listed from a foreign file.
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
    """A folder of checkpoints that only this process changes.

    ledger: the contents of the ledger on the disk.

    Raises CheckpointError if the folder is in use or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger()
        self._ledger_path = path / LEDGER
        self._writing: str | None = None  # the file written last, listed or not
        with self._explain_unusable():
            path.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()

    @property
    def is_open(self) -> bool:
        """Whether this process still holds the lock."""
        return self._lock.held

    def recover(self, ledger: Ledger) -> None:
        """Make the folder agree with its ledger, however the previous process ended."""
        with self._explain_unusable():
            for entry in ledger.entries:  # repeat step 2, in case the machine lost power
                if entry.file is not None and not self._is_there(entry):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(self.path / temporary_name(entry.file), self.path / entry.file)
            sync_folder(self.path)  # only now is it safe to delete strays
            self.ledger = ledger
            self._remove_strays(self._lock.found.get("writing"))
            self._remove_unwanted()
        # Users may have deleted files to free space; drop the entries of these.
        self.ledger = Ledger(tuple(entry for entry in ledger.entries if self._is_there(entry)))

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
        ledger = self.ledger.followed_by(entries)
        data = ledger.to_bytes()
        wait_for_space()  # the space of deleted files may be needed, if only for the ledger
        try:
            if file is not None and write is not None:
                self._write(file, write)
            with explain_refusal(f"the ledger {str(self._ledger_path)!r} cannot be written"):
                write_whole(self._ledger_path, data)
                sync_folder(self.path)
        except BaseException:
            # The ledger on the disk may be the old one or, if the error came late, the new one.
            self.ledger = Ledger.read(self.path)
            with contextlib.suppress(OSError):  # otherwise when the folder is opened again
                self._remove_strays(file)
            raise
        self.ledger = ledger
        with explain_refusal("the new checkpoint is saved, but an old one cannot be deleted"):
            self._remove_unwanted()

    def holds_foreign(self, file: str) -> bool:
        """Whether a file of this name exists that this run has not written."""
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
