"""From the runs that were read to one `History`: names, arrays, report."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np

from ..errors import LogError, MissingMetricError, name_advice
from ..history.history import History
from ..history.provenance import FileReport, Report
from .limits import Limits
from .run import Run

__all__ = ["Read", "assembled"]


@dataclass
class Read:
    """What one source gave."""

    source: str
    parts: tuple[str, ...]
    format: str = ""
    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: LogError | None = None


def assembled(
    reads: Sequence[Read],
    limits: Limits,
    wanted: set[str] | None,
    derived: Mapping[str, str | Callable[..., Any]],
) -> History:
    """One history of all runs.

    Raises LogError where there is no run at all, or more than the limits allow; MissingMetricError
    for a metric that is wanted and that no run has.
    """
    from ..history.expressions import names_in

    runs = [run for read in reads for run in read.runs]
    if not runs:
        raise _nothing(reads)
    there = list(dict.fromkeys(name for run in runs for name in run.metrics))
    places = list(dict.fromkeys(name for run in runs for name in run.coordinates))
    kept = there
    if wanted is not None:
        for name in sorted(wanted - set(there) - set(derived)):
            raise MissingMetricError(f"no run has {name!r}: {name_advice(name, there)}")
        if not any(callable(how) for how in derived.values()):
            needed = {n for how in derived.values() for n in names_in(str(how), [*there, *places])}
            kept = [name for name in there if name in wanted | needed] or there[:1]
    shape = (len(runs), max(run.length for run in runs))
    _within(limits, shape, kept, places, reads)
    history = History(
        _arrays(runs, shape, kept),
        lengths=[run.length for run in runs],
        names=_names(reads),
        coordinates=_coordinates(runs, shape, places),
    )
    for name, how in derived.items():
        history = history.derive(name, how)
    if wanted is not None:
        history = history.only(name for name in history.metrics if name in wanted | set(derived))
    history.report = _report(reads, history.names)
    return history


def _nothing(reads: Sequence[Read]) -> LogError:
    errors = [read.error for read in reads if read.error]
    if len(errors) == 1 and len(reads) == 1:
        return errors[0]
    if not errors:
        return LogError("there is no run in it", reads[0].source if reads else "")
    shown = "; ".join(map(str, errors[:3]))
    more = f"; and {len(errors) - 3:,} more" if len(errors) > 3 else ""
    not_a_log = all(error.not_a_log for error in errors)
    return LogError(
        f"nothing could be read from {len(reads):,} sources: {shown}{more}", not_a_log=not_a_log
    )


def _within(
    limits: Limits,
    shape: tuple[int, int],
    kept: Sequence[str],
    places: Sequence[str],
    reads: Sequence[Read],
) -> None:
    values = shape[0] * shape[1] * (len(kept) + len(places))
    if values > limits.values:
        raise LogError(
            f"{shape[0]:,} runs of up to {shape[1]:,} epochs with {len(kept):,} metrics and "
            f"{len(places):,} coordinates make arrays of {values:,} values, more than the "
            f"{limits.values:,} that `limits` allows: read fewer files at a time, or name the "
            "metrics to keep (metrics=...)",
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


def _told(error: LogError, source: str) -> str:
    """What an error says, without the source where it stands beside it."""
    if error.source != source:
        return str(error)
    return f"{error.place}: {error.message}" if error.place else error.message


def _report(reads: Sequence[Read], names: Sequence[str]) -> Report:
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
        error = _told(read.error, read.source) if read.error else ""
        files.append(FileReport(read.source, read.format, given, tuple(notes), error))
    agreed = {metric: next(iter(said)) for metric, said in modes.items() if len(said) == 1}
    return Report(tuple(files), agreed)


def _names(reads: Sequence[Read]) -> list[str]:
    """A name for each run: its own where it has one, else that of its file; all different."""
    with_runs = [read for read in reads if read.runs]
    shorts = _shortest([read.parts for read in with_runs])
    own = [run.name for read in with_runs for run in read.runs]
    if all(name and not name.startswith("#") for name in own) and len(set(own)) == len(own):
        return [str(name) for name in own]
    names = []
    for read, short in zip(with_runs, shorts, strict=True):
        for run in read.runs:
            if run.name is None:
                names.append(short)
            elif run.name.startswith("#"):
                names.append(f"{short} {run.name}")
            else:
                names.append(f"{short}:{run.name}" if len(with_runs) > 1 else run.name)
    counts = collections.Counter(names)
    taken = {name for name, count in counts.items() if count == 1}
    numbers: dict[str, int] = collections.defaultdict(int)
    for place, name in enumerate(names):
        if counts[name] > 1:
            candidate = name
            while candidate in taken:
                numbers[name] += 1
                candidate = f"{name} ({numbers[name]})"
            taken.add(candidate)
            names[place] = candidate
    return names


def _shortest(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """What tells these paths apart: without the parts at their start and end that all share."""
    if not paths:
        return []
    stems = [_stems(parts) for parts in paths]
    if len(stems) == 1:
        return [stems[0][-1]]
    head = 0
    shortest = min(map(len, stems))
    while head < shortest - 1 and len({parts[head] for parts in stems}) == 1:
        head += 1
    tail = 0
    while tail < shortest - head - 1 and len({parts[-1 - tail] for parts in stems}) == 1:
        tail += 1
    return ["/".join(parts[head : len(parts) - tail]) for parts in stems]


def _stems(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of a path that say something: event files are named by time and machine."""
    if len(parts) > 1 and ".tfevents." in parts[-1]:
        return parts[:-1]
    return (*parts[:-1], _stem(parts[-1])) if parts else ("run",)


def _stem(name: str) -> str:
    path = PurePath(name)
    if path.suffix == ".gz":
        path = PurePath(path.stem)
    known = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".log", ".npy", ".parquet")
    return path.stem if path.suffix.lower() in (*known, ".feather", ".arrow") else path.name
