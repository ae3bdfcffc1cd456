"""Validates the input of a history: arrays of shape (runs, epochs), and masks of their gaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import HistoryError
from .id_names import IdNames

__all__ = ["Bools", "Floats", "Ints", "as_metrics", "check_not_empty", "run_columns"]


Floats: TypeAlias = npt.NDArray[Any]


Bools: TypeAlias = npt.NDArray[np.bool_]


Ints: TypeAlias = npt.NDArray[np.int64]


def columns_of(table: Any) -> dict[Any, Any] | None:
    """The columns of a mapping or a data frame, by name; None for anything else."""
    if not hasattr(table, "__getitem__") or hasattr(table, "collect"):  # a lazy frame
        return None
    for attribute in ("keys", "column_names", "columns"):  # a mapping or pandas; pyarrow; polars
        found = getattr(table, attribute, None)
        if found is not None:
            names = list(found() if callable(found) else found)
            if len(set(names)) < len(names):
                raise HistoryError(f"the names of metrics must differ, got {names!r}")
            return {name: table[name] for name in names}
    return None


def as_metrics(metrics: Any) -> tuple[dict[str, Floats], dict[str, Bools]]:
    """The metrics of a history as arrays of one shape, and masks of gaps for metrics with gaps.

    Raises HistoryError, naming the metric and what was expected.
    """
    columns = columns_of(metrics)
    if columns is None:
        raise HistoryError(
            "expected a mapping from metric name to values, such as "
            f"{{'val_loss': [[0.9, 0.8]]}}, got {type(metrics).__name__}"
        )
    check_not_empty(columns, (1, 1))
    arrays: dict[str, Floats] = {}
    gaps: dict[str, Bools] = {}
    for name, values in columns.items():
        if not isinstance(name, str):
            raise HistoryError(f"the names of metrics must be strings, got {name!r}")
        arrays[name], missing = as_array(name, values)
        if missing is not None:
            gaps[name] = missing
    _check_shapes(arrays)
    return arrays, gaps


def _check_shapes(arrays: dict[str, Floats]) -> None:
    first, shape = next((name, array.shape) for name, array in arrays.items())
    for name, array in arrays.items():
        if array.shape != shape:
            raise HistoryError(
                f"metrics must have one shape (runs, epochs): {first!r} has {shape}, {name!r} "
                f"has {array.shape}; use None where a metric was not reported, pass `lengths` "
                "for runs of unequal length, or use History.from_runs"
            )
    check_not_empty(arrays, shape)


def check_not_empty(metrics: Collection[str], shape: tuple[int, ...]) -> None:
    """Raise HistoryError if there are no metrics, no runs, or no epochs."""
    if not metrics:
        raise HistoryError("a history needs at least one metric, got none")
    if 0 in shape:
        raise HistoryError(f"a history needs runs and epochs, got shape (runs, epochs) = {shape}")


def run_columns(runs: Iterable[Any]) -> tuple[list[dict[str, tuple[Any, Any]]], Ints]:
    """Runs, each a mapping from metric to values, as (reported epochs, values), and their lengths.

    Raises HistoryError, naming the run and what was expected.
    """
    columns: list[dict[str, tuple[Any, Any]]] = []
    lengths: list[int] = []
    for number, run in enumerate(runs):
        arrays = _run_columns(run, number)
        sizes = {name: array.shape[1] for name, (array, _) in arrays.items()}
        if len(set(sizes.values())) > 1:
            raise HistoryError(
                f"the metrics of run {number} differ in length: "
                + ", ".join(f"{name} {size}" for name, size in sizes.items())
                + "; use None where a metric was not reported (for a Keras fit with "
                "validation_freq, earlystop.adapters.keras.fit_history does)"
            )
        lengths.append(next(iter(sizes.values()), 0))
        columns.append({name: _cells(*found) for name, found in arrays.items()})
    if not columns:
        raise HistoryError("a history needs at least one run, got none")
    return columns, np.array(lengths, dtype=np.int64)


def _cells(array: Floats, gaps: Bools | None) -> tuple[Any, Any]:
    """The epochs of one run that report a metric, and its values there."""
    if gaps is None:
        return slice(array.shape[1]), array[0]
    epochs = np.flatnonzero(~gaps[0])
    return epochs, array[0][epochs]


def _run_columns(run: Any, number: int) -> dict[str, tuple[Floats, Bools | None]]:
    found = columns_of(run)
    if found is None:
        raise HistoryError(
            f"run {number} should be a mapping from metric name to values, got {type(run).__name__}"
        )
    columns = {}
    for name, values in found.items():
        if not isinstance(name, str):
            raise HistoryError(
                f"the names of metrics must be strings, got {name!r} in run {number}"
            )
        columns[name] = as_array(f"{name} of run {number}", values, of_one_run=True)
    return columns


def as_array(name: str, values: Any, of_one_run: bool = False) -> tuple[Floats, Bools | None]:
    """Values as an array (runs, epochs) of a real dtype, and a mask of gaps; None for no gaps.

    name: for errors.
    of_one_run: whether the values must have shape (epochs,).

    Raises HistoryError for values that are not real numbers, or not of such a shape.
    """
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
            column: Any = values  # a pandas column with pandas' own missing value
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
    """A row or a value, with None in place of masked values."""
    if value is np.ma.masked:
        return None
    if isinstance(value, np.ma.MaskedArray):
        return value.astype(object).tolist()
    if isinstance(value, (list, tuple)) and any(x is np.ma.masked for x in value):
        return [_unmasked(x) for x in value]
    return value


def _has_nulls(values: Any) -> bool:
    """Does a polars or pyarrow column have nulls? (They are not NaN there.)"""
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


def as_coordinate(name: str, values: Any, shape: tuple[int, ...]) -> Floats:
    """A coordinate of the epochs as an array (runs, epochs), NaN where unknown.

    Raises HistoryError for values of another shape, or that are not real numbers.
    """
    array, gaps = as_array(f"the coordinate {name!r}", values)
    if array.shape != shape:
        raise HistoryError(
            f"the coordinate {name!r} must have the shape of the metrics, (runs, epochs) = "
            f"{shape}, got {array.shape}"
        )
    if gaps is not None:
        array = np.where(gaps, np.nan, array)
    return array


def as_lengths(lengths: Any, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """The number of epochs of each run, shape (runs,); None for the full length.

    Raises HistoryError for anything other than one whole number per run within the epochs.
    """
    runs, epochs = shape
    if lengths is None:
        return np.full(runs, epochs, dtype=np.int64)
    array = np.asarray(list(lengths) if isinstance(lengths, Iterator) else lengths)
    if array.dtype.kind == "f" and (array == np.floor(array)).all():
        array = array.astype(np.int64)  # from a data frame, say
    if array.shape != (runs,) or array.dtype.kind not in "iu":
        raise HistoryError(
            f"`lengths` must be {runs} whole numbers, one per run, got "
            f"{array.dtype} of shape {array.shape}"
        )
    if array.min() < 0 or array.max() > epochs:
        raise HistoryError(
            f"`lengths` must lie between 0 and {epochs}, the number of epochs, got "
            f"{array.min()} to {array.max()}"
        )
    return np.array(array, dtype=np.int64)


def as_names(names: Iterable[str], runs: int) -> Sequence[str]:
    """The names of the runs. Raises HistoryError unless there is one per run, all different."""
    if isinstance(names, IdNames) and len(names) == runs:
        return names
    result = tuple(map(str, [names] if isinstance(names, str) else names))
    if len(result) != runs or len(set(result)) != runs:
        raise HistoryError(
            f"`names` must be {runs} different names, one per run, got {len(result)} "
            f"({len(set(result))} different)"
        )
    return result
