"""A report on replays, and maybe a sweep, as one self-contained HTML file.

Pictures are embedded. The file has no scripts, and a policy in its head forbids the browser to
fetch anything. The template engine (jinja2, with autoescape) escapes names from logs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._files.atomic import write_whole
from .._text import count
from ..errors import RuleError, RuleTypeError
from ..plotting import PAGE_KINDS, kind_of
from ..replaying.replay import Replay
from ..rules import Best
from .page import Picture, Section, render
from .tables import files_table, runs_table, settings_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..history.history import History
    from ..sweeping.sweep import Sweep

__all__ = ["page_with", "report_page", "write_report"]

_CURVES = 8  # the most runs that are drawn one by one
_ROWS = 1000  # the most rows of a table


def write_report(
    path: str | os.PathLike[str],
    *replays: Replay,
    sweep: Sweep | None = None,
    title: str = "What the rules would have done",
    rows: int = _ROWS,
) -> Path:
    """Write a report on what rules did over the runs of a history, as one HTML file.

    path: the file, whose name ends in .html or .htm.
    replays: of one history, one per rule.
    sweep: of the same runs; left out if None.
    rows: the most runs, and the most files, that are listed.

    The file is written whole or not at all. It embeds its pictures and refers to nothing outside.

    Raises RuleTypeError without replays, RuleError for replays of several histories and for a name
    with another ending, ImportError, naming what to install, without matplotlib or jinja2, OSError
    if the file cannot be written.

    >>> import earlystop as es, tempfile
    >>> history = es.History({"loss": [[3.0, 2.0, 2.5, 2.6, 1.0]]}, names=["<b>first</b>"])
    >>> result = es.replay(es.EarlyStopping("loss", patience=2), history)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = write_report(f"{folder}/report.html", result).read_text(encoding="utf-8")
    >>> "<b>first" in text, "&lt;b&gt;first" in text
    (False, True)
    """
    kind_of(path, PAGE_KINDS)
    page = report_page(*replays, sweep=sweep, title=title, rows=rows)
    return write_whole(path, page.encode())


def report_page(
    *replays: Replay,
    sweep: Sweep | None = None,
    title: str = "What the rules would have done",
    rows: int = _ROWS,
    curves: int = _CURVES,
) -> str:
    """The report that `write_report` writes, as text.

    curves: the most runs that are drawn one by one.

    >>> from earlystop import EarlyStopping, History, replay
    >>> result = replay(EarlyStopping("loss", patience=1), History({"loss": [3.0, 1.0, 2.0]}))
    >>> report_page(result).startswith("<!DOCTYPE html>")
    True
    """
    if not replays or not all(isinstance(result, Replay) for result in replays):
        raise RuleTypeError("a report takes replays, at least one: write_report(path, result, ...)")
    history = replays[0].history
    if any(result.history is not history for result in replays):
        raise RuleError("a report takes replays of one history, these are of several")
    facts = [
        f"{count(history.runs, 'run')} of {int(history.lengths.min()):,} to "
        f"{count(int(history.lengths.max()), 'epoch')}, {int(history.lengths.sum()):,} in all. "
        f"Metrics: {', '.join(history.metrics)}."
    ]
    read = 0 if history.report is None else sum(len(file.runs) for file in history.report.files)
    if read > history.runs:
        facts.append(f"Of {count(read, 'run')} that were read, {read - history.runs:,} left out.")
    return render(
        title=title,
        facts=facts,
        rules=[result.summary() for result in replays],
        sections=list(_sections(replays, sweep, history, rows, curves)),
    )


def page_with(figure: Figure, title: str) -> str:
    """A page with one picture."""
    only = Section("", [Picture(figure, title)])
    return render(title=title, facts=[], rules=[], sections=[only])


def _sections(
    replays: tuple[Replay, ...], sweep: Sweep | None, history: History, rows: int, curves: int
) -> Iterator[Section]:
    """The sections of the report, from the overview to single runs and files."""
    first, *others = replays
    if history.runs > 1:
        caption = "How much of the runs each rule uses, and how much it gives up"
        yield Section("All runs", [Picture(first.plot(*others), caption)])
    if sweep is not None:
        caption = "Mean regret over mean epochs used, for every setting"
        yield Section("Settings", [Picture(sweep.plot(), caption)], [settings_table(sweep)])
    drawn = _most_regret(first, curves)
    heading = "The run" if history.runs == 1 else "Runs, one by one"
    if len(drawn) < history.runs:
        heading = f"The {len(drawn)} runs with the largest regret"
    yield Section(
        heading,
        [Picture(first.plot(*others, run=run), f"{history.names[run]}") for run in drawn],
    )
    yield Section("Every run", tables=[runs_table(replays, history, rows)])
    if history.report is not None:
        yield Section("What was read", tables=[files_table(history.report.files, rows)])


def _most_regret(result: Replay, most: int) -> list[int]:
    """The `most` runs with the largest regret, in the order of the history."""
    runs = np.arange(len(result))
    if len(runs) > most:
        if isinstance(result.save, Best):
            regret = np.where(np.isnan(result.regret), -1.0, result.regret)
            runs = np.argsort(-regret, kind="stable")
        runs = np.sort(runs[:most])
    return [int(run) for run in runs]
