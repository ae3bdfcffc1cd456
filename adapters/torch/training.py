"""`Training`: one call an epoch decides, saves, and can be resumed."""

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
    """A stopper, a model and what trains it: one call an epoch decides, saves, and can be resumed.

    stopper: decides.
    model: what is saved and restored. Of one wrapped for DistributedDataParallel or by
        torch.compile it is the model inside, so that weights have the model's own names.
    folder: where checkpoints are written, each with all that is needed to go on from it. Without
        one, the best weights are kept in memory.
    resume: go on with the run in the folder, if there is one; otherwise a folder that holds one is
        refused.
    rng: save the state of the random generators (Python's, NumPy's if it is loaded, PyTorch's, on
        all devices), and set it on resuming.
    keep_best, keep_last, keep_every: which checkpoints stay in the folder, as in `Checkpoints`.
        With keep_last=0 an epoch that is not among the best is not written at all; a run that is
        resumed then goes on from the newest that was.
    name: the names of the files, as in `Checkpoints`.
    best_on: where the best is kept without a folder: "cpu", or "device", where the model is.
    ranks: whose metrics count when torch.distributed is initialized: "first" (those of rank 0),
        or "mean" (the mean over all ranks, which report the same names). All ranks make a
        Training and call the same methods; all get the same decisions; only rank 0 writes.
    clock: gives seconds; the time since the run began is added as "elapsed_seconds".
    parts: whatever else is to be saved, by name: optimizer=..., scheduler=..., anything with
        `state_dict` and `load_state_dict`, or a torch.Generator.

    Files are read with weights_only=True: nothing in them is executed. Outside this library,
    `torch.load(path, weights_only=True)["model"]` gives the weights.

    Raises RuleTypeError and RuleError for arguments that do not fit, CheckpointError for a folder
    that cannot be used, StateError for a run of other rules or parts.

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
        """The checkpoints in the folder; None without one, and on all ranks but the first."""
        return None if self._folder is None else self._folder.checkpoints

    @property
    def elapsed_seconds(self) -> float:
        """The time since the run began, in seconds, its parts before a resumption included."""
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
        """Take the metrics of an epoch, decide, and save what the decision asks for.

        Metrics come as a mapping, as keywords, or both: numbers or 0-d tensors, which are fetched
        from their device all at once.

        Raises what `Stopper.step` and `Checkpoints.save` raise, on all ranks alike; unless the
        epoch was saved all the same, the step can then be made again.
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
            # Other ranks do not see an interruption of this one: it must not wait for them.
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
        """Give the model the weights of the best epoch, and return that epoch; None if none was.

        The optimizer and the other parts stay as they are.
        """
        best_epoch = self.stopper.best_epoch
        if self._folder is None:
            if self._in_memory.weights is None:
                return None
            load_weights(self.model, self._in_memory.weights)
            return best_epoch
        best = self._folder.best()
        if best_epoch != (None if best is None else best.epoch):
            raise CheckpointError(f"the best, epoch {best_epoch}, is not in the folder any more")
        if best is not None:
            load_weights(self.model, self._folder.read(best, ("model",))["model"])
        return best_epoch

    def close(self) -> None:
        """Release the folder for other processes. The end of this process does so, too."""
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
        # After an error the ranks may be at different epochs: nothing is done together any more.
        if error is None or self._session.ranks.size == 1:
            self.restore_best()
        self.close()

    # Files -----------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write all that is needed to go on from here to a file, completely or not at all.

        The file includes the best weights so far. With a folder this is not needed: every `step`
        saves, and the best is there. All ranks call it; rank 0 writes.

        Raises CheckpointError where the disk refuses.
        """
        write = self._writer(self._session.state_dict(), with_best=True)
        self._session.on_first(lambda: write_atomically(Path(path), write))

    def load(self, path: str | Path) -> None:
        """Go on from what `save` wrote: the decisions are those of a run never interrupted.

        It is for a Training without a folder; one with a folder goes on from that (`resume=True`).

        Raises LoopError if there is a folder, CheckpointError for a file that cannot be read,
        StateError for one that is damaged, or of another model, other rules or other parts; then
        the stopper is as it was.
        """
        if self._folder is not None:
            raise LoopError(
                "`Training.load` would leave the folder with checkpoints of another run: make a "
                "Training without a folder, or go on with what is in one by resume=True"
            )
        entries = ("model", "parts", "rng", "state", "best")
        saved = read_on_first(self._session.ranks, lambda: files.read(Path(path), entries))
        if saved["state"] is None:
            raise StateError(f"{str(path)!r} was not written by `Training.save`")
        self._go_on(saved, saved["state"], f"in {str(path)!r}")
        self._in_memory.weights = saved["best"]
        self._session.stopwatch.start()

    def _writer(
        self, state: dict[str, Any] | None = None, with_best: bool = False
    ) -> Callable[[Path], None]:
        """A function that writes a file. In a folder, the ledger holds the session's state."""
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
        """Those of the best epoch, wherever they are kept; called on rank 0 alone."""
        if self._folder is None:
            return self._in_memory.weights
        return self._folder.best_weights()

    def _resume(self, folder: RunFolder) -> None:
        """Go on from the newest checkpoint in the folder, if there is one."""
        last = folder.last()
        if last is not None:
            saved = folder.read(last, ("model", "parts", "rng"))
            self._go_on(saved, last.state, "in the folder")

    def _go_on(self, saved: Mapping[str, Any], state: Any, where: str) -> None:
        """Go on from the entries of a file and the session's state that was saved with them."""
        if not isinstance(state, dict):
            raise StateError(f"the run {where} was saved by something else than a Training")
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
