"""Assembles the runs that were read into one `History`, with its provenance."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._arguments import argument
from ..errors import LogError, MissingMetricError, name_advice
from ..history.expressions import names_in
from ..history.history import History, history_of
from ..history.provenance import FileReport, Report
from ..history.ragged import cells_of
from ..history.stacking import stacked
from ..language.positions import ELAPSED, EPOCH, STEP
from .limits import Limits
from .naming import run_names
from .ordered import note_positions_that_go_back
from .read_source import ReadSource
from .renaming import Renames, rename_metrics
from .run import Run
from .set_aside import set_aside

__all__ = ["assemble"]


def assemble(
    reads: Sequence[ReadSource],
    limits: Limits,
    wanted: set[str] | None,
    derived: Mapping[str, str | Callable[..., Any]],
    renames: Renames,
) -> History:
    """One history of all runs.

    reads: what each source contained.
    wanted: the names of the metrics to keep; None for all. Coordinates, which are always kept, and
        positions may be among them.
    derived: further metrics, by name; see `History.derive`.
    renames: new names of metrics.

    Raises LogError if there are no runs, or more values than the limits allow; MissingMetricError
    for a wanted or renamed metric that no run has.
    """
    set_aside(reads)
    runs = [run for read in reads for run in read.runs]
    if not runs:
        raise _nothing(reads)
    for run in runs:
        note_positions_that_go_back(run)
    rename_metrics(runs, renames)
    reported = list(dict.fromkeys(name for run in runs for name in run.metrics))
    coordinates = list(dict.fromkeys(name for run in runs for name in run.coordinates))
    kept = reported
    if wanted is not None:
        known = {*reported, *derived, *coordinates, EPOCH, STEP, ELAPSED}
        for name in sorted(wanted - known):
            raise MissingMetricError(f"no run has {name!r}: {name_advice(name, reported)}")
        if not any(callable(how) for how in derived.values()):
            needed = {
                n for how in derived.values() for n in names_in(str(how), [*reported, *coordinates])
            }
            kept = [name for name in reported if name in wanted | needed] or reported[:1]
    lengths = np.array([run.length for run in runs])
    _within(limits, lengths, kept, coordinates, reads)
    axes, _ = stacked(coordinates, [run.coordinates for run in runs], lengths, owned=True)
    metrics, gaps = stacked(kept, [run.metrics for run in runs], lengths, owned=True)
    history = history_of(metrics, gaps, lengths, run_names(reads), axes)
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
    not_a_log = all(error.not_a_log for error in errors)
    return LogError(
        f"nothing could be read from {len(reads):,} sources: {_reasons(errors)}",
        not_a_log=not_a_log,
    )


def _reasons(errors: Sequence[LogError]) -> str:
    """Why sources could not be read: each reason once, with the first source that has it."""
    by_message: dict[str, list[LogError]] = {}
    for error in errors:
        by_message.setdefault(error.message, []).append(error)
    told = [
        str(same[0]) + (f" (and so {len(same) - 1:,} more)" if len(same) > 1 else "")
        for same in by_message.values()
    ]
    more = f"; and {len(told) - _FEW:,} other reasons" if len(told) > _FEW else ""
    return "; ".join(told[:_FEW]) + more


_FEW = 5


def _within(
    limits: Limits,
    lengths: npt.NDArray[np.int64],
    kept: Sequence[str],
    coordinates: Sequence[str],
    reads: Sequence[ReadSource],
) -> None:
    values = cells_of(lengths) * (len(kept) + len(coordinates))
    if values > limits.values:
        raise LogError(
            f"{len(lengths):,} runs of up to {lengths.max():,} epochs with {len(kept):,} metrics "
            f"and {len(coordinates):,} coordinates make arrays of {values:,} values, more than the "
            f"{limits.values:,} that `limits` allows: read fewer files at a time, or name the "
            f"metrics to keep ({argument('metrics')})",
            reads[0].source if len(reads) == 1 else "",
        )


def _without_source(error: LogError, source: str) -> str:
    """The message of an error, without the source if the report names it already."""
    if error.source != source:
        return str(error)
    return f"{error.place}: {error.message}" if error.place else error.message


def _run_notes(names: Sequence[str], runs: Sequence[Run]) -> list[str]:
    """The notes of runs, each after the name of its run unless all runs share it."""
    counts = collections.Counter(note for run in runs for note in dict.fromkeys(run.notes))
    notes = [note for note, number in counts.items() if number == len(runs)]
    for name, run in zip(names, runs, strict=True):
        notes += [f"{name}: {note}" for note in run.notes if counts[note] < len(runs)]
    return notes


def _report(reads: Sequence[ReadSource], names: Sequence[str]) -> Report:
    files, first = [], 0
    modes: dict[str, set[str]] = collections.defaultdict(set)
    for read in reads:
        given = tuple(names[first : first + len(read.runs)])
        first += len(read.runs)
        notes = [*read.notes, *_run_notes(given, read.runs)]
        for run in read.runs:
            for metric, mode in run.modes.items():
                modes[metric].add(mode)
        error = _without_source(read.error, read.source) if read.error else ""
        files.append(FileReport(read.source, read.format, given, tuple(notes), error))
    agreed = {metric: next(iter(said)) for metric, said in modes.items() if len(said) == 1}
    return Report(tuple(files), agreed)
