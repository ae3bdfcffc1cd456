"""Assembles the runs that were read into one `History`, with its provenance."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._arguments import argument
from ..errors import LogError, MissingMetricError, name_advice
from ..history.expressions import names_in
from ..history.history import History
from ..history.provenance import FileReport, Report
from .limits import Limits
from .naming import run_names
from .read_source import ReadSource
from .run import Run

__all__ = ["assemble"]


def assemble(
    reads: Sequence[ReadSource],
    limits: Limits,
    wanted: set[str] | None,
    derived: Mapping[str, str | Callable[..., Any]],
) -> History:
    """One history of all runs.

    reads: what each source contained.
    wanted: the names of the metrics to keep; None for all.
    derived: further metrics, by name; see `History.derive`.

    Raises LogError if there are no runs, or more values than the limits allow; MissingMetricError
    for a wanted metric that no run has.
    """
    runs = [run for read in reads for run in read.runs]
    if not runs:
        raise _nothing(reads)
    reported = list(dict.fromkeys(name for run in runs for name in run.metrics))
    coordinates = list(dict.fromkeys(name for run in runs for name in run.coordinates))
    kept = reported
    if wanted is not None:
        for name in sorted(wanted - set(reported) - set(derived)):
            raise MissingMetricError(f"no run has {name!r}: {name_advice(name, reported)}")
        if not any(callable(how) for how in derived.values()):
            needed = {
                n for how in derived.values() for n in names_in(str(how), [*reported, *coordinates])
            }
            kept = [name for name in reported if name in wanted | needed] or reported[:1]
    shape = (len(runs), max(run.length for run in runs))
    _within(limits, shape, kept, coordinates, reads)
    history = History(
        _arrays(runs, shape, kept),
        lengths=[run.length for run in runs],
        names=run_names(reads),
        coordinates=_coordinates(runs, shape, coordinates),
    )
    for name, how in derived.items():
        history = history.derive(name, how)
    if wanted is not None:
        history = history.only(name for name in history.metrics if name in wanted | set(derived))
    history.report = _report(reads, history.names)
    return history


def _nothing(reads: Sequence[ReadSource]) -> LogError:
    errors = [read.error for read in reads if read.error]
    if len(errors) == 1 and len(reads) == 1:
        return errors[0]
    if not errors:
        return LogError("there is no run in it", reads[0].source if reads else "")
    first_errors = "; ".join(map(str, errors[:3]))
    more = f"; and {len(errors) - 3:,} more" if len(errors) > 3 else ""
    not_a_log = all(error.not_a_log for error in errors)
    return LogError(
        f"nothing could be read from {len(reads):,} sources: {first_errors}{more}",
        not_a_log=not_a_log,
    )


def _within(
    limits: Limits,
    shape: tuple[int, int],
    kept: Sequence[str],
    coordinates: Sequence[str],
    reads: Sequence[ReadSource],
) -> None:
    values = shape[0] * shape[1] * (len(kept) + len(coordinates))
    if values > limits.values:
        raise LogError(
            f"{shape[0]:,} runs of up to {shape[1]:,} epochs with {len(kept):,} metrics and "
            f"{len(coordinates):,} coordinates make arrays of {values:,} values, more than the "
            f"{limits.values:,} that `limits` allows: read fewer files at a time, or name the "
            f"metrics to keep ({argument('metrics')})",
            reads[0].source if len(reads) == 1 else "",
        )


def _arrays(runs: Sequence[Run], shape: tuple[int, int], kept: Iterable[str]) -> dict[str, Any]:
    """The metrics as arrays (runs, epochs), masked where they were not reported."""
    arrays = {n: (np.full(shape, np.nan), np.ones(shape, dtype=np.bool_)) for n in kept}
    for row, run in enumerate(runs):
        for name, points in run.metrics.items():
            if name in arrays:
                values, gaps = arrays[name]
                values[row, points.rows] = points.values
                gaps[row, points.rows] = False
    return {name: np.ma.MaskedArray(values, mask=gaps) for name, (values, gaps) in arrays.items()}


def _coordinates(
    runs: Sequence[Run], shape: tuple[int, int], names: Iterable[str]
) -> dict[str, Any]:
    arrays = {name: np.full(shape, np.nan) for name in names}
    for row, run in enumerate(runs):
        for name, points in run.coordinates.items():
            arrays[name][row, points.rows] = points.values
    return arrays


def _without_source(error: LogError, source: str) -> str:
    """The message of an error, without the source if the report names it already."""
    if error.source != source:
        return str(error)
    return f"{error.place}: {error.message}" if error.place else error.message


def _report(reads: Sequence[ReadSource], names: Sequence[str]) -> Report:
    files, first = [], 0
    modes: dict[str, set[str]] = collections.defaultdict(set)
    for read in reads:
        given = tuple(names[first : first + len(read.runs)])
        first += len(read.runs)
        notes = list(read.notes)
        for name, run in zip(given, read.runs, strict=True):
            notes += [f"{name}: {note}" if len(given) > 1 else note for note in run.notes]
            for metric, mode in run.modes.items():
                modes[metric].add(mode)
        error = _without_source(read.error, read.source) if read.error else ""
        files.append(FileReport(read.source, read.format, given, tuple(notes), error))
    agreed = {metric: next(iter(said)) for metric, said in modes.items() if len(said) == 1}
    return Report(tuple(files), agreed)
