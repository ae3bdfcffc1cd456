"""A cell that is run again: the run that it began before is still open, and holds its folder.

In an interactive session the last run of a cell stays alive, by its names or by a traceback. Asked
to resume, the new one takes its folder over; the old one is closed, and refuses to save.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Hashable
from typing import Protocol

from earlystop.errors import CheckpointError

__all__ = ["Open", "OpenFolders"]


class Open(Protocol, Hashable):
    """What holds a folder."""

    @property
    def is_open(self) -> bool:
        """Whether it still does."""

    def close(self) -> None:
        """Release it, once all is written."""


class OpenFolders:
    """What holds which folder, and the thread that opened it."""

    def __init__(self) -> None:
        self._places: weakref.WeakKeyDictionary[Open, tuple[str, int]]
        self._places = weakref.WeakKeyDictionary()

    def add(self, holder: Open, folder: str | os.PathLike[str]) -> None:
        """A folder that has been opened."""
        self._places[holder] = _place(folder)

    def take_over(self, folder: str | os.PathLike[str], *, resume: bool) -> None:
        """Close what this thread has opened there before, in an interactive session.

        Raises CheckpointError, which says how to go on, unless it is to be resumed.
        """
        if not hasattr(sys, "ps1"):  # a program that opens it twice has made a mistake
            return
        place = _place(folder)
        for holder, held in list(self._places.items()):
            if held != place or not holder.is_open:
                continue
            if not resume:
                raise CheckpointError(
                    f"the folder {os.fspath(folder)!r} holds a run of this session: pass "
                    "resume=True to go on with it, as when a cell is run again, or choose another "
                    "folder"
                )
            holder.close()


def _place(folder: str | os.PathLike[str]) -> tuple[str, int]:
    return os.path.realpath(folder), threading.get_ident()
