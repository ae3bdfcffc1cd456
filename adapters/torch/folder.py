"""The folder of a run, for all its ranks: rank 0 opens it, and shares its contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from earlystop.checkpoints import Checkpoint, Checkpoints
from earlystop.engine.ranks import Ranks, on_first
from earlystop.errors import CheckpointError

from . import files
from .ranks import read_on_first

__all__ = ["RunFolder"]


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

    def best(self) -> Checkpoint | None:
        """The best checkpoint; None before the first."""
        return on_first(self._ranks, lambda: self._opened().best)

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
