"""Which of many runs begin with the same values? So few are compared in full."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from .run import Run
from .same_run import tells

__all__ = ["Beginnings"]

_PLACES = (0, 1, 2, 3, 5, 8, 13)  # the finite values of a metric by which runs are told apart
_MARGIN = 5.1e-4  # relative: within which a value is the same, rounded to four digits
_MOST_NAMES = 100  # of a run, that are looked at
_LAST_WORD = re.compile(r"[^/_.-]*$")  # of a name: that which all tools share

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


class Beginnings:
    """The metrics of many runs by their first values, so that equal ones are found quickly."""

    def __init__(self, runs: Sequence[Run]) -> None:
        found: dict[str, list[tuple[int, Floats]]] = {}
        for number, run in enumerate(runs):
            for word, values in _telling(run):
                found.setdefault(word, []).append((number, values))
        self._of: list[list[tuple[_Metric, int]]] = [[] for _ in runs]
        for metrics in found.values():
            table = _Metric(metrics)
            for place, (number, _) in enumerate(metrics):
                self._of[number].append((table, place))

    def alike(self, number: int) -> list[int]:
        """Runs before this one, in order, of which a metric may have the same values."""
        earlier: set[int] = set()
        for table, place in self._of[number]:
            earlier.update(table.alike(place, number))
        return sorted(earlier)


def _telling(run: Run) -> Iterator[tuple[str, Floats]]:
    """The last words and values of the metrics that may tell this run from others."""
    for name in [name for name in run.metrics if tells(name)][:_MOST_NAMES]:
        values = run.metrics[name].values
        if np.isfinite(values).any():
            yield _LAST_WORD.findall(name)[0], values


class _Metric:
    """One metric of many runs, by the last word of its name.

    runs: the numbers of the runs, shape (n,).
    values: those at the places, NaN where a run has no more, shape (n, places).
    constant: which have several values that are all the same, and tell nothing, shape (n,).
    """

    def __init__(self, metrics: Sequence[tuple[int, Floats]]) -> None:
        self.runs = np.array([number for number, _ in metrics], np.int64)
        self.values = np.full((len(metrics), len(_PLACES)), np.nan)
        self.constant = np.zeros(len(metrics), np.bool_)
        for row, (_, values) in enumerate(metrics):
            finite = values[np.isfinite(values)]
            self.constant[row] = len(values) > 1 and len(np.unique(values)) == 1
            first = finite[[place for place in _PLACES if place < len(finite)]]
            self.values[row, : len(first)] = first
        self._order = np.argsort(self.values, axis=0, kind="stable")
        self._count = np.count_nonzero(~np.isnan(self.values), axis=0)
        self._range_near()

    def _range_near(self) -> None:
        """Of each run, the place where the fewest others have its value, and which these are."""
        margin = _MARGIN * np.abs(self.values)
        begin = np.zeros(self.values.shape, np.int64)
        end = np.zeros(self.values.shape, np.int64)
        for place, (order, count) in enumerate(zip(self._order.T, self._count, strict=True)):
            ordered = self.values[order[:count], place]
            at = self.values[:, place]
            begin[:, place] = np.searchsorted(ordered, at - margin[:, place], "left")
            end[:, place] = np.searchsorted(ordered, at + margin[:, place], "right")
        width = np.where(
            np.isnan(self.values), len(self.values), end - begin + len(self.values) - self._count
        )
        self._place = np.argmin(width, axis=1)
        rows = np.arange(len(self.values))
        self._begin, self._end = begin[rows, self._place], end[rows, self._place]

    def alike(self, row: int, before: int) -> list[int]:
        """The runs before this number that agree with that of a row as far as both go."""
        place = self._place[row]
        order = self._order[:, place]
        rows = np.concatenate(
            (order[self._begin[row] : self._end[row]], order[self._count[place] :])
        )
        rows = rows[self.runs[rows] < before]
        if self.constant[row]:
            rows = rows[~self.constant[rows]]
        mine, others = self.values[row], self.values[rows]
        near = np.abs(others - mine) <= _MARGIN * np.abs(mine)
        near |= np.isnan(others) | np.isnan(mine)
        return list(self.runs[rows[near.all(axis=1)]].tolist())
