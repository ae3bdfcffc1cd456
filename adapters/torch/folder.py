"""The folder of a run, for all its ranks: rank 0 opens it, and shares its contents."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from earlystop.checkpoints import Checkpoint, Checkpoints
from earlystop.engine.ranks import Ranks, on_first
from earlystop.errors import CheckpointError, RuleError
from earlystop.language.direction import Mode
from earlystop.language.rule import Rule
from earlystop.rules.best import bests_within

from . import files
from .ranks import read_on_first

__all__ = ["RunFolder", "ranking"]


class RunFolder:
    """Checkpoints that only rank 0 opens and writes.

    All ranks call the same methods and get the same answers, and the same errors.

    checkpoints: the checkpoints on rank 0; None on the other ranks.
    """

    def __init__(self, ranks: Ranks, folder: str | Path, name: str, **settings: Any) -> None:
        self.checkpoints: Checkpoints | None = None
        self._ranks = ranks

        def open_folder() -> None:
            self.checkpoints = Checkpoints(folder, name, **settings)

        on_first(ranks, open_folder)

    def save(
        self,
        write: Callable[[Path], None],
        epoch: int,
        metrics: dict[str, float],
        best: bool,
        state: Mapping[str, Any],
    ) -> None:
        """See `Checkpoints.save`."""

        def save() -> None:
            self._opened().save(write, epoch=epoch, metrics=metrics, best=best, state=state)

        on_first(self._ranks, save)

    def last(self) -> Checkpoint | None:
        """The newest checkpoint; None before the first."""
        return on_first(self._ranks, lambda: self._opened().last)

    def read_best(self, epoch: int | None, entries: tuple[str, ...]) -> dict[str, Any]:
        """These entries of the file of the best epoch; without a best, each is None.

        epoch: the best epoch as the stopper knows it.

        Raises CheckpointError if that epoch is not in the folder, and what `read` raises.
        """
        best = on_first(self._ranks, lambda: self._opened().best)
        if epoch != (None if best is None else best.epoch):
            raise CheckpointError(f"the best, epoch {epoch}, is no longer in the folder")
        return dict.fromkeys(entries) if best is None else self.read(best, entries)

    def read(self, checkpoint: Checkpoint, entries: tuple[str, ...]) -> dict[str, Any]:
        """These entries of the file of a checkpoint.

        Raises CheckpointError for a checkpoint without a file, and what `files.read` raises.
        """

        def read() -> dict[str, Any]:
            path = self._opened().path(checkpoint)
            if path is None:
                raise CheckpointError(f"epoch {checkpoint.epoch} has no file")
            return files.read(path, entries)

        return read_on_first(self._ranks, read)

    def warn_of_lost_best(self, epoch: int | None) -> None:
        """Warn now, on rank 0, if the best epoch could not be restored after the last epoch.

        epoch: the best epoch as the stopper knows it.
        """
        if self.checkpoints is None or epoch is None:
            return
        best, path = self.checkpoints.best, self.checkpoints.best_path
        if best is None or best.epoch != epoch or path is None:
            told = f"is no longer in the folder {str(self.checkpoints.folder)!r}"
        elif problem := files.problem(path):
            told = f"cannot be restored from {str(path)!r}: {problem}"
        else:
            return
        warnings.warn(
            f"the best of this run, epoch {epoch}, {told}. Put the file back before you resume, or "
            "go on without: `restore_best` fails until an epoch is better",
            stacklevel=3,  # the caller of Training(...)
        )

    def best_weights(self) -> dict[str, Any] | None:
        """The weights of the best checkpoint; None before the first. Call it only on rank 0."""
        path = self._opened().best_path
        if path is None:
            return None
        weights: dict[str, Any] = files.read(path, ("model",))["model"]
        return weights

    def close(self) -> None:
        """Release the lock on the folder."""
        if self.checkpoints is not None:
            self.checkpoints.close()

    def _opened(self) -> Checkpoints:
        if self.checkpoints is None:
            raise CheckpointError("only rank 0 has the folder open")
        return self.checkpoints


def ranking(save: Rule, monitor: str | None, mode: Mode, keep_best: int) -> dict[str, Any]:
    """What `Checkpoints` ranks by: the metric that was asked for, or that of the save rule."""
    if monitor is not None:
        return {"monitor": monitor, "mode": mode}
    by = {(best.monitor, best.mode) for best in bests_within(save)}
    if len(by) == 1:
        return dict(zip(("monitor", "mode"), by.pop(), strict=True))
    if keep_best != 1:
        raise RuleError(
            f"`Training(keep_best={keep_best})` needs one metric to rank epochs by, and the save "
            f"rule {save!r} has {len(by) or 'none'}: pass `Training(monitor=..., mode=...)`"
        )
    return {}
