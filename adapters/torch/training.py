"""`Training`: one call per check decides and saves, and a run can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat

from earlystop._files.paths import expanded, local_path
from earlystop.checkpoints import Checkpoints, write_atomically
from earlystop.checkpoints.ranking import KeepBest, Modes, Monitors, Ties
from earlystop.engine.decision import Decision
from earlystop.engine.reported import Reported, with_place
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.engine.stopwatch import Stopwatch
from earlystop.errors import RuleError
from earlystop.language.keywords import by_keyword
from earlystop.language.positions import ELAPSED, EPOCH
from earlystop.language.settings import validated
from earlystop.rules.top_k import check_last_is_best

from ..loop import LoopError
from ..preemption import Preemption, checked_preemption
from . import files
from .contents import Contents, Models
from .epochs import Epochs
from .folder import RunFolder, ranking
from .metrics import numbers
from .parts import WhichParts, named_parts
from .ranks import TorchRanks, read_on_first
from .weights import BestInMemory

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["Training"]

BestOn = Literal["cpu", "device"]
MetricsOf = Literal["first", "mean"]


class Training:
    """A stopper and a model: one call per check decides and saves, and a run can be resumed.

    stopper: decides.
    model: the model to save and restore, or a dict of several by their names, such as the two of a
        GAN. If it is wrapped by DistributedDataParallel or torch.compile, the inner model is used,
        so that weights have the model's own names.
    averaged: an average of the model's weights that you validate in place of the model, such as
        `torch.optim.swa_utils.AveragedModel(model)`; of several models, a dict of averages. Its
        weights are then what is kept as the best, under the model's own names, and restored into
        both; a resumed run goes on with both as they were. Where there are BatchNorm layers, call
        `torch.optim.swa_utils.update_bn(loader, averaged)` before you validate and `step`.
    folder: where checkpoints are written, each with everything needed to resume from it. By
        default, the best weights are kept in memory.
    resume: continue the run in the folder, if it holds one; otherwise such a folder is refused.
    rng: save the state of the random generators (Python's, NumPy's if it is loaded, PyTorch's, on
        all devices), and restore it on resuming.
    keep_best, keep_last, keep_every: which checkpoints stay in the folder, as in `Checkpoints`.
        With keep_last=0, an epoch that is not among the best is not written at all; a resumed run
        then continues from the newest checkpoint that was.
    monitor, mode, ties: what `keep_best` ranks by, as in `Checkpoints`; by default, the metrics of
        every `Best` in the save rule.
    name: a template for file names, as in `Checkpoints`; "none" stands for a missing metric.
    best_on: where the best weights are kept without a folder: "cpu" or the model's "device".
    ranks: whose metrics to use when torch.distributed is initialized: "first" (those of rank 0),
        or "mean" (the mean over all ranks, which report the same names). All ranks create a
        Training and call the same methods; all get the same decisions; only rank 0 writes, but for
        the shards of a sharded model (`fully_shard`, DTensors): then a checkpoint is a folder.
    changed_rules: resume a run that was saved under other numbers, such as less patience, and go on
        with those of this stopper, as in `Stopper.load_state_dict`; it goes on after a stop, too,
        unless they stop it at the same epoch.
    changed_parts: resume a run that was saved with other parts: those that both have are loaded, a
        new one begins as it is, one that is left out is passed over.
    asynchronous: write checkpoints in the background: `step` returns once all has been copied to
        the memory of the CPU, unless it stops the run. The next `step`, `restore_best` or `close`
        waits until it is on the disk, and raises CheckpointError, which names the epoch, if it
        could not be written: that epoch is then not in the folder, and the run can go on.
    preemption: leaves the run in time when its process is about to be killed, to resume it later.
    progress: show a progress bar of `epochs`, on rank 0 (needs tqdm).
    clock: returns seconds; the time since the run began is added as "elapsed_seconds".
    parts: other objects to save, by name: optimizer=..., scheduler=..., anything with `state_dict`
        and `load_state_dict`, a torch.Generator, or a list or dict of these, whose parts are named
        "optimizer.0" or "optimizer.generator". None is no part: scheduler=None.

    Files are read with weights_only=True: nothing in them is executed. Outside this library,
    `torch.load(path, weights_only=True)["model"]` gives the weights. A run is resumed as a whole
    or, if anything of it does not fit, not at all. A best that is missing from the folder, or
    damaged, is warned of when the run is resumed.

    Raises RuleTypeError and RuleError for invalid arguments, CheckpointError for a folder that
    cannot be used, StateError for a saved run with other rules or parts.

    >>> import earlystop as es, torch
    >>> model = torch.nn.Linear(1, 1)
    >>> training = Training(es.EarlyStopping("val_loss", patience=2), model)
    >>> losses = [0.9, 0.5, 0.7, 0.6, 0.1]
    >>> for epoch in training.epochs(5):
    ...     _ = torch.nn.init.constant_(model.weight, epoch)
    ...     decision = training.step(val_loss=torch.tensor(losses[epoch]))
    >>> print(decision)
    epoch 3: stop: val_loss has not improved on 0.5 (epoch 1) by more than 0 for 2 epochs
    >>> training.restore_best(), model.weight.item()
    (1, 1.0)
    """

    @by_keyword("optimizer")
    def __init__(
        self,
        stopper: Stopper,
        model: Models,
        *,
        averaged: Any = None,
        folder: str | Path | None = None,
        resume: bool = False,
        rng: bool = False,
        keep_best: KeepBest = 1,
        keep_last: int = 1,
        keep_every: int | None = None,
        monitor: Monitors | None = None,
        mode: Modes = "auto",
        ties: Ties = "earlier",
        name: str = "{epoch:04d}.pt",
        best_on: BestOn = "cpu",
        ranks: MetricsOf = "first",
        changed_rules: bool = False,
        changed_parts: bool = False,
        asynchronous: bool = False,
        preemption: Preemption | None = None,
        progress: bool = False,
        clock: Callable[[], float] = time.monotonic,
        **parts: Any,
    ) -> None:
        self._session = Session(
            stopper,
            "Training",
            to_floats=numbers,
            ranks=TorchRanks(),
            average=validated(MetricsOf, ranks, "Training(ranks=...)") == "mean",
            stopwatch=Stopwatch(clock),
        )
        check_last_is_best(stopper.save, "Training")
        for setting, given in {"resume": resume, "asynchronous": asynchronous}.items():
            if validated(bool, given, f"Training({setting}=...)") and folder is None:
                raise RuleError(f"`Training({setting}=...)` needs a folder that the run is kept in")
        self.stopper = stopper
        preemption = checked_preemption(preemption, "Training", saves=folder is not None)
        self._epochs = Epochs(self._session, preemption, progress=progress)
        changed = {"changed_rules": changed_rules, "changed_parts": changed_parts}
        self._contents = Contents(
            self._session, model, parts, rng=rng, averaged=averaged, **changed
        )
        self._in_memory = BestInMemory(validated(BestOn, best_on, "Training(best_on=...)") == "cpu")
        self._reported = Reported()
        self._folder: RunFolder | None = None
        if folder is not None:
            keep = {"keep_best": keep_best, "keep_last": keep_last, "keep_every": keep_every}
            by = {"resume": resume, "ties": ties, **ranking(stopper, monitor, mode, keep_best)}
            self._folder = RunFolder(self._contents, folder, name, asynchronous, **by, **keep)
            self._reported = Reported(self._folder.checks)
            self._folder.resume(lambda: self._session.best_place)
        self._session.stopwatch.start()

    # The epochs ------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The epoch to train next, from 0; one that is begun, if the last check was within it."""
        return self._epochs.next

    @property
    def model(self) -> Any:
        """The model or the dict of models, without the wrappers of torch.compile and the like."""
        return self._contents.model

    @property
    def checkpoints(self) -> Checkpoints | None:
        """The checkpoints in the folder; None without a folder, and on all ranks but rank 0."""
        return None if self._folder is None else self._folder.checkpoints

    @property
    def elapsed_seconds(self) -> float:
        """The time since the run began, in seconds, its parts before it was resumed included."""
        return self._session.elapsed_seconds

    @property
    def history(self) -> dict[str, list[float | None]]:
        """What was reported at every check of the run, by metric; None where a check lacked one.

        It includes "elapsed_seconds", "epoch" and "step" where they were given, and what was
        reported before the run was resumed. The folder has it, too (`metrics.jsonl`), for
        `earlystop.read_history(folder)`; to replay this, `History.from_runs([training.history])`.
        """
        return self._reported.columns()

    def epochs(self, max_epochs: int) -> Iterator[int]:
        """The epochs left to train, until the stopper stops or `max_epochs` have been trained.

        Raises LoopError for an epoch without exactly one `step`, unless each `step` is given its
        epoch or its step: then an epoch may have several, or none.
        """
        return self._epochs.loop(max_epochs)

    def step(
        self,
        metrics: Mapping[str, Any] | None = None,
        /,
        *,
        epoch: SupportsFloat | None = None,
        step: SupportsFloat | None = None,
        **more: Any,
    ) -> Decision:
        """Take the metrics of a check, decide, and save if the decision says so.

        Metrics are passed as a mapping, as keywords, or both: numbers or 0-d tensors, which are
        transferred from their device all at once.

        epoch, step: where the check stands, as in `Stopper.step`. A run is resumed within an epoch
            if a fraction tells how many are done: `epoch=epoch + (batch + 1) / batches`.

        Raises what `Stopper.step` and `Checkpoints.save` raise, on all ranks alike. You can then
        repeat the step, unless the check was saved in spite of the error.
        """
        session = self._session
        if self._folder is not None:
            self._folder.wait()
        told = self._epochs.told(metrics if metrics is not None else more, epoch, step)
        values = session.collect(metrics, {**more, **told})
        at = {name: values.pop(name, None) for name in told}
        before, best = self.stopper.snapshot(), self._in_memory.weights
        try:
            self._epochs.begin_check(at.get(EPOCH, values.get(EPOCH)))
            decision = session.step(values, **at)
            reported = with_place(values, decision.place)
            if self._folder is not None or decision.save:
                self._save(decision, values)
        except BaseException as error:
            # Other ranks do not notice an interruption of this one, so it must not wait for them.
            together = isinstance(error, Exception) or session.ranks.size == 1
            if together and not self._is_saved(before.checks, best):
                self.stopper.restore(before)
            raise
        self._reported.add(reported, decision.check)
        self._epochs.show(values)
        return decision

    def _save(self, decision: Decision, values: dict[str, float]) -> None:
        if self._folder is None:
            self._in_memory.take(self._contents.weights())
        else:
            self._folder.save(decision, values, self._session.state_dict(values[ELAPSED]))

    def _is_saved(self, check: int, best_before: object) -> bool:
        if self._folder is None:
            return self._in_memory.weights is not best_before
        last = self._folder.last()
        return last is not None and last.check == check

    def restore_best(self, parts: WhichParts = False) -> float | None:
        """Load the weights of the best epoch into the model; return that epoch, or None if none.

        parts: other parts to restore to that epoch, too, from a folder: True for all, or their
            names. With "averaged", the model gets its weights in training, not their average.

        Raises CheckpointError if the best epoch is missing from the folder or memory, RuleError for
        unknown parts, StateError if one does not fit; then everything is unchanged.
        """
        chosen = named_parts(self._contents.parts, parts, "restore_best")
        best = self._session.best_place
        if self._folder is not None:
            saved = self._folder.read_best(best, ("model", "parts"))
        elif chosen:
            raise RuleError(
                "`restore_best(parts=...)` needs `Training(folder=...)`: without it, only the "
                "weights of the best epoch are kept"
            )
        else:
            saved = self._in_memory.read_best(best)
        if saved["model"] is None:
            return None
        self._contents.restore(saved, chosen, f"the best, {best}")
        return self.stopper.best_epoch

    def close(self) -> None:
        """Release the lock on the folder, once all is written; the end of the process does, too."""
        if self._folder is not None:
            self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After an error the ranks may be at different epochs, so they cannot act together.
        try:
            if error is None or not (self._epochs.has_left or self._session.ranks.size > 1):
                self.restore_best()
        finally:
            self.close()

    # Files -----------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write everything needed to resume from here to a file, completely or not at all.

        The file includes the best weights so far. A Training with a folder does not need this, as
        every `step` saves to the folder. All ranks call it; rank 0 writes.

        Raises CheckpointError if the disk refuses.
        """
        target = local_path(path, "`Training.save(path)`")
        state = {**self._session.state_dict(), **self._reported.state_dict()}
        best = self._folder.best_weights if self._folder else lambda: self._in_memory.weights
        write = self._contents.writer(state, best).first
        self._session.on_first(lambda: write_atomically(target, write))

    def load(self, path: str | Path) -> None:
        """Resume from a file that `save` wrote: decisions are those of a run never interrupted.

        Use it without a folder; a Training with a folder resumes from that (`resume=True`).

        Raises LoopError if there is a folder, CheckpointError for a file that cannot be read,
        StateError for one that is damaged or does not fit; then everything is unchanged.
        """
        if self._folder is not None:
            raise LoopError(
                "`Training.load` would leave the folder with checkpoints of another run: make a "
                "Training without a folder, or resume the run in the folder by resume=True"
            )
        source = Path(expanded(path, "`Training.load(path)`"))
        saved = read_on_first(self._session.ranks, lambda: files.read_run(source))
        where = f"in {str(path)!r}"
        reported = Reported.from_state(saved["state"], where)
        self._contents.resume(saved, saved["state"], where)
        self._in_memory.resume(saved["best"], self._session.best_place)
        self._epochs.forget()
        self._reported = reported
        self._session.stopwatch.start()

    def __repr__(self) -> str:
        return f"Training({self.stopper!r}, {self._contents.kinds()})"
