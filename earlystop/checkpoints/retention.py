"""Which checkpoints of a run to keep: a pure function of the ledger's entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .ledger import Checkpoint
from .ranking import Ranking

__all__ = ["Retention", "newest_best"]


@dataclass(frozen=True)
class Retention:
    """Decides which checkpoints to keep; see `Checkpoints` for the settings.

    >>> entries = [Checkpoint(epoch, "", epoch < 2, {}) for epoch in range(5)]
    >>> [entry.epoch for entry in Retention(keep_last=2).retained(entries)]
    [1, 3, 4]
    """

    keep_last: int = 1
    keep_every: int | None = None
    rankings: tuple[Ranking, ...] = ()

    def retained(self, entries: Iterable[Checkpoint]) -> tuple[Checkpoint, ...]:
        """The entries to keep, given all entries in their order."""
        entries = tuple(entries)
        last = entries[max(len(entries) - self.keep_last, 0) :]
        kept = {entry.check for entry in last}
        # A run that resumes from any of the last finds its best, by each metric.
        for start in {entry.check for entry in (*entries[-1:], *last)}:
            known = tuple(entry for entry in entries if entry.check <= start)
            bests = (newest_best(known), *(_first(ranking, known) for ranking in self.rankings))
            kept.update(best.check for best in bests if best is not None)
        for ranking in self.rankings:
            kept.update(entry.check for entry in ranking.top(entries))
        if self.keep_every is not None:
            kept.update(e.check for e in entries if (e.check + 1) % self.keep_every == 0)
        return tuple(entry for entry in entries if entry.check in kept)


def newest_best(entries: Iterable[Checkpoint]) -> Checkpoint | None:
    """The newest entry that was saved as the best; None if there is none."""
    best = [entry for entry in entries if entry.best]
    return best[-1] if best else None


def _first(ranking: Ranking, entries: tuple[Checkpoint, ...]) -> Checkpoint | None:
    return next(iter(ranking.top(entries)), None)
