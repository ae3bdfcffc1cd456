"""The epochs of a training: which comes next, and where its checks stand in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from earlystop._parallel import progress_bar
from earlystop.engine.positions import Positions
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import MetricError, warn_caller
from earlystop.language.positions import EPOCH, STEP, number_text
from earlystop.language.settings import Positive, validated

from ..loop import LoopError
from ..preemption import Preemption
from ..progress import Progress

__all__ = ["Epochs"]

_ROUNDING = 1e-6  # of a sum of fractions of an epoch


class Epochs:
    """Counts the epochs of a training.

    While no check says where it stands, every epoch has one. A check that does may be one of
    several of its epoch, and epochs may have none.

    preemption: asked before each epoch whether to leave.
    progress: show a progress bar of the loop, on rank 0.

    current: the epoch that `loop` has yielded last, while it is trained; None outside of the loop.
    """

    def __init__(
        self, session: Session, preemption: Preemption | None = None, *, progress: bool = False
    ) -> None:
        self.current: int | None = None
        self._session, self._preemption = session, preemption
        self._progress = validated(bool, progress, "Training(progress=...)")
        self._bar = Progress(session.stopper, None, shown=False)
        if self._progress:
            progress_bar("Training", disable=True)  # refuses here what would fail in the loop
        self._ended = (0, 0)  # so many epochs of the loop, after so many checks

    @property
    def has_left(self) -> bool:
        """Whether the run was left, to go on later."""
        return self._preemption is not None and self._preemption.has_left

    @property
    def next(self) -> int:
        """The epoch to train next, from 0."""
        ended, checks = self._ended
        stopper = self._session.stopper
        return max(math.floor(stopper.epoch), ended if checks <= stopper.checks else 0)

    def forget(self) -> None:
        """Go by the stopper alone, after its state was loaded."""
        self._ended = (0, 0)

    def loop(self, max_epochs: int) -> Iterator[int]:
        """See `Training.epochs`."""
        max_epochs = validated(Positive, max_epochs, "Training.epochs(max_epochs)")
        stopper = self._session.stopper
        shown = self._progress and self._session.ranks.rank == 0
        self._bar = Progress(
            stopper, max_epochs, shown=shown, owner="Training", done=lambda: self.next
        )
        try:
            yield from self._each(stopper, max_epochs)
        finally:
            self._bar.show()
            self._bar.close()

    def _each(self, stopper: Stopper, max_epochs: int) -> Iterator[int]:
        while not stopper.stopped and self.next < max_epochs:
            if self._preemption is not None:
                self._preemption.next_epoch(self._session.ranks)
            epoch, checks = self.next, stopper.checks
            self.current = epoch
            try:
                yield epoch
            finally:
                self.current = None
            self._end(epoch, stopper.checks - checks)
        if self._is_unchecked:
            self.forget()
            raise _wrong_number(0, 0)

    def show(self, values: Mapping[str, float]) -> None:
        """Show what a check reported, if there is a progress bar."""
        self._bar.show(values, self._session.needed)

    def told(self, metrics: object, epoch: Any, step: Any) -> dict[str, Any]:
        """The epoch and the step of a check, as far as they are given.

        In the loop, a check with a step has an epoch, too.

        Raises LoopError for a check without either, if the epoch before it had no check.
        """
        known = metrics if isinstance(metrics, Mapping) else {}
        told = {name: at for name, at in ((EPOCH, epoch), (STEP, step)) if at is not None}
        if self.current is not None and EPOCH not in told and EPOCH not in known:
            if STEP in told or STEP in known:
                told[EPOCH] = self.current
            elif self._is_unchecked:
                raise _wrong_number(0, 0)
        return told

    def begin_check(self, epoch: float | None) -> None:
        """Take the epoch of the next check, as it was given.

        Raises MetricError for one that is not in the current epoch of the loop.
        """
        current, session = self.current, self._session
        if current is None or epoch is None:
            return
        if not current <= epoch <= current + 1 + _ROUNDING:
            raise MetricError(
                f"a check in epoch {current} of `training.epochs()` is said to be at epoch "
                f"{number_text(epoch)}: pass `epoch=epoch`, or with a fraction how much is done, "
                "such as `epoch=epoch + (batch + 1) / batches`"
            )
        if session.stopper.checks == 0:
            session.count_from(current, from_zero=epoch == current)

    @property
    def _is_unchecked(self) -> bool:
        """Whether epochs have ended, and none had a check."""
        return self._session.stopper.checks == 0 < self._ended[0]

    def _end(self, epoch: int, checks: int) -> None:
        stopper = self._session.stopper
        positions = stopper.snapshot().positions or Positions()
        if positions.epoch is None and positions.step is None and checks != 1:
            if stopper.checks:
                raise _wrong_number(epoch, checks)
            if not self._is_unchecked:
                warn_caller(
                    f"epoch {epoch} had no `training.step(...)`. If only some epochs are "
                    "validated, pass `epoch=epoch` with the metrics of those; if none has any, "
                    "this is an error at the end",
                    UserWarning,
                )
        self._ended = epoch + 1, stopper.checks


def _wrong_number(epoch: int, checks: int) -> LoopError:
    return LoopError(
        f"epoch {epoch} was stepped {checks} times: call `training.step(val_loss=...)` once in "
        "every epoch, or say where each check stands, `training.step(..., epoch=epoch)` or "
        "`step=...`"
    )
