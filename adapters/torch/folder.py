"""The folder of a run, for all its ranks: rank 0 opens it, and shares its contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from earlystop.checkpoints import Checkpoint, Checkpoints, MetricsFile
from earlystop.engine.ranks import Ranks, on_first
from earlystop.errors import CheckpointError

from . import files
from .contents import Writer
from .ranks import read_on_first, write_together
from .sharded import CONTENTS, check_metadata, filled

__all__ = ["RunFolder"]


class RunFolder:
    """Checkpoints that only rank 0 opens and writes.

    All ranks call the same methods and get the same answers, and the same errors.

    checkpoints: the checkpoints on rank 0; None on the other ranks.
    checks: the checks of the run that goes on in the folder, as (epoch, metrics).
    """

    def __init__(self, ranks: Ranks, folder: str | Path, name: str, **settings: Any) -> None:
        self.checkpoints: Checkpoints | None = None
        self._ranks = ranks
        self._metrics_file: MetricsFile | None = None

        def open_folder() -> list[tuple[int, dict[str, float]]]:
            self.checkpoints = Checkpoints(folder, name, **settings)
            self._metrics_file = MetricsFile(self.checkpoints.folder)
            try:
                return _checks_before(self.checkpoints, self._metrics_file, settings["resume"])
            except BaseException:
                self.checkpoints.close()
                raise

        self.checks = on_first(ranks, open_folder)

    def save(
        self,
        writer: Writer,
        epoch: int,
        metrics: dict[str, float],
        best: bool,
        state: Mapping[str, Any],
    ) -> None:
        """See `Checkpoints.save`; the metrics of every epoch are written, saved or not."""

        def save(write: Callable[[Path], None]) -> None:
            checkpoints, metrics_file = self._opened()
            if checkpoints.is_open:
                metrics_file.append(epoch, metrics)
            try:
                checkpoints.save(write, epoch=epoch, metrics=metrics, best=best, state=state)
            except BaseException:
                last = checkpoints.last
                if checkpoints.is_open and (last is None or last.epoch < epoch):
                    metrics_file.cut_after(epoch - 1)
                raise

        if writer.shards is None:
            on_first(self._ranks, lambda: save(writer.first))
        else:
            state = {**state, "shards": self._ranks.size}
            write_together(self._ranks, save, writer.shards, writer.first)

    def last(self) -> Checkpoint | None:
        """The newest checkpoint; None before the first."""
        return on_first(self._ranks, lambda: self._opened()[0].last)

    def best(self) -> Checkpoint | None:
        """The best checkpoint; None before the first."""
        return on_first(self._ranks, lambda: self._opened()[0].best)

    def read(
        self,
        checkpoint: Checkpoint,
        entries: tuple[str, ...],
        like: Callable[[Mapping[str, Any]], Any],
    ) -> dict[str, Any]:
        """These entries of the file of a checkpoint, or of its folder if the model was sharded.

        like: is given the entries, and returns states whose tensors are sharded as these shall be.

        Raises CheckpointError for a checkpoint without a file, and what `files.read` raises.
        """

        def read() -> dict[str, Any]:
            path = self._opened()[0].path(checkpoint)
            if path is None:
                raise CheckpointError(f"epoch {checkpoint.epoch} has no file")
            if path.is_dir():
                check_metadata(path)
                return {"shards": str(path), **files.read(path / CONTENTS, entries)}
            return files.read(path, entries)

        saved = read_on_first(self._ranks, read)
        shards = saved.pop("shards", None)
        result: dict[str, Any]
        result = saved if shards is None else filled(saved, like(saved), Path(shards))
        return result

    def best_weights(self) -> dict[str, Any] | None:
        """The weights of the best checkpoint; None before the first. Call it only on rank 0."""
        path = self._opened()[0].best_path
        if path is None:
            return None
        if path.is_dir():
            raise CheckpointError(f"the best weights are sharded, in the folder {str(path)!r}")
        weights: dict[str, Any] = files.read(path, ("model",))["model"]
        return weights

    def close(self) -> None:
        """Bring the metrics to the disk, and release the lock on the folder."""
        if self.checkpoints is None or self._metrics_file is None:
            return
        try:
            if self.checkpoints.is_open:
                self._metrics_file.sync()
        finally:
            self.checkpoints.close()

    def _opened(self) -> tuple[Checkpoints, MetricsFile]:
        if self.checkpoints is None or self._metrics_file is None:
            raise CheckpointError("only rank 0 has the folder open")
        return self.checkpoints, self._metrics_file


def _checks_before(
    checkpoints: Checkpoints, metrics_file: MetricsFile, resume: bool
) -> list[tuple[int, dict[str, float]]]:
    """The checks of the run that goes on in a folder."""
    if not resume:
        metrics_file.refuse_earlier_run()
    last = -1 if checkpoints.last is None else checkpoints.last.epoch
    return metrics_file.go_on_after(last, [(e.epoch, e.metrics) for e in checkpoints.entries])
