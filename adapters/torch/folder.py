"""The folder of a run, for all its ranks: rank 0 opens it, and shares its contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from earlystop.checkpoints import Checkpoint, Checkpoints, MetricsFile, ranking_settings
from earlystop.checkpoints.ranking import KeepBest, Modes, Monitors
from earlystop.engine.ranks import Ranks, on_first
from earlystop.engine.stopper import Stopper
from earlystop.errors import CheckpointError, CheckpointWarning, RuleError, warn_caller

from . import files
from .contents import Contents, Writer
from .ranks import read_on_first, write_together
from .sharded import CONTENTS, check_metadata, filled

__all__ = ["RunFolder", "ranking"]


Like = Callable[[Mapping[str, Any]], Any]


class RunFolder:
    """Checkpoints that only rank 0 opens and writes.

    All ranks call the same methods and get the same answers, and the same errors.

    like: is given entries that were read, and returns states whose tensors are sharded as those in
        the entries shall be.
    checkpoints: the checkpoints on rank 0; None on the other ranks.
    checks: the checks of the run that goes on in the folder, as (epoch, metrics).
    """

    def __init__(
        self, ranks: Ranks, folder: str | Path, name: str, like: Like, **settings: Any
    ) -> None:
        self.checkpoints: Checkpoints | None = None
        self._ranks, self._like = ranks, like
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

    def resume(self, contents: Contents) -> None:
        """Resume from the newest checkpoint, if there is one."""
        last = self.last()
        if last is not None:
            saved = self.read(last, ("model", "parts", "rng"))
            contents.resume(saved, last.state, "in the folder")

    def read_best(self, epoch: int | None, entries: tuple[str, ...]) -> dict[str, Any]:
        """These entries of the file of the best epoch; without a best, each is None.

        epoch: the best epoch as the stopper knows it.

        Raises CheckpointError if that epoch is not in the folder, and what `read` raises.
        """
        best = on_first(self._ranks, lambda: self._opened()[0].best)
        if epoch != (None if best is None else best.epoch):
            raise CheckpointError(f"the best, epoch {epoch}, is no longer in the folder")
        return dict.fromkeys(entries) if best is None else self.read(best, entries)

    def read(self, checkpoint: Checkpoint, entries: tuple[str, ...]) -> dict[str, Any]:
        """These entries of the file of a checkpoint, or of its folder if the model was sharded.

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
        result = saved if shards is None else filled(saved, self._like(saved), Path(shards))
        return result

    def warn_of_lost_best(self, epoch: int | None) -> None:
        """Warn now, on rank 0, if the best epoch could not be restored after the last epoch.

        epoch: the best epoch as the stopper knows it.
        """
        if self.checkpoints is None or epoch is None:
            return
        if any(lost.epoch == epoch for lost in self.checkpoints.lost):
            return  # that has been told when the folder was opened
        best, path = self.checkpoints.best, self.checkpoints.best_path
        if best is None or best.epoch != epoch or path is None:
            told = f"is no longer in the folder {str(self.checkpoints.folder)!r}"
        elif problem := files.problem(path / CONTENTS if path.is_dir() else path):
            told = f"cannot be restored from {str(path)!r}: {problem}"
        else:
            return
        warn_caller(
            f"the best of this run, epoch {epoch}, {told}. Put the file back before you resume, or "
            "go on without: `restore_best` fails until an epoch is better",
            CheckpointWarning,
        )

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


def ranking(
    stopper: Stopper, monitor: Monitors | None, mode: Modes, keep_best: KeepBest
) -> dict[str, Any]:
    """What `Checkpoints` ranks and names by: as asked for, or by the metrics of the save rule."""
    missing = {"missing": "none"} if stopper.on_missing == "skip" else {}
    if monitor is not None or isinstance(keep_best, Mapping):
        return {"monitor": monitor, "mode": mode, **missing}
    by = ranking_settings(stopper.save)
    if not by and keep_best != 1:
        raise RuleError(
            f"`Training(keep_best={keep_best})` needs a metric to rank epochs by, and the save "
            f"rule {stopper.save!r} has none: pass `Training(monitor=..., mode=...)`"
        )
    return {**by, **missing}
