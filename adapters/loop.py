"""For training loops written by hand: the epochs, the clock, saving and restoring around a stopper.

with EpochLoop(es.EarlyStopping("val_loss", patience=20), max_epochs=3000) as loop:
    for epoch in loop:
        loop.report(loss=..., val_loss=...)
print(loop.reason)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat

from earlystop._parallel import progress_bar
from earlystop.engine.decision import Decision
from earlystop.engine.metrics import as_floats
from earlystop.engine.stopper import Stopper
from earlystop.errors import EarlystopError, MetricError, RuleError, RuleTypeError, StateError
from earlystop.language.settings import Positive, validated
from earlystop.language.state import number_from_json
from earlystop.rules import ELAPSED, Never

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["EpochLoop", "LoopError"]

_FORMAT, _VERSION = "earlystop.EpochLoop", 1
_NOTHING: Any = object()  # nothing has been kept; None may have been


class LoopError(EarlystopError, RuntimeError):
    """The loop was used out of order: an epoch without a report, or a report without an epoch."""


class EpochLoop:
    """The epochs of a run: ends when its stopper does, and leaves with the best model.

    stopper: decides; a stopper with a state loaded goes on with the epoch it had reached.
    max_epochs: the run is at most so long, whatever the stopper says; counted from epoch 0.
    save: `save(epoch, metrics)` is called when the stopper says save. What it returns (a copy of
        the weights, a path, nothing) is kept for `restore`.
    restore: `restore(kept)` is called once at the end, however the run ends: stopped, run out,
        left by `break`, by an error or by Ctrl-C; not if nothing was ever saved. Without a `save`,
        you save yourself when a report says so, and `restore(None)` is called.
    kept: what an earlier part of this run kept, for a run that is resumed.
    progress: show a progress bar (needs tqdm: `pip install "earlystop[progress]"`).
    on_interrupt: what Ctrl-C does after the best is restored. "raise": it goes on as it would.
        "stop": it ends the `with` block like a stop (and needs that block).
    clock: gives seconds; the time since the loop began is reported as "elapsed_seconds".

    Iterate over it inside `with`: then restoring does not depend on the interpreter, and an error
    in it is raised. (A plain `for` restores as well; where it is left early, that happens when the
    iterator is destroyed, which in CPython is at once.)

    Raises RuleTypeError for what is not a Stopper, RuleError for a `save` or `restore` next to a
    stopper that never saves; when the loop begins, LoopError for a stopper that has stopped, and
    for one that has saved before when `kept` is missing.

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
        on_interrupt: Literal["raise", "stop"] = "raise",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(stopper, Stopper):
            raise RuleTypeError(
                "`EpochLoop(stopper)` must be a Stopper, such as EarlyStopping('val_loss'), "
                f"got {stopper!r}"
            )
        if (save or restore) and isinstance(stopper.save, Never):
            raise RuleError(
                "`EpochLoop(save=..., restore=...)`: this stopper never saves; make it one that "
                "does, such as Stopper(rule, save=Best('val_loss'))"
            )
        if on_interrupt not in ("raise", "stop"):
            raise RuleError(
                f'`EpochLoop(on_interrupt=...)` must be "raise" or "stop", got {on_interrupt!r}'
            )
        self.stopper = stopper
        self.max_epochs = validated(Positive | None, max_epochs, "EpochLoop(max_epochs=...)")
        self._kept = kept
        self.restored = False
        self.interrupted = False
        self.decision: Decision | None = None
        self._save, self._restore = save, restore
        self._on_interrupt, self._clock = on_interrupt, clock
        self._columns: dict[str, list[float | None]] = {}
        self._recorded = 0
        self._elapsed_before = 0.0
        self._began: float | None = None
        self._bar: Any = None
        if progress:
            self._bar = progress_bar(
                "EpochLoop", total=max_epochs, initial=stopper.epoch, unit="epoch"
            )
        self._epoch = stopper.epoch  # the one that is on
        self._awaits_report = False
        self._closed = False
        self._in_block = False
        self._seconds: float | None = None  # once closed

    def __iter__(self) -> Iterator[int]:
        if self._closed or self._began is not None:
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
        self._began = self._clock()
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
            if not self._in_block:  # else the block's end does it, where an error can be raised
                self.close()
            raise
        self.close()

    def report(
        self, metrics: Mapping[str, SupportsFloat] | None = None, /, **more: SupportsFloat
    ) -> Decision:
        """Take the metrics of the epoch; save if the stopper says so; give the decision.

        Metrics come as a mapping, as keywords, or both. The elapsed time joins them.

        Raises LoopError outside an epoch or on a second report, and what `Stopper.step` raises;
        after an error of the stopper the report can be made again.
        """
        if not self._awaits_report:
            raise LoopError("`report` is called once in every epoch, inside `for epoch in loop:`")
        given = {} if metrics is None else as_floats(metrics)
        twice = sorted(set(given) & set(more))
        if twice:
            raise MetricError(f"reported twice in one call: {', '.join(twice)}")
        values = {**given, **as_floats(more)}
        values.setdefault(ELAPSED, self.elapsed_seconds)
        decision = self.stopper.step(values)
        self._awaits_report = False
        self.decision = decision
        self._record(values)
        if decision.save and self._save:
            self._kept = self._save(decision.epoch, dict(values))
        if self._bar is not None:
            self._show(values)
        return decision

    @property
    def kept(self) -> Any:
        """What `save` returned last; None before that."""
        return None if self._kept is _NOTHING else self._kept

    @property
    def elapsed_seconds(self) -> float:
        """The time since the run began, in seconds, an earlier part of it included."""
        if self._seconds is not None:
            return self._seconds
        since = 0.0 if self._began is None else self._clock() - self._began
        return self._elapsed_before + since

    @property
    def history(self) -> dict[str, list[float | None]]:
        """What this loop was reported, name by name; None where an epoch lacked a metric.

        `earlystop.History.from_runs([loop.history])` makes it ready for a replay. The loop of a
        resumed run holds its own part alone: put the parts together first.
        """
        return {name: list(column) for name, column in self._columns.items()}

    @property
    def reason(self) -> str:
        """Why the run ended; empty while it goes on."""
        if self.stopper.stopped:
            return self.stopper.reason
        if self._is_full():
            return f"{self.max_epochs} epochs have been run, as many as max_epochs allows"
        if self.interrupted:
            return f"interrupted in epoch {self._epoch}"
        return f"left in epoch {self._epoch}" if self._closed else ""

    def close(self) -> None:
        """End the run: restore the best. Called by itself at the end; more calls do nothing."""
        if self._closed:
            return
        self._seconds = self.elapsed_seconds
        self._closed, self._awaits_report = True, False
        if self._bar is not None:
            self._bar.close()
        is_there = self._has_best() if self._save is None else self._kept is not _NOTHING
        if self._restore and is_there:
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
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "elapsed_seconds": self.elapsed_seconds,
            "stopper": self.stopper.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken; before the first epoch of this loop.

        Raises LoopError once the loop has begun, StateError as `Stopper.load_state_dict` does.
        """
        if self._began is not None or self._closed:
            raise LoopError("load a state before the loop begins")
        if not isinstance(state, Mapping) or state.get("format") != _FORMAT:
            raise StateError(f"expected a state from `EpochLoop.state_dict()`, got {state!r:.100}")
        if state.get("version") != _VERSION or "stopper" not in state:
            raise StateError(
                f"the state has version {state.get('version')!r}, this library reads version "
                f"{_VERSION}, with the entries elapsed_seconds and stopper"
            )
        elapsed = number_from_json(state.get("elapsed_seconds"), "elapsed_seconds")
        if not 0 <= elapsed < math.inf:
            raise StateError(f"elapsed_seconds should be a time of at least 0, got {elapsed}")
        self.stopper.load_state_dict(state["stopper"])
        self._elapsed_before = elapsed
        self._epoch = self.stopper.epoch
        if self._bar is not None:
            self._bar.update(self.stopper.epoch - self._bar.n)

    def _is_full(self) -> bool:
        return self.max_epochs is not None and self.stopper.epoch >= self.max_epochs

    def _record(self, values: Mapping[str, float]) -> None:
        for name in values:
            self._columns.setdefault(name, [None] * self._recorded)
        for name, column in self._columns.items():
            column.append(values.get(name))
        self._recorded += 1

    def _show(self, values: Mapping[str, float]) -> None:
        watched = dict.fromkeys(self.stopper.stop.all_metrics + self.stopper.save.all_metrics)
        shown = {name: f"{values[name]:.4g}" for name in watched if name in values}
        shown.pop(ELAPSED, None)  # the bar has a clock of its own
        if self.stopper.best_epoch is not None:
            shown["best epoch"] = str(self.stopper.best_epoch)
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()
