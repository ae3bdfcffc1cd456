"""`History`: the logged metrics of many runs, of unequal length, with gaps."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import HistoryError, MissingMetricError, name_advice

if TYPE_CHECKING:
    from .provenance import Report

__all__ = ["History"]

_READ_AHEAD = 64  # epochs of a run that are read together
_LOOKED_THROUGH = 2**20  # epochs that are looked through together

Floats: TypeAlias = npt.NDArray[Any]
Bools: TypeAlias = npt.NDArray[np.bool_]


class History:
    """The metrics that runs logged, epoch by epoch.

    metrics: from name to an array of shape (runs, epochs), or (epochs,) for one run; a data frame
        is one run. Numbers of any real type; an array is kept as it is (a memory-mapped one stays
        on disk). What was *not reported* at an epoch is masked (`numpy.ma`) or None; a NaN is a
        value that was logged.
    lengths: epochs of each run, shape (runs,), where runs differ; what lies beyond is ignored.
    names: of the runs; "run 0", "run 1", ... if left out.
    coordinates: where the epochs lie on other axes, such as `step` or `wall_time`: from name to an
        array of the same shape, NaN where it is not known. They are no metrics: no rule sees them.
    report: what was read, file by file, where the history comes from `read_history`; else None.

    Raises HistoryError, saying which metric and what was expected, for shapes that do not agree,
    values that are no numbers, and a history without runs, epochs or metrics.

    >>> from earlystop import History
    >>> history = History({"val_loss": [[3.0, 2.0, 4.0], [5.0, None, 0.0]]}, lengths=[3, 2])
    >>> history
    History(2 runs, up to 3 epochs: val_loss)
    >>> history.reported("val_loss").tolist()
    [[True, True, True], [True, False, False]]
    """

    __slots__ = ("_gaps", "_names", "coordinates", "given_names", "lengths", "metrics", "report")

    metrics: Mapping[str, Floats]
    coordinates: Mapping[str, Floats]
    report: Report | None
    lengths: npt.NDArray[np.int64]
    given_names: tuple[str, ...] | None

    def __init__(
        self,
        metrics: Any,
        lengths: npt.ArrayLike | None = None,
        names: Iterable[str] | None = None,
        coordinates: Mapping[str, npt.ArrayLike] | None = None,
    ) -> None:
        columns = _columns_of(metrics)
        if columns is None:
            raise HistoryError(
                "expected a mapping from metric name to values, such as "
                f"{{'val_loss': [[0.9, 0.8]]}}, got {type(metrics).__name__}"
            )
        if not columns:
            raise HistoryError("a history needs at least one metric, got none")
        arrays: dict[str, Floats] = {}
        self._gaps: dict[str, Bools] = {}  # True: not reported; metrics without gaps are left out
        for name, values in columns.items():
            if not isinstance(name, str):
                raise HistoryError(f"the names of metrics must be strings, got {name!r}")
            arrays[name], gaps = _array(name, values)
            if gaps is not None:
                self._gaps[name] = gaps
        first, shape = next((name, array.shape) for name, array in arrays.items())
        for name, array in arrays.items():
            if array.shape != shape:
                raise HistoryError(
                    f"metrics must have one shape (runs, epochs): {first!r} has {shape}, {name!r} "
                    f"has {array.shape}; say None where a metric was not reported, give `lengths` "
                    "for runs of unequal length, or use History.from_runs"
                )
        if 0 in shape:
            raise HistoryError(
                f"a history needs runs and epochs, got shape (runs, epochs) = {shape}"
            )
        self.metrics = types.MappingProxyType(arrays)
        self.lengths = _lengths(lengths, shape)
        self.lengths.flags.writeable = False
        self.coordinates = types.MappingProxyType(
            {name: _coordinate(name, values, shape) for name, values in (coordinates or {}).items()}
        )
        self.report = None
        self.given_names = None if names is None else _names(names, shape[0])
        self._names = self.given_names
        for name, gaps in list(self._gaps.items()):
            for runs in self._few_runs():  # what lies beyond the end of a run is no gap
                gaps[runs] &= self._inside(runs)
            if not gaps.any():
                del self._gaps[name]

    @classmethod
    def from_runs(cls, runs: Iterable[Any], names: Iterable[str] | None = None) -> History:
        """The history of runs that are each a mapping from metric name to its values in order.

        A run may be a dict of lists, a Keras `History.history`, or a data frame. Runs may differ in
        length and in their metrics; within a run, all metrics have the same length, with None
        where one was not reported. A NaN is taken for a logged value: where a frame has nothing
        else for a gap, turn it into None first.

        Raises HistoryError as `History` does.

        >>> from earlystop import History
        >>> History.from_runs([{"loss": [3, 2, 1]}, {"loss": [5, 4], "acc": [0.1, None]}]).lengths
        array([3, 2])
        """
        columns: list[dict[str, tuple[Floats, Bools | None]]] = []
        lengths: list[int] = []
        for place, run in enumerate(runs):
            if _columns_of(run) is None:
                raise HistoryError(
                    f"run {place} should be a mapping from metric name to values, "
                    f"got {type(run).__name__}"
                )
            columns.append(_columns(run, place))
            sizes = {name: array.shape[1] for name, (array, _) in columns[-1].items()}
            if len(set(sizes.values())) > 1:
                raise HistoryError(
                    f"the metrics of run {place} differ in length: "
                    + ", ".join(f"{name} {size}" for name, size in sizes.items())
                    + "; say None where a metric was not reported"
                )
            lengths.append(next(iter(sizes.values()), 0))
        if not columns:
            raise HistoryError("a history needs at least one run, got none")
        shape = (len(columns), max(lengths))
        metrics: dict[str, Any] = {}
        for name in dict.fromkeys(name for run in columns for name in run):
            merged, missing = np.full(shape, np.nan), np.ones(shape, dtype=np.bool_)
            for place, run in enumerate(columns):
                if name in run:
                    array, gaps = run[name]
                    merged[place, : lengths[place]] = array[0]
                    missing[place, : lengths[place]] = False if gaps is None else gaps[0]
            metrics[name] = np.ma.MaskedArray(merged, mask=missing)
        return cls(metrics, lengths=lengths, names=names)

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self.lengths)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the runs, all different."""
        if self._names is None:  # not made before they are asked for: runs may be millions
            self._names = tuple(f"run {place}" for place in range(self.runs))
        return self._names

    @property
    def epochs(self) -> int:
        """How many epochs the arrays hold: no run is longer."""
        return int(next(iter(self.metrics.values())).shape[1])

    def reported(self, name: str) -> Bools:
        """Where `name` was reported, shape (runs, epochs): False in gaps and beyond a run's end.

        Raises MissingMetricError for a metric that the history does not have.
        """
        if name not in self.metrics:
            raise MissingMetricError(f"no metric {name!r}: {name_advice(name, self.metrics)}")
        gaps = self._gaps.get(name)
        return self._inside() if gaps is None else self._inside() & ~gaps

    def _inside(self, runs: slice = slice(None)) -> Bools:
        inside: Bools = np.arange(self.epochs) < self.lengths[runs, None]
        return inside

    def _few_runs(self) -> Iterator[slice]:
        """All runs, few at a time, for what would take memory for all at once."""
        few = max(1, _LOOKED_THROUGH // self.epochs)
        for first in range(0, self.runs, few):
            yield slice(first, first + few)

    def gaps(self, name: str) -> Bools | None:
        """Where, within the arrays, `name` was not reported; None: nowhere."""
        return self._gaps.get(name)

    def require(self, names: Iterable[str], owner: str) -> None:
        """Raise MissingMetricError, naming who asks, for a name that no epoch reports."""
        for name in names:
            if not self.reports(name):
                raise unreported(name, owner, filter(self.reports, self.metrics))

    def reports(self, name: str) -> bool:
        """Does any epoch report `name`?"""
        if name in self._gaps:
            gaps = self._gaps[name]
            return any((self._inside(runs) & ~gaps[runs]).any() for runs in self._few_runs())
        return name in self.metrics

    def derive(self, name: str, how: str | Callable[[Mapping[str, Floats]], Any]) -> History:
        """The history with one more metric, made of others.

        how: an expression, such as "0.1 * metrics/mAP_0.5 + 0.9 * metrics/mAP_0.5:0.95" (numbers,
            + - * / **, brackets, abs, sqrt, log, log10, exp, min, max; where it is not clear which
            name is meant, put it in backticks), or a function that takes the metrics by name,
            arrays of shape (runs, epochs), and returns such an array. Coordinates may be used, too.

        An epoch reports it where it reports all the metrics it is made of. Expressions are parsed,
        never executed as code. Raises MissingMetricError for a metric that there is not,
        HistoryError for what is no expression, or another shape.

        >>> from earlystop import History
        >>> history = History({"precision": [0.5, 1.0, None], "recall": [0.5, 1.0, 0.1]})
        >>> f1 = history.derive("f1", "2 * precision * recall / (precision + recall)")
        >>> f1.metrics["f1"].tolist(), f1.reported("f1").tolist()
        ([[0.5, 1.0, nan]], [[True, True, False]])
        """
        from .expressions import Reads, evaluate

        if name in self.metrics:
            raise HistoryError(f"there is a metric {name!r} already")
        values = Reads({**self.coordinates, **self.metrics})
        array = np.asarray(evaluate(how, values) if isinstance(how, str) else how(values))
        if array.shape != (shape := (self.runs, self.epochs)):
            raise HistoryError(
                f"the values of {name!r} must have the shape (runs, epochs) = {shape}, as the "
                f"metrics have that it is made of, got {array.shape}"
            )
        missing = np.zeros(shape, dtype=np.bool_)
        for source in values.asked:
            if source in self._gaps:
                missing |= self._gaps[source]
            elif source not in self.metrics:
                missing |= np.isnan(self.coordinates[source])
        masked = np.ma.MaskedArray(np.where(missing, np.nan, array), mask=missing)
        gaps = {**self._gaps, name: missing}
        return self._with({**self.metrics, name: masked}, gaps)

    def only(self, names: Iterable[str]) -> History:
        """The history with these metrics alone.

        >>> from earlystop import History
        >>> History({"loss": [3.0, 2.0], "lr": [0.1, 0.1]}).only(["loss"])
        History(1 run, up to 2 epochs: loss)
        """
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in self.metrics:
                raise MissingMetricError(f"no metric {name!r}: {name_advice(name, self.metrics)}")
        return self._with({name: self.metrics[name] for name in names}, self._gaps)

    def _with(self, metrics: dict[str, Floats], gaps: dict[str, Bools]) -> History:
        coordinates = dict(self.coordinates)
        return _made(metrics, gaps, self.lengths, self.given_names, coordinates, self.report)

    def where_reported(self, name: str) -> History:
        """The epochs that report `name`, those alone: its series as it was logged, without gaps.

        Where validation comes every few epochs or steps, replaying this counts validations. Runs
        that never report it are left out. Raises MissingMetricError where none does.

        >>> from earlystop import History
        >>> history = History({"loss": [4.0, 3.0, 2.0], "val_loss": [None, 5.0, 4.0]})
        >>> history.where_reported("val_loss").metrics["loss"].tolist()
        [[3.0, 2.0]]
        """
        self.require([name], "where_reported")
        there = self.reported(name)
        runs = np.flatnonzero(there.any(axis=1))
        lengths = there.sum(axis=1)[runs]
        order = np.argsort(~there[runs], axis=1, kind="stable")[:, : lengths.max()]
        made = {key: np.take_along_axis(a[runs], order, axis=1) for key, a in self.metrics.items()}
        gaps = {key: np.take_along_axis(a[runs], order, axis=1) for key, a in self._gaps.items()}
        coordinates = {
            key: np.take_along_axis(a[runs], order, axis=1) for key, a in self.coordinates.items()
        }
        names = [self.names[run] for run in runs]
        return _made(made, gaps, lengths, names, coordinates, self.report)

    def records(self, run: int | str) -> list[dict[str, float]]:
        """The epochs of one run, by number or name, each with the metrics it reported.

        Raises HistoryError for a run that there is not.
        """
        return list(self.iter_records(run))

    def iter_records(self, run: int | str) -> Iterator[dict[str, float]]:
        """`records`, one by one: what is not asked for is not read."""
        for columns, gaps in self.iter_columns(self.row(run)):
            names = tuple(columns)
            for place, values in enumerate(zip(*columns.values(), strict=True)):
                record = dict(zip(names, values))  # noqa: B905  # as many, and it is the fast way
                for name, missing in gaps.items():
                    if missing[place]:
                        del record[name]
                yield record

    def iter_columns(
        self, row: int
    ) -> Iterator[tuple[dict[str, list[float]], dict[str, list[bool]]]]:
        """The epochs of one run, by number, some at a time: their values, by name, and their gaps.

        Names without gaps among these epochs are left out of the gaps.
        """
        length = int(self.lengths[row])
        for first in range(0, length, _READ_AHEAD):
            epochs = slice(first, min(first + _READ_AHEAD, length))
            columns = {
                name: array[row, epochs].astype(np.float64).tolist()
                for name, array in self.metrics.items()
            }
            gaps = {
                name: missing.tolist()
                for name, array in self._gaps.items()
                if (missing := array[row, epochs]).any()
            }
            yield columns, gaps

    def row(self, run: int | str) -> int:
        """The number of a run, given by number (from 0) or by name."""
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
        """Some of the runs: a slice, their numbers, or a truth for each.

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
        return _made(
            {name: array[rows] for name, array in self.metrics.items()},
            {name: gaps[rows] for name, gaps in self._gaps.items()},
            lengths,
            names,
            {name: array[rows] for name, array in self.coordinates.items()},
            self.report,
        )

    __iter__: Any = None  # else Python would ask for one number after another

    def __reduce__(self) -> Any:
        arrays = dict(self.metrics), self._gaps, self.lengths, self.given_names
        return _made, (*arrays, dict(self.coordinates), self.report)

    def __repr__(self) -> str:
        runs = f"{self.runs} run{'s' if self.runs != 1 else ''}"
        return f"History({runs}, up to {self.epochs} epochs: {', '.join(self.metrics)})"


def _made(
    metrics: dict[str, Any],
    gaps: dict[str, Any],
    lengths: Any,
    names: Any,
    coordinates: dict[str, Any] | None = None,
    report: Report | None = None,
) -> History:
    """The history of these arrays, as another kept them."""
    masked = {
        name: np.ma.MaskedArray(array, gaps[name]) if name in gaps else array
        for name, array in metrics.items()
    }
    history = History(masked, lengths, names, coordinates)
    history.report = report
    return history


def unreported(name: str, owner: str, there: Iterable[str]) -> MissingMetricError:
    """The error for a metric that `owner` asks for; there: the metrics that are reported."""
    return MissingMetricError(
        f"{owner} asks for {name!r}, but no epoch of this history reports {name!r}: "
        f"{name_advice(name, there)}"
    )


def _columns_of(table: Any) -> dict[Any, Any] | None:
    """The columns of a mapping or a data frame, by name; None for anything else."""
    if not hasattr(table, "__getitem__") or hasattr(table, "collect"):  # a frame yet to be made
        return None
    for names in ("keys", "column_names", "columns"):  # a mapping or pandas; pyarrow; polars
        found = getattr(table, names, None)
        if found is not None:
            there = list(found() if callable(found) else found)
            if len(set(there)) < len(there):
                raise HistoryError(f"the names of metrics must differ, got {there!r}")
            return {name: table[name] for name in there}
    return None


def _columns(run: Any, place: int) -> dict[str, tuple[Floats, Bools | None]]:
    columns = {}
    for name, values in (_columns_of(run) or {}).items():
        if not isinstance(name, str):
            raise HistoryError(f"the names of metrics must be strings, got {name!r} in run {place}")
        columns[name] = _array(f"{name} of run {place}", values, of_one_run=True)
    return columns


def _array(name: str, values: Any, of_one_run: bool = False) -> tuple[Floats, Bools | None]:
    """The values as (runs, epochs) of a real dtype, and where they are gaps (None: nowhere)."""
    gaps: Any = None
    if isinstance(values, np.ma.MaskedArray):
        gaps = np.ma.getmaskarray(values).copy()
        array = np.asarray(values.data)
    else:
        array = _plain_array(name, values)
    if array.dtype == object:
        if any(isinstance(value, str) for value in array.flat):
            raise HistoryError(f"the values of {name} must be real numbers, got text among them")
        missing = np.array([value is None for value in array.flat]).reshape(array.shape)
        gaps = missing if gaps is None else gaps | missing
        array = _numbers(name, np.where(gaps, np.nan, array))
    if array.dtype.kind not in "fiub":
        raise HistoryError(f"the values of {name} must be real numbers, got {array.dtype}")
    if array.ndim == 1:
        array = array[None, :]
        gaps = None if gaps is None else gaps[None, :]
    elif array.ndim != 2 or of_one_run:
        wanted = "(epochs,)" if of_one_run else "(runs, epochs) or (epochs,)"
        raise HistoryError(f"{name} must have shape {wanted}, got {array.shape}")
    return array, gaps if gaps is not None and gaps.any() else None


def _plain_array(name: str, values: Any) -> Any:
    if isinstance(values, (str, bytes)) or not isinstance(values, (Iterable, np.ndarray)):
        raise HistoryError(f"the values of {name} must be a sequence, got {values!r:.80}")
    try:
        if isinstance(values, np.memmap):
            return values
        if type(getattr(getattr(values, "dtype", None), "na_value", None)).__name__ == "NAType":
            column: Any = values  # pandas, with gaps of its own
            values = column.astype(object).where(column.notna(), None)
        if _has_nulls(values):
            column = values
            values = column.to_list() if hasattr(column, "to_list") else column.to_pylist()
        if hasattr(values, "__array__"):
            return np.asarray(values)
        values = [_unmasked(value) for value in values]
        if not _ragged(values):
            return np.asarray(values)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise HistoryError(f"the values of {name} do not form an array: {error}") from error
    raise HistoryError(
        f"the runs of {name} differ in length: use History.from_runs([{{{name!r}: values of "
        "run 0}, ...]), or one padded array with `lengths`"
    )


def _unmasked(value: Any) -> Any:
    """A row, or a value, with None for what is masked."""
    if value is np.ma.masked:
        return None
    if isinstance(value, np.ma.MaskedArray):
        return value.astype(object).tolist()
    if isinstance(value, (list, tuple)) and any(x is np.ma.masked for x in value):
        return [_unmasked(x) for x in value]
    return value


def _has_nulls(values: Any) -> bool:
    """Does a column of polars or pyarrow have gaps, which are not NaN there?"""
    count = getattr(values, "null_count", 0)
    return bool(count() if callable(count) else count)


def _ragged(values: Sequence[Any]) -> bool:
    rows = [isinstance(v, (Sequence, np.ndarray)) and not isinstance(v, str) for v in values]
    return len({len(v) if row else -1 for v, row in zip(values, rows, strict=True)}) > 1


def _numbers(name: str, array: Any) -> Any:
    try:
        return array.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise HistoryError(f"the values of {name} must be real numbers: {error}") from error


def _coordinate(name: str, values: Any, shape: tuple[int, ...]) -> Floats:
    """A coordinate of the epochs, shape (runs, epochs), NaN where it is not known."""
    array, gaps = _array(f"the coordinate {name!r}", values)
    if array.shape != shape:
        raise HistoryError(
            f"the coordinate {name!r} must have the shape of the metrics, (runs, epochs) = "
            f"{shape}, got {array.shape}"
        )
    if gaps is not None:
        array = np.where(gaps, np.nan, array)
    return array


def _lengths(lengths: Any, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    runs, epochs = shape
    if lengths is None:
        return np.full(runs, epochs, dtype=np.int64)
    array = np.asarray(list(lengths) if isinstance(lengths, Iterator) else lengths)
    if array.dtype.kind == "f" and (array == np.floor(array)).all():
        array = array.astype(np.int64)  # of a data frame, say
    if array.shape != (runs,) or array.dtype.kind not in "iu":
        raise HistoryError(
            f"`lengths` must be {runs} whole numbers, one a run, got "
            f"{array.dtype} of shape {array.shape}"
        )
    if array.min() < 0 or array.max() > epochs:
        raise HistoryError(
            f"`lengths` must lie between 0 and the {epochs} epochs there are, got "
            f"{array.min()} to {array.max()}"
        )
    return np.array(array, dtype=np.int64)


def _names(names: Iterable[str], runs: int) -> tuple[str, ...]:
    result = tuple(map(str, [names] if isinstance(names, str) else names))
    if len(result) != runs or len(set(result)) != runs:
        raise HistoryError(
            f"`names` must be {runs} different names, one a run, got {len(result)} "
            f"({len(set(result))} different)"
        )
    return result
