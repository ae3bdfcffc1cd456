"""For training loops written by hand: epochs, time, saving and restoring around a stopper.

with EpochLoop(es.EarlyStopping("val_loss", patience=20), max_epochs=3000) as loop:
    for epoch in loop:
        loop.report(loss=..., val_loss=...)
print(loop.reason)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsFloat

from earlystop.engine.decision import Decision
from earlystop.engine.reported import Reported, with_place
from earlystop.engine.saved_state import SavedFormat
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.engine.stopwatch import Stopwatch
from earlystop.errors import EarlystopError
from earlystop.language.settings import Positive, validated

from .chosen import check_names_best, check_saves
from .preemption import Preemption, checked_preemption
from .progress import Progress

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["EpochLoop", "LoopError"]

OnInterrupt = Literal["raise", "stop"]

_SAVED = SavedFormat("earlystop.EpochLoop", 1, "a state from `EpochLoop.state_dict()`")
_NOTHING: Any = object()  # nothing has been kept; None may have been


class LoopError(EarlystopError, RuntimeError):
    """The loop was used out of order: an epoch without a report, or a report without an epoch."""


class _Taken(NamedTuple):
    """What reports have changed; replaced as a whole, so that no interrupt leaves half a report."""

    kept: Any
    decision: Decision | None = None
    rows: int = 0  # how many rows of the history count
    awaits_report: bool = False
    save_failed: bool = False  # in the current epoch
    undo: tuple[_Taken, tuple[Any, ...]] | None = None  # while a report is made: what was before it


class EpochLoop:
    """The epochs of a run: ends when its stopper stops, and restores the best model at the end.

    stopper: decides; a stopper with a loaded state continues with the epoch it had reached.
    max_epochs: the maximum number of epochs of the run, counted from epoch 0.
    save: `save(epoch, metrics)` is called when the stopper says save, with the epoch and step among
        the metrics if they were reported. Its result (a copy of the weights, a path, nothing) is
        kept for `restore`. If it raises or is interrupted, the report is taken back, so that the
        stopper's best is always the one that was kept.
    restore: `restore(kept)` is called once at the end, however the run ends: by a stop, by
        `max_epochs`, by `break`, by an error or by Ctrl-C; but not if nothing was ever saved.
        Without a `save`, you save yourself when a report says so, and `restore(None)` is called.
        If it raises or is interrupted, `restored` stays False, and `close()` calls it again.
    kept: what an earlier part of this run kept, when the run is resumed.
    progress: show a progress bar (needs tqdm: `pip install tqdm`).
    on_interrupt: what Ctrl-C does after the best is restored. "raise": it is raised as usual.
        "stop": it ends the `with` block like a stop (and requires that block).
    changed_rules: let `load_state_dict` take the state of a stopper with other numbers.
    preemption: leaves the run in time when its process is about to be killed, to resume it later.
    clock: returns seconds; the time since the loop began is reported as "elapsed_seconds".

    Iterate over it inside `with`: then the best is restored at a defined moment, and an error in
    `restore` is raised. (A plain `for` restores, too; if it is left early, this happens when the
    iterator is destroyed, in CPython immediately.)

    Raises RuleTypeError if `stopper` is not a Stopper, RuleError for a `save` or `restore` with a
    stopper that never saves. When the loop begins, raises LoopError for a stopper that has stopped,
    and for one that has saved before if `kept` is missing.

    >>> import earlystop as es
    >>> from earlystop.adapters.loop import EpochLoop
    >>> losses, weights = [0.9, 0.5, 0.6, 0.7, 0.4], {"w": 0.0}
    >>> with EpochLoop(
    ...     es.EarlyStopping("val_loss", patience=2),
    ...     save=lambda epoch, metrics: dict(weights),
    ...     restore=weights.update,
    ... ) as loop:
    ...     for epoch in loop:
    ...         weights["w"] = epoch / 10
    ...         decision = loop.report(val_loss=losses[epoch])
    >>> print(loop.reason)
    val_loss has not improved on 0.5 (epoch 1) by more than 0 for 2 epochs
    >>> weights
    {'w': 0.1}
    """

    def __init__(
        self,
        stopper: Stopper,
        *,
        max_epochs: int | None = None,
        save: Callable[[Any, dict[str, float]], Any] | None = None,
        restore: Callable[[Any], object] | None = None,
        kept: Any = _NOTHING,
        progress: bool = False,
        on_interrupt: OnInterrupt = "raise",
        changed_rules: bool = False,
        preemption: Preemption | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = Session(stopper, "EpochLoop", stopwatch=Stopwatch(clock))
        if save:
            check_saves(stopper.save, "EpochLoop(save=...)")
        if restore:
            check_names_best(stopper.save, "EpochLoop(restore=...)")
        self._on_interrupt = validated(OnInterrupt, on_interrupt, "EpochLoop(on_interrupt=...)")
        self.max_epochs = validated(Positive | None, max_epochs, "EpochLoop(max_epochs=...)")
        self.stopper = stopper
        self.restored = False
        self.interrupted = False
        self._save, self._restore = save, restore
        self._taken = _Taken(kept)
        self._rows: list[dict[str, float]] = []
        self._epoch = stopper.checks  # the current one
        self._has_begun = False
        self._closed = False
        self._must_restore = False  # from closing on, until it has been done
        self._restore_error: Exception | None = None
        self._in_block = False
        self._changed_rules = changed_rules
        self._preemption = checked_preemption(preemption, "EpochLoop")
        self._bar = Progress(stopper, max_epochs, shown=progress)

    def __iter__(self) -> Iterator[int]:
        if self._closed or self._has_begun:
            raise LoopError("this loop has been run: make a new EpochLoop for another run")
        if self.stopper.stopped:
            raise LoopError(
                f"the stopper has stopped already ({self.stopper.reason}): make a new one, or "
                "call its `reset()`"
            )
        if self._restore and self._save and self._has_best() and self._taken.kept is _NOTHING:
            raise LoopError(
                f"the run that goes on here saved epoch {self.stopper.best_epoch}: pass what its "
                "`save` returned as `EpochLoop(kept=...)`, to restore it at the end"
            )
        try:
            self._has_begun = True
            self._session.stopwatch.start()
            while not self.stopper.stopped and not self._is_full():
                if self._preemption is not None:
                    self._preemption.next_epoch()
                kept, decision, rows, *_ = self._taken
                self._taken = _Taken(kept, decision, rows, awaits_report=True)
                self._epoch = self.stopper.checks
                yield self._epoch
                self._finish_epoch()
        except BaseException:
            if not self._in_block:  # otherwise __exit__ does it, where an error can be raised
                self.close()
            raise
        self.close()

    def report(
        self,
        metrics: Mapping[str, SupportsFloat] | None = None,
        /,
        *,
        epoch: SupportsFloat | None = None,
        step: SupportsFloat | None = None,
        **more: SupportsFloat,
    ) -> Decision:
        """Take the metrics of the epoch, decide, and save if the decision says so.

        Metrics are passed as a mapping, as keywords, or both. The elapsed time is added to them.

        epoch, step: where the run stands, as in `Stopper.step`; by default, in the loop's epoch.

        Raises LoopError outside an epoch or on a second report, and what `Stopper.step` and `save`
        raise. After an error or an interrupt nothing has changed, and you can report again, which
        may call `save` for the epoch again. (An interrupt may also strike when all is done: then
        `decision` is of this epoch.) If you go on without reporting again after an error of `save`,
        the epoch counts as one without metrics.
        """
        self._take_back()  # nothing, unless an interrupt struck while it was done before
        before = self._taken
        if self._closed or not before.awaits_report:
            raise LoopError("`report` is called once in every epoch, inside `for epoch in loop:`")
        values = self._session.collect(metrics, more)
        kept, rows, snapshot = before.kept, before.rows, self._session.snapshot()
        self._taken = _Taken(kept, before.decision, rows, True, undo=(before, snapshot))
        try:
            decision = self._session.step(values, epoch=epoch, step=step)
            values = with_place(values, decision.place)
            self._rows[rows:] = [values]
            if decision.save and self._save:
                undo = before._replace(save_failed=True), snapshot
                self._taken = _Taken(kept, decision, rows + 1, undo=undo)
                kept = self._save(decision.epoch, dict(values))
            self._taken = _Taken(kept, decision, rows + 1)  # from here on the report counts
        except BaseException:
            self._take_back()
            raise
        return decision

    @property
    def decision(self) -> Decision | None:
        """The decision on the last report; None before the first."""
        return self._taken.decision

    @property
    def kept(self) -> Any:
        """What `save` returned last; None before the first."""
        return None if self._taken.kept is _NOTHING else self._taken.kept

    @property
    def elapsed_seconds(self) -> float:
        """The time since the run began, in seconds, including its parts before it was resumed."""
        return self._session.elapsed_seconds

    @property
    def history(self) -> dict[str, list[float | None]]:
        """What was reported to this loop, by metric; None where an epoch lacked the metric.

        To replay it, call `earlystop.History.from_runs([loop.history])`. The loop of a resumed run
        holds only its own part; join the parts first.
        """
        return Reported(enumerate(self._rows[: self._taken.rows])).columns()

    @property
    def reason(self) -> str:
        """Why the run ended; "" before that."""
        if self.stopper.stopped:
            return self.stopper.reason
        if self._is_full():
            return f"{self.max_epochs} epochs have been run, as many as max_epochs allows"
        if self.interrupted:
            return f"interrupted in epoch {self._epoch}"
        return f"left in epoch {self._epoch}" if self._closed else ""

    def close(self) -> None:
        """End the run and restore the best. The loop calls it itself; later calls do nothing.

        If `restore` raises or is interrupted, the next call does it again.
        """
        if not self._closed:
            self._take_back()
            self._session.finish()
            left = self._preemption is not None and self._preemption.has_left
            self._must_restore = self._restore is not None and self._has_kept() and not left
            self._closed = True
        try:
            self._show()  # the last report, if the loop was left after it
            self._bar.close()
        finally:
            self._restore_best()

    def _restore_best(self) -> None:
        if not self._must_restore or self._restore is None:
            return
        try:
            self._restore(self.kept)
        except Exception as error:
            self._restore_error = error
            raise
        self.restored = True
        self._must_restore = False

    def _has_kept(self) -> bool:
        return self._has_best() if self._save is None else self._taken.kept is not _NOTHING

    def _has_best(self) -> bool:
        return self.stopper.best_epoch is not None

    def __enter__(self) -> Self:
        self._in_block = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self.interrupted = self.interrupted or interrupted
        if error is None or error is not self._restore_error:  # else it has just been tried
            self.close()
        return interrupted and self._on_interrupt == "stop"

    def state_dict(self) -> dict[str, Any]:
        """The stopper's state and the elapsed time, as plain JSON data, to resume a run.

        `kept` is not part of it: pass it to the new loop.
        """
        return _SAVED.wrap(self._session.state_dict())

    def load_state_dict(
        self, state: Mapping[str, Any], *, changed_rules: bool | None = None
    ) -> None:
        """Resume from `state_dict()`. Call it before the first epoch of this loop.

        changed_rules: accept the state of a stopper with other numbers, such as less patience, and
            go on with those of this one, as `Stopper.load_state_dict` does; by default, as the loop
            was made.

        Raises LoopError once the loop has begun, StateError as `Stopper.load_state_dict` does.
        """
        if self._has_begun or self._closed:
            raise LoopError("load a state before the loop begins")
        changed = self._changed_rules if changed_rules is None else changed_rules
        self._session.load_state_dict(_SAVED.unwrap(state), changed_rules=changed)
        self._epoch = self.stopper.checks
        self._bar.show()

    def _is_full(self) -> bool:
        return self.max_epochs is not None and self.stopper.checks >= self.max_epochs

    def _take_back(self) -> None:
        """Go back to before the report that could not be completed, if there is one."""
        if self._taken.undo is not None:
            before, snapshot = self._taken.undo
            self._session.restore(snapshot)
            self._taken = before

    def _finish_epoch(self) -> None:
        self._take_back()
        taken = self._taken
        if taken.save_failed and taken.awaits_report:
            self._taken = taken._replace(undo=(taken, self._session.snapshot()))
            self._session.skip()
            self._rows[taken.rows :] = [{}]
            self._taken = taken._replace(rows=taken.rows + 1, awaits_report=False)
        elif taken.awaits_report:
            raise LoopError(
                f"epoch {self._epoch} reported no metrics: call "
                "`loop.report(val_loss=...)` once in every epoch"
            )
        self._show()

    def _show(self) -> None:
        values = self._rows[self._taken.rows - 1] if self._taken.rows else {}
        self._bar.show(values, self._session.needed)
