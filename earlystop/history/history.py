"""`History`: the logged metrics of many runs, of unequal length, with gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._plots import shown
from ..errors import HistoryError, MissingMetricError, name_advice
from .arrays import (
    Floats,
    as_coordinate,
    as_lengths,
    as_metrics,
    check_not_empty,
    run_columns,
)
from .ragged import Ragged, as_it_fits
from .stacking import stacked
from .stored import StoredRuns
from .transform import derived, without_epochs

if TYPE_CHECKING:
    from .provenance import Report

__all__ = ["History", "history_of", "unreported"]


class History(StoredRuns):
    """The metrics that runs logged, epoch by epoch.

    metrics: a mapping from name to an array of shape (runs, epochs), or (epochs,) for one run; a
        data frame is one run. Numbers of any real type; an array is not copied (a memory-mapped one
        stays on disk). A value that was *not reported* is masked (`numpy.ma`) or None; a NaN is a
        value that was logged.
    lengths: the epochs of each run, shape (runs,), if they differ; later values are ignored.
    names: the names of the runs; by default "run 0", "run 1", ...
    coordinates: the epochs on other axes, such as `step` or `wall_time`: a mapping from name to an
        array of the same shape, NaN where unknown. They are not metrics: no rule sees them.

    The attribute `report` says what was read, file by file, if the history comes from
    `read_history`; otherwise it is None.

    Raises HistoryError, naming the metric and what was expected, for shapes that do not agree,
    values that are not numbers, and a history without runs, epochs or metrics.

    >>> from earlystop import History
    >>> history = History({"val_loss": [[3.0, 2.0, 4.0], [5.0, None, 0.0]]}, lengths=[3, 2])
    >>> history
    History(2 runs, up to 3 epochs: val_loss)
    >>> history.reported("val_loss").tolist()
    [[True, True, True], [True, False, False]]
    """

    __slots__ = ()

    def __init__(
        self,
        metrics: Any,
        lengths: npt.ArrayLike | None = None,
        names: Iterable[str] | None = None,
        coordinates: Mapping[str, npt.ArrayLike] | None = None,
    ) -> None:
        arrays, gaps = as_metrics(metrics)
        shape = next(iter(arrays.values())).shape
        axes = {
            name: as_coordinate(name, values, shape) for name, values in (coordinates or {}).items()
        }
        self._set(arrays, gaps, as_lengths(lengths, shape), names, axes)

    @classmethod
    def from_runs(cls, runs: Iterable[Any], names: Iterable[str] | None = None) -> History:
        """A history of runs, each of them a mapping from metric name to values in epoch order.

        A run may be a dict of lists, a Keras `History.history`, or a data frame. Runs may differ in
        length and in their metrics; within a run, all metrics have the same length, with None where
        one was not reported (`earlystop.adapters.keras.fit_history` makes such a run of a fit with
        validation_freq). A NaN counts as a logged value: if a data frame marks gaps by NaN, convert
        them to None first.

        Raises HistoryError as `History` does.

        >>> from earlystop import History
        >>> History.from_runs([{"loss": [3, 2, 1]}, {"loss": [5, 4], "acc": [0.1, None]}]).lengths
        array([3, 2])
        """
        columns, lengths = run_columns(runs)
        metrics = dict.fromkeys(name for run in columns for name in run)
        return history_of(*stacked(metrics, columns, lengths), lengths, names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the runs, all different."""
        if self._names is None:  # made on demand: there may be millions of runs
            given = self.given_names
            self._names = tuple(
                (f"run {run}" for run in range(self.runs)) if given is None else given
            )
        return self._names

    def require(self, names: Iterable[str], owner: str) -> None:
        """Raise MissingMetricError, naming `owner`, for a metric that no epoch reports."""
        for name in names:
            if not self.reports(name):
                raise unreported(name, owner, filter(self.reports, self.metrics))

    def derive(self, name: str, how: str | Callable[[Mapping[str, Floats]], Any]) -> History:
        """The history with one more metric, computed from others.

        how: an expression, such as "0.1 * metrics/mAP_0.5 + 0.9 * metrics/mAP_0.5:0.95" (numbers,
            + - * / **, parentheses, abs, sqrt, log, log10, exp, min, max; put an ambiguous name in
            backticks), or a function that takes the metrics by name, arrays of shape (runs,
            epochs), and returns such an array. Coordinates may be used, too.

        An epoch reports the new metric if it reports all metrics it is computed from. Expressions
        are parsed, never executed as code.

        Raises MissingMetricError for an unknown metric, HistoryError for an invalid expression, for
        values of another shape, or if the metric exists already.

        >>> from earlystop import History
        >>> history = History({"precision": [0.5, 1.0, None], "recall": [0.5, 1.0, 0.1]})
        >>> f1 = history.derive("f1", "2 * precision * recall / (precision + recall)")
        >>> f1.metrics["f1"].tolist(), f1.reported("f1").tolist()
        ([[0.5, 1.0, nan]], [[True, True, False]])
        """
        if name in self.metrics:
            raise HistoryError(f"there is a metric {name!r} already")
        values, missing = derived(name, how, self.metrics, self.coordinates, self._gaps)
        gaps = {**self._gaps, name: missing}
        return self._with({**self.metrics.all_stored(), name: values}, gaps)

    def only(self, names: Iterable[str]) -> History:
        """The history with only these metrics. Raises MissingMetricError for an unknown one.

        >>> from earlystop import History
        >>> History({"loss": [3.0, 2.0], "lr": [0.1, 0.1]}).only(["loss"])
        History(1 run, up to 2 epochs: loss)
        """
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in self.metrics:
                raise MissingMetricError(f"no metric {name!r}: {name_advice(name, self.metrics)}")
        return self._with({name: self.values(name) for name in names}, self._gaps)

    def renamed(self, names: Iterable[str]) -> History:
        """The history with other names of the runs. Raises HistoryError unless all differ.

        >>> from earlystop import History
        >>> History({"loss": [[3.0, 2.0]]}).renamed(["first"]).names
        ('first',)
        """
        columns, coordinates = self.metrics.all_stored(), self.coordinates.all_stored()
        return history_of(columns, self._gaps, self.lengths, names, coordinates, self.report)

    def _with(self, metrics: dict[str, Any], gaps: dict[str, Any]) -> History:
        coordinates = self.coordinates.all_stored()
        return history_of(metrics, gaps, self.lengths, self.given_names, coordinates, self.report)

    def where_reported(self, name: str) -> History:
        """The history of only the epochs that report `name`: its series as logged, without gaps.

        If validation runs every few epochs or steps, replaying this counts validations. Runs that
        never report the metric are left out. Raises MissingMetricError if no run reports it.

        >>> from earlystop import History
        >>> history = History({"loss": [4.0, 3.0, 2.0], "val_loss": [None, 5.0, 4.0]})
        >>> history.where_reported("val_loss").metrics["loss"].tolist()
        [[3.0, 2.0]]
        """
        self.require([name], "where_reported")
        history = self.without(self._gaps.get(name))
        return history[np.flatnonzero(history.lengths)]

    def without(self, missing: Any) -> History:
        """The history without some epochs; a run that has no others is left with none.

        missing: a mask of the epochs to leave out, as `gaps` gives; None for none.
        """
        tables = (self.metrics.all_stored(), self._gaps, self.coordinates.all_stored())
        like = self.values(next(iter(self.metrics)))
        (metrics, gaps, coordinates), lengths = without_epochs(tables, like, missing, self.lengths)
        return history_of(metrics, gaps, lengths, self.given_names, coordinates, self.report)

    def records(self, run: int | str) -> list[dict[str, float]]:
        """The epochs of one run, given by number or name, each with the metrics it reported.

        Raises HistoryError for an unknown run.
        """
        return list(self.iter_records(run))

    def iter_records(self, run: int | str) -> Iterator[dict[str, float]]:
        """Iterate over `records`; epochs that are not consumed are not read."""
        for columns, gaps in self.iter_columns(self.row(run)):
            names = tuple(columns)
            for epoch, values in enumerate(zip(*columns.values(), strict=True)):
                record = dict(zip(names, values))  # noqa: B905  # equal lengths; strict is slower
                for name, missing in gaps.items():
                    if missing[epoch]:
                        del record[name]
                yield record

    def row(self, run: int | str) -> int:
        """The number of a run that is given by number (from 0) or by name.

        Raises HistoryError for an unknown run.
        """
        if isinstance(run, str):
            if run not in self.names:
                raise HistoryError(f"no run {run!r}: {name_advice(run, self.names, 'runs')}")
            return self.names.index(run)
        if not isinstance(run, (int, np.integer)) or not 0 <= run < self.runs:
            raise HistoryError(f"no run {run!r}: the history has runs 0 to {self.runs - 1}")
        return int(run)

    def __len__(self) -> int:
        return self.runs

    def __getitem__(self, runs: slice | npt.NDArray[Any] | list[Any]) -> History:
        """A history of some of the runs, selected by a slice, their numbers, or a boolean mask.

        Raises HistoryError for unknown runs, or if none is selected.

        >>> from earlystop import History
        >>> history = History({"loss": [[3.0, 2.0], [5.0, 4.0], [1.0, 0.0]]})
        >>> history[1:].metrics["loss"].tolist(), history[[2, 0]].names
        ([[5.0, 4.0], [1.0, 0.0]], ('run 2', 'run 0'))
        """
        rows: Any = runs if isinstance(runs, slice) else np.asarray(runs)
        try:
            lengths = self.lengths[rows]
        except IndexError as error:
            raise HistoryError(f"no such runs: the history has {self.runs} ({error})") from None
        if lengths.ndim != 1 or not len(lengths):
            raise HistoryError(f"a history needs runs: {runs!r} of {self.runs} gives none")
        names = [self.names[row] for row in np.arange(self.runs)[rows]]
        metrics, gaps, coordinates = (
            {
                name: as_it_fits(column.take(rows)) if isinstance(column, Ragged) else column[rows]
                for name, column in columns.items()
            }
            for columns in (self.metrics.all_stored(), self._gaps, self.coordinates.all_stored())
        )
        return history_of(metrics, gaps, lengths, names, coordinates, self.report)

    __iter__: Any = None  # otherwise Python would index with 0, 1, ...

    def __reduce__(self) -> Any:
        columns = self.metrics.all_stored(), self._gaps, self.lengths, self.given_names
        return history_of, (*columns, self.coordinates.all_stored(), self.report)

    def _repr_html_(self) -> str:
        return shown("history_html", self)

    def __repr__(self) -> str:
        runs = f"{self.runs} run{'s' if self.runs != 1 else ''}"
        return f"History({runs}, up to {self.epochs} epochs: {', '.join(self.metrics)})"


def history_of(
    metrics: dict[str, Any],
    gaps: dict[str, Any],
    lengths: Any,
    names: Any,
    coordinates: dict[str, Any] | None = None,
    report: Report | None = None,
) -> History:
    """The history of columns that have been validated before, with their masks of gaps.

    Raises HistoryError for a history without metrics, runs or epochs, and for names that are not
    one per run or not all different.
    """
    check_not_empty(metrics, next((column.shape for column in metrics.values()), ()))
    history = History.__new__(History)
    history._set(metrics, gaps, lengths, names, coordinates or {}, report)
    return history


def unreported(name: str, owner: str, reported: Iterable[str]) -> MissingMetricError:
    """The error for a metric that `owner` needs but no epoch reports. reported: the known ones."""
    return MissingMetricError(
        f"{owner} asks for {name!r}, but no epoch of this history reports {name!r}: "
        f"{name_advice(name, reported)}"
    )
