"""Runs that were restarted or resumed, and epochs that were reported more than once.

The docstring of `earlystop.logs` states the rule.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .parts import told_apart
from .row_counter import Counter, rises, row_counter
from .run import Points, Run

__all__ = ["split_runs"]


@dataclass(slots=True)
class _Entry:
    """An epoch under construction.

    key: the value that counts its rows; NaN if they have none.
    highest: the highest key so far, including this one.
    metrics: the values reported.
    rows: the rows of the log that report them.
    """

    key: float
    highest: float
    metrics: dict[str, float]
    rows: list[int]


@dataclass
class _Entries:
    """The epochs of one run under construction.

    keep: whether repeated rows are kept.
    shared: whether rows share their keys, which do not count them.
    entries: the epochs.
    reported: the keys at which each metric was reported, in ascending order.
    late: the index of the first entry since the last fall-back that repeated nothing.
    replaced: how many values were replaced.
    dropped: how many epochs were dropped.
    resumed: the keys at which the run was resumed.
    """

    keep: bool
    shared: bool = False
    entries: list[_Entry] = field(default_factory=list)
    reported: dict[str, list[float]] = field(default_factory=dict)
    late: int | None = None
    replaced: int = 0
    dropped: int = 0
    resumed: list[float] = field(default_factory=list)

    def add(self, key: float, metrics: dict[str, float], row: int) -> bool:
        """Add a row; return False if it begins a new run instead."""
        last = self.entries[-1] if self.entries else None
        if last is None or math.isnan(key):
            self._append(key, metrics, row)
            return True
        if key == last.key and self._goes_with(last, metrics):
            self._merge(last, metrics, row)
            return True
        if key == last.key == last.highest and (self.keep or self.shared):
            self._append(key, metrics, row)
            return True
        if key > last.highest:
            self.late = None
        elif self._repeats(key, metrics):
            if key <= self.entries[0].highest and key < last.highest:
                return False
            self.resumed.append(key)
            if not self.keep:
                self._take_back(key)
                last = self.entries[-1] if self.entries else None
                if last is not None and last.key == key:
                    self._merge(last, metrics, row)
                    return True
        elif self.late is None:
            self.late = len(self.entries)
        self._append(key, metrics, row)
        return True

    def _goes_with(self, last: _Entry, metrics: dict[str, float]) -> bool:
        """Does this row, which has the key of the last entry, belong to it?"""
        if (self.keep or self.shared) and metrics.keys() & last.metrics.keys():
            return False
        late = last.key < last.highest  # then this row may reveal a resumption
        return not (late and self._repeats(last.key, metrics.keys() - last.metrics.keys()))

    def _repeats(self, key: float, metrics: Iterable[str]) -> bool:
        """Was any of these metrics reported before at this key or a higher one?"""
        reported = self.reported
        return any((keys := reported.get(name)) and keys[-1] >= key for name in metrics)

    def _append(self, key: float, metrics: dict[str, float], row: int) -> None:
        before = self.entries[-1].highest if self.entries else -math.inf
        highest = before if math.isnan(key) else max(before, key)
        self.entries.append(_Entry(key, highest, metrics, [row]))
        if not math.isnan(key):
            for name in metrics:
                self.reported.setdefault(name, []).append(key)

    def _merge(self, entry: _Entry, metrics: dict[str, float], row: int) -> None:
        for name in metrics:
            if name in entry.metrics:
                self.replaced += 1
            else:
                self.reported.setdefault(name, []).append(entry.key)
        entry.metrics.update(metrics)
        entry.rows.append(row)

    def _take_back(self, key: float) -> None:
        """Drop the epochs from `key` on, but not those that came after the fall-back."""
        after = [] if self.late is None else self.entries[self.late :]
        if self.late is not None:
            for entry in reversed(after):
                self._forget(entry)
            del self.entries[self.late :]
        while self.entries and self.entries[-1].highest >= key:
            self._forget(self.entries.pop())
            self.dropped += 1
        for entry in after:
            self._append(entry.key, entry.metrics, entry.rows[0])
            self.entries[-1].rows = entry.rows
        self.late = None

    def _forget(self, entry: _Entry) -> None:
        if not math.isnan(entry.key):
            for name in entry.metrics:
                self.reported[name].pop()


def split_runs(run: Run, coordinate: str | None, repeats: str) -> list[Run]:
    """Split the rows of one log into runs, and their rows into epochs, by the rule of this package.

    coordinate: the coordinate that counts the rows; None to choose one.
    repeats: "replace" or "keep".
    """
    parts = told_apart(run, coordinate)
    return [found for part in parts for found in _split(part, coordinate, repeats)]


def _split(run: Run, coordinate: str | None, repeats: str) -> list[Run]:
    counter = row_counter(run, coordinate)
    if counter is None:
        return [_by_repeats(run)] if run.joined else [run]
    if not run.joined and (rises(counter.keys) or rises(counter.keys[~np.isnan(counter.keys)])):
        return [run]
    if run.joined and not counter.counts:
        in_order = _by_repeats(run)
        in_order.notes.append(_not_counting(counter))
        return [in_order]
    runs = _apart(run, counter, repeats == "keep")
    if len(runs) > 1:
        for number, found in enumerate(runs, 1):
            found.name = f"{run.name} #{number}" if run.name else f"#{number}"
        runs[0].notes.insert(0, f"{len(runs)} runs, one after the other: told apart")
    if not counter.counts and repeats != "keep":
        runs[0].notes.insert(0, _not_counting(counter))
    runs[0].notes[:0] = run.notes
    return runs


def _apart(run: Run, counter: Counter, keep: bool) -> list[Run]:
    """The runs in a log whose rows are counted, with their epochs."""
    shared = not counter.counts
    found, starts = [_Entries(keep, shared)], [0]
    for row, (key, metrics) in enumerate(zip(counter.keys.tolist(), _by_row(run), strict=True)):
        if not found[-1].add(key, metrics, row):
            found.append(_Entries(keep, shared))
            starts.append(row)
            found[-1].add(key, metrics, row)
    runs, dense = [], _all_dense(run)
    for entries, start, end in zip(found, starts, [*starts[1:], run.length], strict=True):
        if not keep and _goes_to_and_fro(entries, end - start):
            rows = itertools.islice(_by_row(run), start, end)
            runs.append(_rebuilt(run, _in_order(rows, start, joined=run.joined), dense))
            runs[-1].notes.append(
                f"{counter.name!r} falls back {len(entries.resumed):,} times, which is more than a "
                "run is resumed: all rows are kept, in the order of the log"
            )
            continue
        if run.joined and not keep:
            _join(entries)
        runs.append(_rebuilt(run, entries, dense))
        runs[-1].notes += _notes(entries, counter.name)
    return runs


_MOST_RESUMED, _MOST_DROPPED = 30, 0.3  # times, and the share of the rows


def _goes_to_and_fro(entries: _Entries, rows: int) -> bool:
    """Does the counter fall back so often that much would be dropped, so that it is no counter?

    The steps of episodes of several environments do, where each is logged when it ends.
    """
    return len(entries.resumed) > _MOST_RESUMED and entries.dropped > _MOST_DROPPED * rows


def _not_counting(counter: Counter) -> str:
    return (
        f"several rows share each {counter.name} and report the same metrics: all are kept, in the "
        "order of the log"
    )


def _by_repeats(run: Run) -> Run:
    """The run without a coordinate: an epoch ends where a metric is reported again."""
    entries = _in_order(_by_row(run), 0, joined=True)
    found = _rebuilt(run, entries, _all_dense(run))
    found.notes += run.notes
    return found


def _in_order(rows: Iterable[dict[str, float]], start: int, *, joined: bool) -> _Entries:
    """The rows in their order; joined: one epoch until a metric is reported again."""
    entries = _Entries(keep=False)
    for row, metrics in enumerate(rows, start):
        last = entries.entries[-1] if entries.entries else None
        if last is None or not joined or metrics.keys() & last.metrics.keys():
            entries.entries.append(_Entry(math.nan, math.nan, metrics, [row]))
        else:
            last.metrics.update(metrics)
            last.rows.append(row)
    return entries


def _join(entries: _Entries) -> None:
    """Merge the entries of each step, and sort them by step."""
    by_key: dict[float, _Entry] = {}
    without: list[tuple[float, _Entry]] = []  # a final value, say, which keeps its position
    for entry in entries.entries:
        if math.isnan(entry.key):
            without.append((entry.highest, entry))
        elif entry.key in by_key:
            by_key[entry.key].metrics.update(entry.metrics)
            by_key[entry.key].rows += entry.rows
        else:
            by_key[entry.key] = entry
    in_order = [(key, 0, entry) for key, entry in by_key.items()]
    in_order += [(key, 1, entry) for key, entry in without]
    in_order.sort(key=lambda item: item[:2])
    entries.entries = [entry for *_, entry in in_order if entry.metrics]


def _notes(entries: _Entries, counter: str) -> list[str]:
    notes = []
    if entries.resumed:
        keys = ", ".join(f"{key:.12g}" for key in entries.resumed[:5])
        more = ", ..." if len(entries.resumed) > 5 else ""
        what = "kept" if entries.keep else f"{entries.dropped:,} rows replaced by later ones"
        times = "1 time" if len(entries.resumed) == 1 else f"{len(entries.resumed):,} times"
        notes.append(f"resumed {times}, at {keys}{more}: {what}")
    if entries.replaced:
        values = "1 value" if entries.replaced == 1 else f"{entries.replaced:,} values"
        notes.append(f"{values} reported again at the same {counter}: the last counts")
    return notes


def _by_row(run: Run) -> Iterator[dict[str, float]]:
    """The metrics of each row."""
    names = list(run.metrics)
    if not names:
        yield from ({} for _ in range(run.length))
        return
    rows = np.concatenate([run.metrics[name].rows for name in names])
    which = np.repeat(np.arange(len(names)), [len(run.metrics[name].rows) for name in names])
    values = np.concatenate([run.metrics[name].values for name in names])
    order = np.argsort(rows, kind="stable")
    ends = np.searchsorted(rows[order], np.arange(run.length), side="right").tolist()
    which_of, value_of = which[order].tolist(), values[order].tolist()
    start = 0
    for end in ends:
        yield {names[which_of[i]]: value_of[i] for i in range(start, end)}
        start = end


def _rebuilt(run: Run, epochs: _Entries, dense: dict[str, npt.NDArray[np.float64]]) -> Run:
    """The run of these epochs; an epoch has the coordinates of the last of its rows.

    dense: the coordinates of all rows of the log, NaN where a row has none.
    """
    columns: dict[str, tuple[list[int], list[float]]] = {}
    entries = epochs.entries
    for index, entry in enumerate(entries):
        for name, value in entry.metrics.items():
            rows, values = columns.setdefault(name, ([], []))
            rows.append(index)
            values.append(value)
    rows_of = np.array([row for entry in entries for row in entry.rows], dtype=np.int64)
    indices = np.repeat(np.arange(len(entries)), [len(entry.rows) for entry in entries])
    coordinates = {}
    for name, all_rows in dense.items():
        known_rows = ~np.isnan(all_rows[rows_of])
        found = np.full(len(entries), np.nan)
        found[indices[known_rows]] = all_rows[rows_of[known_rows]]
        known = np.flatnonzero(~np.isnan(found))
        if len(known):
            coordinates[name] = Points(known, found[known])
    metrics = {
        name: Points(np.array(rows, dtype=np.int64), np.array(values, dtype=np.float64))
        for name, (rows, values) in columns.items()
    }
    return Run(run.name, len(entries), metrics, coordinates, run.modes, run.joined)


def _all_dense(run: Run) -> dict[str, npt.NDArray[np.float64]]:
    dense = {}
    for name, points in run.coordinates.items():
        dense[name] = np.full(run.length, np.nan)
        dense[name][points.rows] = points.values
    return dense
