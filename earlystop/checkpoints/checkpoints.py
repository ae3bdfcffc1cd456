"""`Checkpoints`: what a run saves of its checks, and what it finds when it resumes.

This class checks its arguments. `Retention` decides what is kept, `LockedFolder` changes the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsFloat

from .._files.paths import local_path
from ..engine.decision import Place
from ..engine.metrics import as_floats
from ..errors import CheckpointError, RuleError, name_advice, shortened
from ..language.improvement import Improvement
from ..language.keywords import by_keyword
from ..language.settings import Count, Positive, validated
from .damage import warn_of_damage
from .ledger import Checkpoint, Ledger
from .places import checked_place, entry_of, numbers_of, refuse_earlier, taken_name
from .ranking import Drops, KeepBest, Modes, Monitors, Ties, rankings
from .retention import Retention, newest_best
from .saved_json import check_plain
from .templates import checked_template, format_name
from .transaction import LockedFolder

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["Checkpoints"]

_AFTER_ALL = 1 << 63  # a check after all others, which fit in 64 bits


class Checkpoints:
    """The checkpoints of one run: the best, the last and more, and never less than the ledger says.

    folder: the folder of the checkpoints, on this machine; created if it does not exist. `~` is the
        home folder, and a relative path is that of the working directory now.
    name: a template for file names, with fields for the epoch, the step, the number of the check
        and the metrics, such as "{epoch:04d}-{val_loss:.4f}.pt". Where checks share an epoch, it
        needs {step} or {check}.
    missing: what a file name says instead of a metric that an epoch lacks (validation every few
        epochs), such as "none"; by default, `save` raises an error for such an epoch.
    monitor: the metric that ranks checkpoints, for `keep_best` above 1; an epoch that lacks it, or
        for which it is NaN, is not among the best. Or several metrics, each of which ranks.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric. For several metrics,
        also a mapping for those whose name does not say, such as {"gap": "min"}.
    keep_best: how many of the best to keep, by each metric; or, by metric, how many, such as
        {"val_loss": 2, "val_accuracy": 1}, which says `monitor`, too. The newest that was saved as
        the best is always kept.
    ties: which of equal values ranks first and is kept, the "earlier" or the "later".
    drops: which of several that are equally bad goes when a better one comes, the "oldest" or the
        "newest"; by default, the one that `ties` ranks last. (What is kept as one of the last is
        there, too.)
    improvement: how the values that rank compare: with `Improvement(ties=True)` one that equals the
        worst kept replaces one of those; with `first="taken"` any value ranks while there is room,
        a NaN as the worst; `arithmetic="float32"` compares in that type.
    keep_last: how many of the last to keep. For each of them the best up to that epoch is kept,
        too, also by each metric, so a run that resumes from any of them finds the best it knew.
    keep_every: keep every n-th check permanently; None to keep no further ones.
    count_from: the number of the first epoch and check in file names: 0, or 1 if a framework counts
        from 1.
    resume: continue an earlier run in the folder (which may be empty). Without it, a folder that
        holds checkpoints is refused.

    lost: the entries that the ledger listed when the folder was opened, and whose files were gone.

    Warns with CheckpointWarning if files of the earlier run are gone or cannot be read, such as a
    best that somebody deleted to make room.

    Raises CheckpointError (also an OSError) if the folder is in use, holds another run, or cannot
    be written; RuleError for invalid settings; StateError for a damaged ledger.

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

    @by_keyword("monitor")
    def __init__(
        self,
        folder: str | os.PathLike[str],
        name: str = "{epoch:04d}.ckpt",
        *,
        missing: str | None = None,
        monitor: Monitors | None = None,
        mode: Modes = "auto",
        keep_best: KeepBest = 1,
        ties: Ties = "earlier",
        drops: Drops | None = None,
        improvement: Improvement | None = None,
        keep_last: int = 1,
        keep_every: int | None = None,
        count_from: int = 0,
        resume: bool = False,
    ) -> None:
        self.folder = local_path(folder, "`Checkpoints(folder=...)`")
        self.name, self.missing = checked_template(name, missing), missing
        self.keep_last = validated(Count, keep_last, "Checkpoints(keep_last=...)")
        self.keep_every = validated(Positive | None, keep_every, "Checkpoints(keep_every=...)")
        self.count_from = validated(Count, count_from, "Checkpoints(count_from=...)")
        self._rankings = rankings(monitor, mode, keep_best, ties, drops, improvement)
        self._disk = LockedFolder(self.folder)
        try:
            self._disk.open()
            ledger = Ledger.read(self.folder)
            if ledger.entries and not resume:
                raise self._holds_earlier_run(ledger)
            self.lost = self._disk.recover(ledger)
            warn_of_damage(self.folder, ledger.entries, self.entries)
        except BaseException:
            self._disk.release()
            raise

    # The saved checkpoints -------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Checkpoint, ...]:
        """The checkpoints listed in the ledger, in their order."""
        return self._disk.ledger.entries

    @property
    def best(self) -> Checkpoint | None:
        """The newest checkpoint that was saved as the best; None before the first."""
        return newest_best(self.entries)

    @property
    def last(self) -> Checkpoint | None:
        """The newest checkpoint; None before the first."""
        return self.entries[-1] if self.entries else None

    def best_by(self, monitor: str) -> Checkpoint | None:
        """The best checkpoint by a monitored metric; None before the first.

        Raises RuleError for a metric that is not monitored.
        """
        return next(iter(self.ranked_by(monitor)), None)

    def ranked_by(self, monitor: str) -> tuple[Checkpoint, ...]:
        """The `keep_best` best checkpoints by a monitored metric, the best first.

        Raises RuleError for a metric that is not monitored.

        >>> import tempfile
        >>> from earlystop import Checkpoints
        >>> keep = {"loss": 1, "accuracy": 2}
        >>> epochs = [{"loss": 0.5, "accuracy": 0.6}, {"loss": 0.4, "accuracy": 0.7}]
        >>> epochs += [{"loss": 0.6, "accuracy": 0.9}, {"loss": 0.7, "accuracy": 0.5}]
        >>> with (
        ...     tempfile.TemporaryDirectory() as folder,
        ...     Checkpoints(folder, "{epoch}.txt", keep_best=keep, keep_last=0) as checkpoints,
        ... ):
        ...     for epoch, metrics in enumerate(epochs):
        ...         _ = checkpoints.save(lambda path: path.touch(), epoch=epoch, metrics=metrics)
        ...     checkpoints.path(checkpoints.best_by("loss")).name
        ...     [entry.file for entry in checkpoints.ranked_by("accuracy")]
        '1.txt'
        ['2.txt', '1.txt']
        """
        for ranking in self._rankings:
            if ranking.monitor == monitor:
                return tuple(ranking.top(self.entries))
        names = [ranking.monitor for ranking in self._rankings]
        raise RuleError(
            f"these checkpoints are not ranked by {shortened(monitor)}: "
            f"{name_advice(str(monitor), names)}"
        )

    @property
    def best_path(self) -> Path | None:
        """The path of the best checkpoint; None before the first."""
        return self.path(self.best)

    @property
    def last_path(self) -> Path | None:
        """The path of the newest checkpoint that has a file; None before the first."""
        with_file = [entry for entry in self.entries if entry.file is not None]
        return self.path(with_file[-1]) if with_file else None

    def path(self, entry: Checkpoint | None) -> Path | None:
        """The path of an entry's file, or folder; None if it has none."""
        return None if entry is None or entry.file is None else self.folder / entry.file

    # Saving and forgetting -------------------------------------------------------------------

    @by_keyword("epoch")
    def wants(
        self,
        *,
        epoch: float | None = None,
        metrics: Mapping[str, SupportsFloat] | None = None,
        best: bool = False,
        step: float | None = None,
        check: int | None = None,
    ) -> bool:
        """Would `save`, called with these arguments, keep this check? If not, it does nothing."""
        place = checked_place(epoch, step, check, "Checkpoints.wants")
        entry = entry_of(place, "", best, as_floats(metrics or {}))
        return entry in self._retention().retained((*self.entries, entry))

    @by_keyword("epoch")
    def save(
        self,
        write: Callable[[Path], object] | None,
        *,
        epoch: float | None = None,
        metrics: Mapping[str, SupportsFloat] | None = None,
        best: bool = False,
        state: Any = None,
        step: float | None = None,
        check: int | None = None,
    ) -> Path | None:
        """Save a check if it should be kept, and delete the checkpoints that it replaces.

        write: a function that writes a file at the path it is given, or makes a folder there (as
            `save_pretrained` does), and is done when it returns. With None, only the state is
            saved, as one of the last.
        epoch: the epoch of the check, such as `Decision.epoch`. Without `check`, it is a whole
            number, counted from 0, and after all saved epochs.
        metrics: the metrics of the check.
        best: whether this is the best check so far, as in `Decision.save`.
        state: plain JSON data to keep with it, such as `Stopper.state_dict()`; no NaN, no numbers
            of more than 640 digits, at most 400 levels deep.
        step: the step of the check, such as `Decision.step`.
        check: the number of the check, such as `Decision.check`, where epochs are not the checks;
            must be after all saved checks.

        Returns the path of the file, or None if nothing was written.

        Raises CheckpointError if the disk refuses, or if the file name is that of another check,
            MissingMetricError for a metric that the file name asks for and the check lacks, and
            whatever `write` raises. Earlier checkpoints and the ledger are then unchanged.
        """
        place = self._checked_place(epoch, step, check)
        values = as_floats(metrics or {})
        check_plain(state, "`Checkpoints.save(state=...)`")
        entry, file = entry_of(place, None, best, values, state), None
        if write is not None:
            numbers = numbers_of(place, self.count_from)
            file = format_name(self.name, {**values, **numbers}, self.missing)
            self._refuse_listed(file, entry)
        entry = entry._replace(file=file)
        kept = self._retention().retained((*self.entries, entry))
        if entry not in kept:
            return None
        if file is not None and self._disk.holds_foreign(file):
            raise CheckpointError(
                f"the file {str(self.folder / file)!r} does not belong to this run: choose "
                "another folder, or move it away"
            )
        self._disk.commit(kept, file, write)
        return self.path(entry)

    def rewind(self, epoch: float) -> None:
        """Delete what was saved after this epoch, from which the run resumes; -1 deletes all."""
        self._keep_only(tuple(entry for entry in self.entries if entry.epoch <= epoch))

    def prune(self, keep_last: int = 0) -> None:
        """Delete checkpoints that were kept only as one of the last, at the end of a run.

        keep_last: how many of the last to keep.
        """
        self._keep_only(self._retention(keep_last).retained(self.entries))

    def ranks(self, metrics: Mapping[str, SupportsFloat]) -> bool:
        """Would a check with these metrics be among the `keep_best` by a monitored metric?"""
        entry = Checkpoint(_AFTER_ALL, "", False, as_floats(metrics))
        return any(entry in ranking.top((*self.entries, entry)) for ranking in self._rankings)

    @property
    def is_open(self) -> bool:
        """Whether the folder is still open for saving."""
        return self._disk.is_open

    def close(self) -> None:
        """Release the lock on the folder; the end of the process does, too.

        Does nothing in a forked process, which does not hold it.

        Raises CheckpointError if the folder was deleted or replaced; the lock is released then.
        """
        self._disk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:  # which is the one to raise
            self._disk.release()

    def __repr__(self) -> str:
        return f"Checkpoints({str(self.folder)!r}, {self.name!r})"

    def _retention(self, keep_last: int | None = None) -> Retention:
        keep_last = self.keep_last if keep_last is None else keep_last
        return Retention(keep_last, self.keep_every, self._rankings)

    def _keep_only(self, entries: tuple[Checkpoint, ...]) -> None:
        if entries != self.entries:
            self._disk.commit(entries)

    # Refusals --------------------------------------------------------------------------------

    def _checked_place(self, epoch: Any, step: Any, check: Any) -> Place:
        self._disk.check_usable()
        place = checked_place(epoch, step, check, "Checkpoints.save")
        refuse_earlier(place, check, self.last, self.folder)
        return place

    def _refuse_listed(self, file: str, entry: Checkpoint) -> None:
        for listed in self.entries:
            if listed.file == file:
                raise CheckpointError(taken_name(self.name, file, listed, entry))

    def _holds_earlier_run(self, ledger: Ledger) -> CheckpointError:
        best = newest_best(ledger.entries)
        return CheckpointError(
            f"the folder {str(self.folder)!r} holds the checkpoints of an earlier run (last "
            f"{ledger.entries[-1].where}, best {best.where if best else None}): pass "
            "resume=True to continue it, or choose another folder"
        )
