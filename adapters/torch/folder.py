"""The folder of a run, for all its ranks: rank 0 opens it, and shares its contents."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from earlystop._files.paths import local_path
from earlystop.checkpoints import Checkpoint, Checkpoints, MetricsFile, ranking_settings
from earlystop.checkpoints.ranking import KeepBest, Modes, Monitors
from earlystop.engine.decision import Decision, Place
from earlystop.engine.ranks import on_first
from earlystop.engine.reported import Check, with_place
from earlystop.engine.stopper import Stopper
from earlystop.errors import CheckpointError, CheckpointWarning, RuleError, warn_caller

from . import files
from .background import Background
from .contents import Contents, Writer
from .ranks import TorchRanks, on_all, read_on_first, write_together
from .rerun import OpenFolders
from .sharded import CONTENTS, check_metadata, filled

__all__ = ["RunFolder", "ranking"]


_open = OpenFolders()


class RunFolder:
    """Checkpoints that only rank 0 opens and writes.

    All ranks call the same methods and get the same answers, and the same errors.

    contents: what is written and read.
    asynchronous: write in the background. Then `save` returns before all is written, and the other
        methods wait until it is; `wait`, and the methods that say so, raise the error of writing.
    checks: the checks of the run that goes on in the folder.
    """

    def __init__(
        self,
        contents: Contents,
        folder: str | Path,
        name: str,
        asynchronous: bool = False,
        **settings: Any,
    ) -> None:
        self._checkpoints: Checkpoints | None = None
        self._contents, self._ranks = contents, TorchRanks()
        self._metrics_file: MetricsFile | None = None
        self._background: Background | None = None
        self._appended = -1
        if asynchronous:
            contents.will_copy()

        def open_folder() -> list[Check]:
            place = local_path(folder, "`Training(folder=...)`")
            _open.take_over(place, resume=settings["resume"])
            self._checkpoints = Checkpoints(folder, name, **settings)
            self._metrics_file = MetricsFile(self._checkpoints.folder)
            _open.add(self, place)
            try:
                return _checks_before(self._checkpoints, self._metrics_file, settings["resume"])
            except BaseException:
                self._checkpoints.close()
                raise

        self.checks = on_first(self._ranks, open_folder)
        if asynchronous:
            self._background = Background()

    @property
    def is_open(self) -> bool:
        """Whether this process holds the folder."""
        return self._checkpoints is not None and self._checkpoints.is_open

    @property
    def checkpoints(self) -> Checkpoints | None:
        """The checkpoints on rank 0; None on the other ranks."""
        self._settle()
        return self._checkpoints

    # Saving ----------------------------------------------------------------------------------

    def save(self, decision: Decision, metrics: dict[str, float], state: Mapping[str, Any]) -> None:
        """See `Checkpoints.save`; the metrics of every check are written, saved or not.

        When writing in the background, call `wait` before; a check that stops the run is waited
        for.
        """
        write = functools.partial(self._write, decision, metrics, state)
        background = self._background
        if background is None or not on_first(self._ranks, lambda: self._wants(decision, metrics)):
            write(self._contents.writer(), self._ranks)
            return
        writer = on_all(self._ranks, lambda: self._contents.writer(of_copy=True))
        background.start(lambda: write(writer, background.ranks), _where(decision))
        if decision.stop:
            background.wait()

    def _wants(self, decision: Decision, metrics: dict[str, float]) -> bool:
        return self._opened()[0].wants(**_told(decision), metrics=metrics, best=decision.save)

    def _write(
        self,
        decision: Decision,
        metrics: dict[str, float],
        state: Mapping[str, Any],
        writer: Writer,
        ranks: TorchRanks,
    ) -> None:
        check, told = decision.check, _told(decision)

        def save(write: Callable[[Path], None]) -> None:
            checkpoints, metrics_file = self._opened()
            if checkpoints.is_open:
                self._append(metrics_file, check, with_place(metrics, decision.place))
            try:
                checkpoints.save(write, **told, metrics=metrics, best=decision.save, state=state)
            except BaseException:
                last = checkpoints.last
                undone = self._background is None or decision.stop  # else the run has gone on
                if checkpoints.is_open and undone and (last is None or last.check < check):
                    metrics_file.cut_after(check - 1)
                raise

        if (shards := writer.shards) is None:
            on_first(ranks, lambda: save(writer.first))
        else:
            state = {**state, "shards": ranks.size}
            write_together(ranks, save, lambda path: shards(path, ranks.group), writer.first)

    def _append(self, metrics_file: MetricsFile, check: int, metrics: dict[str, float]) -> None:
        if check <= self._appended:  # of a step that was undone after that
            metrics_file.cut_after(check - 1)
        metrics_file.append(check, metrics)
        self._appended = check

    def wait(self) -> None:
        """Wait until all is written. Raises CheckpointError, on all ranks, if it failed."""
        if self._background is not None:
            self._background.wait()

    def _settle(self) -> None:
        if self._background is not None:
            self._background.settle()

    # Reading ---------------------------------------------------------------------------------

    def last(self) -> Checkpoint | None:
        """The newest checkpoint; None before the first."""
        self._settle()
        return on_first(self._ranks, lambda: self._opened()[0].last)

    def resume(self, best: Callable[[], Place | None]) -> None:
        """Resume from the newest checkpoint, if there is one; release the folder if that fails.

        best: returns where the best stands as the stopper knows it.

        Warns, on rank 0, if the best could not be restored after the last epoch.
        """
        try:
            last = self.last()
            if last is not None:
                saved = self.read(last, ("model", "parts", "rng"))
                self._contents.resume(saved, last.state, "in the folder")
            self._warn_of_lost_best(best())
        except BaseException:
            self.close()
            raise

    def read_best(self, place: Place | None, entries: tuple[str, ...]) -> dict[str, Any]:
        """These entries of the file of the best; without a best, each is None.

        place: where the best stands as the stopper knows it.

        Raises CheckpointError if that is not in the folder, what `wait` and `read` raise.
        """
        self.wait()
        best = on_first(self._ranks, lambda: self._opened()[0].best)
        if (None if place is None else place.check) != (None if best is None else best.check):
            raise CheckpointError(f"the best, {place}, is no longer in the folder")
        return dict.fromkeys(entries) if best is None else self.read(best, entries)

    def read(self, checkpoint: Checkpoint, entries: tuple[str, ...]) -> dict[str, Any]:
        """These entries of the file of a checkpoint, or of its folder if the model was sharded.

        Raises CheckpointError for a checkpoint without a file, and what `files.read` raises.
        """

        def read() -> dict[str, Any]:
            path = self._opened()[0].path(checkpoint)
            if path is None:
                raise CheckpointError(f"{checkpoint.where} has no file")
            if path.is_dir():
                check_metadata(path)
                return {"shards": str(path), **files.read(path / CONTENTS, entries)}
            return files.read(path, entries)

        saved = read_on_first(self._ranks, read)
        shards = saved.pop("shards", None)
        result: dict[str, Any]
        result = (
            saved if shards is None else filled(saved, self._contents.like(saved), Path(shards))
        )
        return result

    def _warn_of_lost_best(self, place: Place | None) -> None:
        if self._checkpoints is None or place is None:
            return
        if any(lost.check == place.check for lost in self._checkpoints.lost):
            return  # that has been told when the folder was opened
        best, path = self._checkpoints.best, self._checkpoints.best_path
        if best is None or best.check != place.check or path is None:
            told = f"is no longer in the folder {str(self._checkpoints.folder)!r}"
        elif problem := files.problem(path / CONTENTS if path.is_dir() else path):
            told = f"cannot be restored from {str(path)!r}: {problem}"
        else:
            return
        warn_caller(
            f"the best of this run, {place}, {told}. Put the file back before you resume, or "
            "go on without: `restore_best` fails until an epoch is better",
            CheckpointWarning,
        )

    def best_weights(self) -> dict[str, Any] | None:
        """The weights of the best checkpoint; None before the first. Call it only on rank 0."""
        self._settle()
        path = self._opened()[0].best_path
        if path is None:
            return None
        if path.is_dir():
            raise CheckpointError(f"the best weights are sharded, in the folder {str(path)!r}")
        weights: dict[str, Any] = files.read(path, ("model",))["model"]
        return weights

    def close(self) -> None:
        """Sync the metrics to the disk, and release the lock. Raises what `wait` raises."""
        self._settle()  # nothing may be written without the lock, even after an interrupt of this
        background, self._background = self._background, None
        try:
            self._release()
        finally:
            if background is not None:
                background.close()

    def _release(self) -> None:
        if self._checkpoints is None or self._metrics_file is None:
            return
        try:
            if self._checkpoints.is_open:
                self._metrics_file.sync()
        finally:
            self._checkpoints.close()

    def _opened(self) -> tuple[Checkpoints, MetricsFile]:
        if self._checkpoints is None or self._metrics_file is None:
            raise CheckpointError("only rank 0 has the folder open")
        return self._checkpoints, self._metrics_file


def _checks_before(
    checkpoints: Checkpoints, metrics_file: MetricsFile, resume: bool
) -> list[Check]:
    """The checks of the run that goes on in a folder."""
    if not resume:
        metrics_file.refuse_earlier_run()
    last = -1 if checkpoints.last is None else checkpoints.last.check
    listed = [(e.check, with_place(e.metrics, e.place)) for e in checkpoints.entries]
    return metrics_file.go_on_after(last, listed)


def _told(decision: Decision) -> dict[str, Any]:
    """The arguments of `Checkpoints` that say where a check stands."""
    return {"epoch": decision.check} if decision.place is None else decision.place._asdict()


def _where(decision: Decision) -> str:
    return str(decision.place or Place(decision.check))


def ranking(
    stopper: Stopper, monitor: Monitors | None, mode: Modes, keep_best: KeepBest
) -> dict[str, Any]:
    """The arguments for what `Checkpoints` ranks by: as given, or the metrics of the save rule."""
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
