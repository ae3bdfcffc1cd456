"""Warns, when a folder is opened, of checkpoints that are gone or cannot be read.

Otherwise this would show only when they are needed: when the training is over and the best is to be
restored.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import CheckpointWarning, warn_caller
from .ledger import Checkpoint
from .retention import newest_best

__all__ = ["warn_of_damage"]

_NAMED = 5  # files; the others are counted


def warn_of_damage(
    folder: Path, listed: tuple[Checkpoint, ...], left: tuple[Checkpoint, ...]
) -> None:
    """Warn with CheckpointWarning of files that are gone, and of files that cannot be read.

    listed: the entries of the ledger that was found.
    left: those whose files are there.
    """
    best, best_left = newest_best(listed), newest_best(left)
    lost = [entry for entry in listed if entry not in left]
    if lost:
        now = f"the best that is left is {best_left.where}" if best_left else "no best is left"
        warn_caller(
            f"the folder {str(folder)!r} no longer has {_named(lost, best)}, which its ledger "
            f"lists: deleted, or lost with the power. The run goes on without; {now}",
            CheckpointWarning,
        )
    unreadable = [e for e in left if e.file is not None and not os.access(folder / e.file, os.R_OK)]
    if unreadable:
        warn_caller(
            f"in the folder {str(folder)!r} this user may not read {_named(unreadable, best)}: "
            "change the permissions before the run needs it",
            CheckpointWarning,
        )


def _named(entries: Iterable[Checkpoint], best: Checkpoint | None) -> str:
    """The files of these entries with their epochs, the best first."""
    ordered = sorted(entries, key=lambda entry: entry is not best)
    texts = [
        f"{entry.file!r} ({entry.where}{', the best' if entry is best else ''})"
        for entry in ordered[:_NAMED]
    ]
    more = len(ordered) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")
