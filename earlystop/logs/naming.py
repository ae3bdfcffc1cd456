"""Names of runs: their own, or the part of the path that distinguishes their file."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import PurePath

from .read_source import ReadSource

__all__ = ["run_names"]


def run_names(reads: Sequence[ReadSource]) -> list[str]:
    """A name for each run: its own if it has one, otherwise that of its file; all different."""
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
    for index, name in enumerate(names):
        if counts[name] > 1:
            candidate = name
            while candidate in taken:
                numbers[name] += 1
                candidate = f"{name} ({numbers[name]})"
            taken.add(candidate)
            names[index] = candidate
    return names


def _shortest(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """The paths without the parts at their start and end that all of them share."""
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
    """The distinctive parts of a path; names of event files hold only a time and a machine."""
    if len(parts) > 1 and ".tfevents" in parts[-1]:
        return parts[:-1]
    return (*parts[:-1], _stem(parts[-1])) if parts else ("run",)


def _stem(name: str) -> str:
    path = PurePath(name)
    if path.suffix == ".gz":
        path = PurePath(path.stem)
    known = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".log", ".npy", ".parquet")
    return path.stem if path.suffix.lower() in (*known, ".feather", ".arrow") else path.name
