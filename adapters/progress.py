"""The progress bar of a loop, if it has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from earlystop._parallel import progress_bar
from earlystop.engine.stopper import Stopper
from earlystop.language.positions import ELAPSED, number_text

__all__ = ["Progress"]


class Progress:
    """A bar of the epochs of a loop, one for each check of its stopper.

    total: how many there are at most, if that is known.
    shown: whether there is a bar at all; without one, nothing is done.
    """

    def __init__(self, stopper: Stopper, total: int | None, *, shown: bool) -> None:
        self._stopper = stopper
        self._bar = None
        if shown:
            self._bar = progress_bar("EpochLoop", total=total, initial=stopper.checks, unit="epoch")

    def show(self, values: Mapping[str, float] | None = None, names: Iterable[str] = ()) -> None:
        """Show how far the stopper is, and the last values of these metrics, if they are given."""
        if self._bar is None:
            return
        if values is not None:
            texts = {name: f"{values[name]:.4g}" for name in names if name in values}
            texts.pop(ELAPSED, None)  # the bar has its own clock
            if self._stopper.best_epoch is not None:
                texts["best epoch"] = number_text(self._stopper.best_epoch)
            self._bar.set_postfix(texts, refresh=False)
        self._bar.update(self._stopper.checks - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is, from now on."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None
