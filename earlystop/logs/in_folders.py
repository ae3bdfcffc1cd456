"""What counts as a log in a folder, where most files are none.

A file has proved to be a log if its format is that of one tool, or if it has a column that counts
its rows. Only the damage of a proven log ends the reading of a folder. Of other files, those that
name a metric are read like a file that is given by its name; what cannot be read is listed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..errors import LogError
from ..language.splits import SPLITS
from .columns import is_float
from .known_names import (
    are_predictions,
    counts_for_certain,
    counts_rows,
    is_hyperparameter,
    is_metric,
    is_settings,
    prints_a_loss,
)
from .log_format import LogFormat
from .run import Run
from .source import Source

__all__ = ["counted_or_known", "is_proven", "looks_like_a_log"]

_SEPARATOR = re.compile(r"[,;\t|]")
_LINES = 20  # at the start, among which the header is: comments may stand before it


def is_proven(log: Source, format: LogFormat) -> bool:
    """Has this file of this format proved to be a log?"""
    return (
        not format.general
        or log.options.coordinate is not None
        or any(map(counts_for_certain, _names(log)))
    )


def looks_like_a_log(log: Source) -> bool:
    """Does the start of this file name a metric, or a column that counts rows?"""
    try:
        known = any(counts_for_certain(name) or is_metric(name) for name in _names(log))
    except (LogError, OSError):  # even its start cannot be read
        return False
    return known or is_monitor(log) or prints_a_loss(log.text)


def counted_or_known(log: Source, runs: Iterable[Run], *, by_header: bool) -> Iterator[Run]:
    """The runs of a general format, if they are those of a log.

    by_header: whether this is a table, whose header says what is in it.

    Raises LogError, with the way to read the file after all, for rows that nothing counts and
    whose metrics are unknown.
    """
    wanted = log.options.coordinate is not None
    if by_header and _is_text(log) and not wanted and not looks_like_a_log(log):
        raise _no_log(log)  # by its start alone: it may be of any size
    all_runs = list(runs)
    names = {name for run in all_runs for name in run.metrics}
    known = any(map(is_metric, names)) or _is_log_of_values(log, all_runs)
    single = all(run.length < 2 for run in all_runs)
    counters = [name for run in all_runs for name in run.coordinates if counts_rows(name)]
    settings = single and (not _is_text(log) or _is_named_settings(log))
    if not known and not wanted:  # `epochs` is an amount of settings, `round` a part of a season
        counters = [
            name
            for name in counters
            if counts_for_certain(name) and not (settings and name.lower().endswith("s"))
        ]
    if counters and not wanted and _are_trials(all_runs, counters):
        raise _no_log(log, "a row for each choice of settings: results of trials")
    if counters and (wanted or any(map(counts_for_certain, counters)) or not _has_words(log)):
        yield from all_runs
        return
    if names == {log.options.value_name} and not known:
        raise _no_log(log, "numbers whose file names no metric (labels, indices, a picture?)")
    if not is_monitor(log) and (not known or single or _has_words(log)):
        raise _no_log(log, _why(known, single))
    if are_predictions(names):
        raise _no_log(log, "predictions beside what is true, one row per sample")
    log.notes.append("no column is known to count its rows: read in their order")
    yield from all_runs


def _is_named_settings(log: Source) -> bool:
    return log.path is not None and is_settings(log.path.stem)


def _are_trials(runs: Sequence[Run], counters: Sequence[str]) -> bool:
    """Are these the results of several trainings, a row each, with their settings?

    The epochs of each are an amount then, which does not rise from row to row.
    """
    if not all(name.lower().endswith("s") for name in counters):
        return False
    names = {name for run in runs for name in (*run.metrics, *run.labels, *run.left_out)}
    columns = [run.coordinates[n] for run in runs for n in counters if n in run.coordinates]
    rises = all((np.diff(points.values) > 0).all() for points in columns)
    return not rises and any(map(is_hyperparameter, names))


def is_monitor(log: Source) -> bool:
    """Are these the episodes that the monitor of Stable-Baselines wrote, a row for each?"""
    return log.text.startswith("#{") and '"t_start"' in log.first_lines[0]


def _is_log_of_values(log: Source, runs: Sequence[Run]) -> bool:
    """May these runs of an array, whose values have no names, be a log?

    With one row, they may be if its file names a metric, or if its values are not all whole
    numbers, as labels are. With several rows, which may be a picture, both must be true. A list in
    JSON may be of anything, so its file must name a metric.
    """
    name = log.options.value_name
    if any(run.metrics.keys() != {name} for run in runs):
        return False
    named = log.path is None or any(map(is_metric, _words(log.path.stem)))
    broken = any(
        bool((p.values != np.floor(p.values)).any()) for r in runs for p in [r.metrics[name]]
    )
    if len(runs) > 1:
        return named and broken
    return named or (broken and not log.text.lstrip().startswith("["))


def _words(name: str) -> set[str]:
    return set(_WORD.findall(name.lower())) - SPLITS


_WORD = re.compile(r"[a-z]+")


def _is_text(log: Source) -> bool:
    """Is this a table of text, whose columns have their names at the start?"""
    return bool(log.text) and not log.text.lstrip().startswith(("{", "["))


def _why(known: bool, single: bool) -> str:
    """Why rows that nothing counts are not taken for a log."""
    if not known:
        return _UNKNOWN
    if single:
        return "a single row that no column counts (final figures?)"
    return "text in its rows, and no column that counts them (a report by class?)"


_UNKNOWN = "neither a column that counts its rows nor a known metric"


def _no_log(log: Source, why: str = _UNKNOWN) -> LogError:
    how = "not taken for a log in a folder; to read it, name the file"
    return log.wrong(f"{why}: {how}", not_a_log=True)


def _names(log: Source) -> Iterable[str]:
    """The names at the start of a file: those of columns, or keys of JSON."""
    records = log.first_records
    if not records and log.text.lstrip().startswith(("{", "[")):
        return _KEY.findall(log.text[:_BEGINNING])
    if records:
        return dict.fromkeys(str(name) for record in records for name in record)
    return itertools.chain.from_iterable(_headers(log))


_KEY = re.compile(r'"([^"\\\n]{1,200})"\s*:')
_BEGINNING = 4096


def _headers(log: Source) -> Iterator[list[str]]:
    for number, line in enumerate(log.first_lines[:_LINES]):
        cells = _SEPARATOR.split(line)
        cells = cells if len(cells) > 1 else line.split()
        found = [cell.strip(" \"'#") for cell in cells]
        if not any(map(is_float, found)) or (not number and any(map(counts_for_certain, found))):
            yield found


def _has_words(log: Source) -> bool:
    """Is there text in the rows of a table, as in a report with one row per class?"""
    if log.text.lstrip().startswith(("{", "[")) or log.value is not None:
        return False
    for line in log.first_lines[1:2]:
        found = [cell.strip(" \"'") for cell in _SEPARATOR.split(line)]
        return any(cell and not is_float(cell) for cell in found)
    return False
