"""`Training`: one call per epoch decides and saves, and a run can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import torch

from earlystop.checkpoints import Checkpoints, write_atomically
from earlystop.engine.decision import Decision
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.engine.stopwatch import Stopwatch
from earlystop.errors import CheckpointError, RuleError, RuleTypeError, StateError
from earlystop.language.keywords import by_keyword
from earlystop.language.settings import Positive, validated
from earlystop.rules import ELAPSED, Best

from ..loop import LoopError
from . import files
from .folder import RunFolder
from .metrics import numbers
from .parts import check_names, checked_parts, load_states, states_of
from .ranks import TorchRanks, read_on_first
from .rng import check_random_states, random_state, set_random_state
from .weights import BestInMemory, check_not_sharded, load_weights, unwrapped, weights_of

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["Training"]

BestOn = Literal["cpu", "device"]
MetricsOf = Literal["first", "mean"]


class Training:
    """A stopper and a model: one call per epoch decides and saves, and a run can be resumed.

    stopper: decides.
    model: the model to save and restore. If it is wrapped by DistributedDataParallel or
        torch.compile, the inner model is used, so that weights have the model's own names.
    folder: where checkpoints are written, each with everything needed to resume from it. By
        default, the best weights are kept in memory.
    resume: continue the run in the folder, if it holds one; otherwise such a folder is refused.
    rng: save the state of the random generators (Python's, NumPy's if it is loaded, PyTorch's, on
        all devices), and restore it on resuming.
    keep_best, keep_last, keep_every: which checkpoints stay in the folder, as in `Checkpoints`.
        With keep_last=0, an epoch that is not among the best is not written at all; a resumed run
        then continues from the newest checkpoint that was.
    name: a template for file names, as in `Checkpoints`.
    best_on: where the best weights are kept without a folder: "cpu", or "device" for that of the
        model.
    ranks: whose metrics to use when torch.distributed is initialized: "first" (those of rank 0),
        or "mean" (the mean over all ranks, which report the same names). All ranks create a
        Training and call the same methods; all get the same decisions; only rank 0 writes.
    clock: returns seconds; the time since the run began is added as "elapsed_seconds".
    parts: other objects to save, by name: optimizer=..., scheduler=..., anything with `state_dict`
        and `load_state_dict`, or a torch.Generator.

    Files are read with weights_only=True: nothing in them is executed. Outside this library,
    `torch.load(path, weights_only=True)["model"]` gives the weights.

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
        model: torch.nn.Module,
        *,
        folder: str | Path | None = None,
        resume: bool = False,
        rng: bool = False,
        keep_best: int = 1,
        keep_last: int = 1,
        keep_every: int | None = None,
        name: str = "{epoch:04d}.pt",
        best_on: BestOn = "cpu",
        ranks: MetricsOf = "first",
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
        if not isinstance(model, torch.nn.Module):
            raise RuleTypeError(f"`Training(model)` must be a torch.nn.Module, got {model!r:.80}")
        if folder is None and resume:
            raise RuleError("`Training(resume=...)` needs a folder that the run is kept in")
        self.stopper = stopper
        self.model = unwrapped(model)
        check_not_sharded(self.model)
        self._parts = checked_parts(parts)
        self._rng = rng
        best_on = validated(BestOn, best_on, "Training(best_on=...)")
        self._in_memory = BestInMemory(to_cpu=best_on == "cpu")
        self._verified = False
        self._folder: RunFolder | None = None
        if folder is not None:
            keep = {"keep_best": keep_best, "keep_last": keep_last, "keep_every": keep_every}
            best = stopper.save
            by = {"monitor": best.monitor, "mode": best.mode} if isinstance(best, Best) else {}
            self._folder = RunFolder(self._session.ranks, folder, name, resume=resume, **by, **keep)
            try:
                self._resume(self._folder)
            except BaseException:
                self.close()
                raise
        self._session.stopwatch.start()

    # The epochs ------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The epoch to train next, counted from 0."""
        return self.stopper.epoch

    @property
    def checkpoints(self) -> Checkpoints | None:
        """The checkpoints in the folder; None without a folder, and on all ranks but rank 0."""
        return None if self._folder is None else self._folder.checkpoints

    @property
    def elapsed_seconds(self) -> float:
        """The time since the run began, in seconds, including its parts before it was resumed."""
        return self._session.elapsed_seconds

    def epochs(self, max_epochs: int) -> Iterator[int]:
        """The epochs left to train, until the stopper stops or `max_epochs` have been trained.

        Raises LoopError for an epoch without exactly one `step`.
        """
        max_epochs = validated(Positive, max_epochs, "Training.epochs(max_epochs)")
        while not self.stopper.stopped and self.epoch < max_epochs:
            epoch = self.epoch
            yield epoch
            if self.epoch != epoch + 1:
                raise LoopError(
                    f"epoch {epoch} was stepped {self.epoch - epoch} times: call "
                    "`training.step(val_loss=...)` once in every epoch"
                )

    def step(self, metrics: Mapping[str, Any] | None = None, /, **more: Any) -> Decision:
        """Take the metrics of an epoch, decide, and save if the decision says so.

        Metrics are passed as a mapping, as keywords, or both: numbers or 0-d tensors, which are
        transferred from their device all at once.

        Raises what `Stopper.step` and `Checkpoints.save` raise, on all ranks alike. You can then
        repeat the step, unless the epoch was saved in spite of the error.
        """
        session = self._session
        values = session.collect(metrics, more)
        before = self.stopper.snapshot()
        decision = session.step(values)
        if self._folder is None and not decision.save:
            return decision
        try:
            self._save(decision, values)
        except BaseException as error:
            # Other ranks do not notice an interruption of this one, so it must not wait for them.
            together = isinstance(error, Exception) or session.ranks.size == 1
            if together and not self._is_saved(decision.epoch):
                self.stopper.restore(before)
            raise
        return decision

    def _save(self, decision: Decision, values: dict[str, float]) -> None:
        if self._folder is None:
            self._in_memory.take(weights_of(self.model))
            return
        state = self._session.state_dict(values[ELAPSED])
        self._folder.save(self._writer(), decision.epoch, values, decision.save, state)

    def _is_saved(self, epoch: int) -> bool:
        last = None if self._folder is None else self._folder.last()
        return last is not None and last.epoch == epoch

    def restore_best(self) -> int | None:
        """Load the weights of the best epoch into the model; return that epoch, or None if none.

        The optimizer and other parts are unchanged.

        Raises CheckpointError if the best epoch is missing from the folder.
        """
        best_epoch = self.stopper.best_epoch
        if self._folder is None:
            if self._in_memory.weights is None:
                return None
            load_weights(self.model, self._in_memory.weights)
            return best_epoch
        best = self._folder.best()
        if best_epoch != (None if best is None else best.epoch):
            raise CheckpointError(f"the best, epoch {best_epoch}, is no longer in the folder")
        if best is not None:
            load_weights(self.model, self._folder.read(best, ("model",))["model"])
        return best_epoch

    def close(self) -> None:
        """Release the lock on the folder; the end of the process does, too."""
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
        if error is None or self._session.ranks.size == 1:
            self.restore_best()
        self.close()

    # Files -----------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write everything needed to resume from here to a file, completely or not at all.

        The file includes the best weights so far. A Training with a folder does not need this, as
        every `step` saves to the folder. All ranks call it; rank 0 writes.

        Raises CheckpointError if the disk refuses.
        """
        write = self._writer(self._session.state_dict(), with_best=True)
        self._session.on_first(lambda: write_atomically(Path(path), write))

    def load(self, path: str | Path) -> None:
        """Resume from a file that `save` wrote: decisions are those of a run never interrupted.

        Use it without a folder; a Training with a folder resumes from that (`resume=True`).

        Raises LoopError if there is a folder, CheckpointError for a file that cannot be read,
        StateError for a file that is damaged, or of another model, other rules or other parts; then
        the stopper is unchanged.
        """
        if self._folder is not None:
            raise LoopError(
                "`Training.load` would leave the folder with checkpoints of another run: make a "
                "Training without a folder, or resume the run in the folder by resume=True"
            )
        entries = ("model", "parts", "rng", "state", "best")
        saved = read_on_first(self._session.ranks, lambda: files.read(Path(path), entries))
        if saved["state"] is None:
            raise StateError(f"{str(path)!r} was not written by `Training.save`")
        self._resume_from(saved, saved["state"], f"in {str(path)!r}")
        self._in_memory.weights = saved["best"]
        self._session.stopwatch.start()

    def _writer(
        self, state: dict[str, Any] | None = None, with_best: bool = False
    ) -> Callable[[Path], None]:
        """A function that writes a file.

        state: the session's state; None for a file in the folder, whose ledger holds it.
        """
        rng = self._session.ranks.gather(random_state()) if self._rng else None

        def write(path: Path) -> None:
            body = {
                "epoch": self.stopper.epoch - 1,
                "model": weights_of(self.model),
                "parts": states_of(self._parts),
                "rng": rng,
                "state": state,
                "best": self._best_weights() if with_best else None,
            }
            files.write(path, body)
            if not self._verified:
                files.verify(path)
                self._verified = True

        return write

    def _best_weights(self) -> dict[str, Any] | None:
        """The weights of the best epoch, wherever they are kept; called only on rank 0."""
        if self._folder is None:
            return self._in_memory.weights
        return self._folder.best_weights()

    def _resume(self, folder: RunFolder) -> None:
        """Resume from the newest checkpoint in the folder, if it has one."""
        last = folder.last()
        if last is not None:
            saved = folder.read(last, ("model", "parts", "rng"))
            self._resume_from(saved, last.state, "in the folder")

    def _resume_from(self, saved: Mapping[str, Any], state: Any, where: str) -> None:
        """Resume from the entries of a file and the session's state that was saved with them."""
        if not isinstance(state, dict):
            raise StateError(f"the run {where} was not saved by a Training")
        ranks = self._session.ranks
        check_names(self._parts, saved["parts"], where)
        if self._rng:
            check_random_states(saved["rng"], ranks.size, where)
        before = self._session.snapshot()
        try:
            self._session.load_state_dict(state)
            load_weights(self.model, saved["model"])
        except StateError as error:
            self._session.restore(before)
            raise StateError(f"the run {where}: {error}") from None
        load_states(self._parts, saved["parts"])
        if self._rng:
            set_random_state(saved["rng"][ranks.rank])

    def __repr__(self) -> str:
        return f"Training({self.stopper!r}, {type(self.model).__name__})"
