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
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat

from earlystop._parallel import progress_bar
from earlystop.engine.decision import Decision
from earlystop.engine.reported import Reported
from earlystop.engine.saved_state import SavedFormat
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.engine.stopwatch import Stopwatch
from earlystop.errors import EarlystopError, RuleError
from earlystop.language.settings import Positive, validated
from earlystop.rules import ELAPSED, Never

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


class EpochLoop:
    """The epochs of a run: ends when its stopper stops, and restores the best model at the end.

    stopper: decides; a stopper with a loaded state continues with the epoch it had reached.
    max_epochs: the maximum number of epochs of the run, counted from epoch 0.
    save: `save(epoch, metrics)` is called when the stopper says save. Its result (a copy of the
        weights, a path, nothing) is kept for `restore`.
    restore: `restore(kept)` is called once at the end, however the run ends: by a stop, by
        `max_epochs`, by `break`, by an error or by Ctrl-C; but not if nothing was ever saved.
        Without a `save`, you save yourself when a report says so, and `restore(None)` is called.
    kept: what an earlier part of this run kept, when the run is resumed.
    progress: show a progress bar (needs tqdm: `pip install tqdm`).
    on_interrupt: what Ctrl-C does after the best is restored. "raise": it is raised as usual.
        "stop": it ends the `with` block like a stop (and requires that block).
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
        save: Callable[[int, dict[str, float]], Any] | None = None,
        restore: Callable[[Any], object] | None = None,
        kept: Any = _NOTHING,
        progress: bool = False,
        on_interrupt: OnInterrupt = "raise",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = Session(stopper, "EpochLoop", stopwatch=Stopwatch(clock))
        if (save or restore) and isinstance(stopper.save, Never):
            raise RuleError(
                "`EpochLoop(save=..., restore=...)`: this stopper never saves; make it one that "
                "does, such as Stopper(rule, save=Best('val_loss'))"
            )
        self._on_interrupt = validated(OnInterrupt, on_interrupt, "EpochLoop(on_interrupt=...)")
        self.max_epochs = validated(Positive | None, max_epochs, "EpochLoop(max_epochs=...)")
        self.stopper = stopper
        self.restored = False
        self.interrupted = False
        self.decision: Decision | None = None
        self._save, self._restore, self._kept = save, restore, kept
        self._reported = Reported()
        self._epoch = stopper.epoch  # the current one
        self._has_begun = False
        self._awaits_report = False
        self._closed = False
        self._in_block = False
        self._bar: Any = None
        if progress:
            self._bar = progress_bar(
                "EpochLoop", total=max_epochs, initial=stopper.epoch, unit="epoch"
            )

    def __iter__(self) -> Iterator[int]:
        if self._closed or self._has_begun:
            raise LoopError("this loop has been run: make a new EpochLoop for another run")
        if self.stopper.stopped:
            raise LoopError(
                f"the stopper has stopped already ({self.stopper.reason}): make a new one, or "
                "call its `reset()`"
            )
        if self._restore and self._save and self._has_best() and self._kept is _NOTHING:
            raise LoopError(
                f"the run that goes on here saved epoch {self.stopper.best_epoch}: pass what its "
                "`save` returned as `EpochLoop(kept=...)`, to restore it at the end"
            )
        self._has_begun = True
        self._session.stopwatch.start()
        try:
            while not self.stopper.stopped and not self._is_full():
                self._awaits_report = True
                self._epoch = self.stopper.epoch
                yield self._epoch
                if self._awaits_report:
                    raise LoopError(
                        f"epoch {self._epoch} reported no metrics: call "
                        "`loop.report(val_loss=...)` once in every epoch"
                    )
        except BaseException:
            if not self._in_block:  # otherwise __exit__ does it, where an error can be raised
                self.close()
            raise
        self.close()

    def report(
        self, metrics: Mapping[str, SupportsFloat] | None = None, /, **more: SupportsFloat
    ) -> Decision:
        """Take the metrics of the epoch, decide, and save if the decision says so.

        Metrics are passed as a mapping, as keywords, or both. The elapsed time is added to them.

        Raises LoopError outside an epoch or on a second report, and what `Stopper.step` raises;
        after an error of the stopper you can report again.
        """
        if not self._awaits_report:
            raise LoopError("`report` is called once in every epoch, inside `for epoch in loop:`")
        values = self._session.collect(metrics, more)
        decision = self._session.step(values)
        self._awaits_report = False
        self.decision = decision
        self._reported.add(values)
        if decision.save and self._save:
            self._kept = self._save(decision.epoch, dict(values))
        if self._bar is not None:
            self._show(values)
        return decision

    @property
    def kept(self) -> Any:
        """What `save` returned last; None before the first."""
        return None if self._kept is _NOTHING else self._kept

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
        return self._reported.columns()

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
        """End the run and restore the best. The loop calls it itself; later calls do nothing."""
        if self._closed:
            return
        self._session.finish()
        self._closed, self._awaits_report = True, False
        if self._bar is not None:
            self._bar.close()
        has_saved = self._has_best() if self._save is None else self._kept is not _NOTHING
        if self._restore and has_saved:
            self._restore(self.kept)
            self.restored = True

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
        self.close()
        return interrupted and self._on_interrupt == "stop"

    def state_dict(self) -> dict[str, Any]:
        """The stopper's state and the elapsed time, as plain JSON data, to resume a run.

        `kept` is not part of it: pass it to the new loop.
        """
        return _SAVED.wrap(self._session.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from `state_dict()`. Call it before the first epoch of this loop.

        Raises LoopError once the loop has begun, StateError as `Stopper.load_state_dict` does.
        """
        if self._has_begun or self._closed:
            raise LoopError("load a state before the loop begins")
        self._session.load_state_dict(_SAVED.unwrap(state))
        self._epoch = self.stopper.epoch
        if self._bar is not None:
            self._bar.update(self.stopper.epoch - self._bar.n)

    def _is_full(self) -> bool:
        return self.max_epochs is not None and self.stopper.epoch >= self.max_epochs

    def _show(self, values: Mapping[str, float]) -> None:
        postfix = {name: f"{values[name]:.4g}" for name in self._session.needed if name in values}
        postfix.pop(ELAPSED, None)  # the bar has its own clock
        if self.stopper.best_epoch is not None:
            postfix["best epoch"] = str(self.stopper.best_epoch)
        self._bar.set_postfix(postfix, refresh=False)
        self._bar.update()
