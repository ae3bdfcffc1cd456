"""How many epochs runs have, by the epoch numbers in their logs: several rows may be of one."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from .._text import count
from ..logs.columns import EPOCHS, STEPS

if TYPE_CHECKING:
    from ..history.history import History

__all__ = ["LoggedEpochs"]


class LoggedEpochs:
    """The epochs and rows of the runs of a history.

    epochs: of each run, shape (runs,); None where the logs number steps, but no epochs.
    rows: of each run, shape (runs,).
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self.rows: Any = history.lengths

    @functools.cached_property
    def epochs(self) -> Any:
        import numpy as np

        by_name = {name.lower(): name for name in self._history.coordinates}
        numbered = [by_name[name] for name in EPOCHS if name in by_name]
        if numbered:
            column = self._history.coordinates.stored(numbered[0])
            lengths = enumerate(self.rows.tolist())
            return np.array([_distinct(column[run, :length]) for run, length in lengths])
        return None if any(name in by_name for name in STEPS) else self.rows

    @property
    def unit(self) -> str:
        """What `of_run` counts."""
        return "row" if self.epochs is None else "epoch"

    def of_run(self, run: int) -> int:
        """The epochs of a run, or its rows where there are no numbers of epochs."""
        return int(self.amounts[run])

    @property
    def amounts(self) -> Any:
        """The epochs of each run, or the rows where there are no numbers of epochs."""
        return self.rows if self.epochs is None else self.epochs

    def __str__(self) -> str:
        total, rows = int(self.amounts.sum()), int(self.rows.sum())
        text = count(total, self.unit)
        return text if total == rows else f"{text} in {count(rows, 'row')}"


def _distinct(numbers: Any) -> int:
    """How many epochs these numbers are of; fractions tell how much of the training is done."""
    import numpy as np

    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return len(numbers)
    if (known == np.floor(known)).all():
        return len(np.unique(known))
    return max(1, math.ceil(float(known.max()) - math.floor(float(known.min()))))
