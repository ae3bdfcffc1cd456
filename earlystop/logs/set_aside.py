"""Runs of several sources that count once: a run logged twice, and final figures beside its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from .known_names import is_metric
from .read_source import ReadSource
from .run import Run
from .twins import folder_of, set_twins_aside

__all__ = ["set_aside"]

_INDICES = 30  # so many different whole numbers are no metric


def set_aside(reads: Sequence[ReadSource]) -> None:
    """Leave out what counts already, or is no run, with a note in the report.

    - Of a run that two files hold in two formats, the one with fewer values.
    - In a folder, a single record beside a log of more epochs: final figures.
    - In a folder, lists of many different whole numbers: indices of data.
    """
    for read in reads:
        if read.found:
            read.leave_out(_indices(read), "whole numbers that all differ: indices, not metrics")
    _final_figures([read for read in reads if read.runs and read.parts])
    set_twins_aside(reads)


def _indices(read: ReadSource) -> list[Run]:
    return [run for run in read.runs if not run.coordinates and _are_indices(run)]


def _are_indices(run: Run) -> bool:
    for name, points in run.metrics.items():
        values = points.values
        whole = len(values) >= _INDICES and bool((values == np.floor(values)).all())
        if not whole or len(np.unique(values)) < len(values) or is_metric(name):
            return False
    return True


def _final_figures(reads: Sequence[ReadSource]) -> None:
    single = [read for read in reads if _is_single_record(read)]
    if not single:
        return
    logs = [(PurePath(folder_of(read)), max(run.length for run in read.runs)) for read in reads]
    for read in single:
        path = PurePath(folder_of(read))
        for other, epochs in logs:
            if epochs > 1 and (other == path or path in other.parents or other in path.parents):
                why = "a single record beside a log of more epochs: final figures of a run"
                read.leave_out(list(read.runs), why)
                break


def _is_single_record(read: ReadSource) -> bool:
    return read.found and read.format == "records" and [r.length for r in read.runs] == [1]
