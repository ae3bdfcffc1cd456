"""Which checkpoints of a run to keep: a pure function of the ledger's entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..language.direction import Mode
from ..language.ops import better, worst
from .ledger import Checkpoint

__all__ = ["Retention", "newest_best"]


@dataclass(frozen=True)
class Retention:
    """Decides which checkpoints to keep; see `Checkpoints` for the settings.

    >>> entries = [Checkpoint(epoch, "", epoch < 2, {}) for epoch in range(5)]
    >>> [entry.epoch for entry in Retention(keep_last=2).retained(entries)]
    [1, 3, 4]
    """

    keep_best: int = 1
    keep_last: int = 1
    keep_every: int | None = None
    monitor: str | None = None
    mode: Mode | None = None

    def retained(self, entries: Iterable[Checkpoint]) -> tuple[Checkpoint, ...]:
        """The entries to keep, given all entries in epoch order."""
        entries = tuple(entries)
        last = entries[max(len(entries) - self.keep_last, 0) :]
        kept = {entry.epoch for entry in last}
        for start in (*entries[-1:], *last):  # a run that resumes from any of them finds its best
            best = newest_best(entry for entry in entries if entry.epoch <= start.epoch)
            kept.update(() if best is None else (best.epoch,))
        kept.update(entry.epoch for entry in self.ranked(entries))
        if self.keep_every is not None:
            kept.update(e.epoch for e in entries if (e.epoch + 1) % self.keep_every == 0)
        return tuple(entry for entry in entries if entry.epoch in kept)

    def ranked(self, entries: Iterable[Checkpoint]) -> list[Checkpoint]:
        """The `keep_best` best entries by the monitor, best first; on a tie the earlier first."""
        if self.monitor is None or self.mode is None:
            return []
        name, mode = self.monitor, self.mode
        candidates = [
            entry
            for entry in entries
            if entry.file is not None
            and name in entry.metrics
            and better(entry.metrics[name], worst(mode), mode)  # neither NaN nor the worst infinity
        ]
        candidates.sort(key=lambda entry: entry.metrics[name], reverse=mode == "max")
        return candidates[: self.keep_best]


def newest_best(entries: Iterable[Checkpoint]) -> Checkpoint | None:
    """The newest entry that was saved as the best; None if there is none."""
    best = [entry for entry in entries if entry.best]
    return best[-1] if best else None
