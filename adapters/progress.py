"""The progress bar of a loop, if it has one: its epochs, and where its stopper stands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from earlystop._parallel import progress_bar
from earlystop.engine.stopper import Stopper
from earlystop.language.positions import ELAPSED, number_text

__all__ = ["Progress"]


class Progress:
    """A bar of the epochs of a loop; it says what `Stopper.explain` says.

    total: how many there are at most, if that is known.
    shown: whether there is a bar at all; without one, nothing is done.
    owner: who shows it, for the error without tqdm.
    done: how many epochs are done; by default, one for each check of the stopper.
    """

    def __init__(
        self,
        stopper: Stopper,
        total: int | None,
        *,
        shown: bool,
        owner: str = "EpochLoop",
        done: Callable[[], float] | None = None,
    ) -> None:
        self._stopper, self._done = stopper, done or (lambda: stopper.checks)
        self._bar = None
        if shown:
            begun = math.floor(self._done())
            self._bar = progress_bar(owner, total=total, initial=begun, unit="epoch")

    def show(self, values: Mapping[str, float] | None = None, names: Iterable[str] = ()) -> None:
        """Show how far the stopper is, and the last values of these metrics, if they are given."""
        if self._bar is None:
            return
        if values is not None:
            told = [n for n in names if n in values and n != ELAPSED]  # the bar has its own clock
            texts = [f"{name}={values[name]:.4g}" for name in told]
            if self._stopper.best_epoch is not None:
                texts.append(f"best epoch={number_text(self._stopper.best_epoch)}")
            parts = filter(None, [", ".join(texts), self._stopper.explain(values)])
            self._bar.set_postfix_str("; ".join(parts), refresh=False)
        self._bar.update(math.floor(self._done()) - self._bar.n)

    def close(self) -> None:
        """Close the bar and leave it on the screen."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None
