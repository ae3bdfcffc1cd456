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
from ..language.units import amount_cell, amount_in_words, unit_words
from ..plotting import PAGE_KINDS, kind_of
from ..replaying.price import Price
from ..replaying.replay import Replay
from ..replaying.text import mixed_units_text
from .page import Picture, Section, render
from .tables import files_table, rules_table, runs_table, settings_table

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
    cost: str | Price | None = None,
) -> Path:
    """Write a report on what rules did over the runs of a history, as one HTML file.

    path: the file, whose name ends in .html or .htm.
    replays: of one history, one per rule.
    sweep: of the same runs; left out if None.
    rows: the most runs, and the most files, that are listed.
    cost: what an hour costs, such as "$2.5/h", which prices the hours of logs that tell their time.

    The file is written whole or not at all. It embeds its pictures and refers to nothing outside.

    Raises RuleTypeError without replays, RuleError for replays of several histories, for a name
    with another ending and for a cost that cannot be read, ImportError, naming what to install,
    without matplotlib or jinja2, OSError if the file cannot be written.

    >>> import earlystop as es, tempfile
    >>> history = es.History({"loss": [[3.0, 2.0, 2.5, 2.6, 1.0]]}, names=["<b>first</b>"])
    >>> result = es.replay(es.EarlyStopping("loss", patience=2), history)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = write_report(f"{folder}/report.html", result).read_text(encoding="utf-8")
    >>> "<b>first" in text, "&lt;b&gt;first" in text
    (False, True)
    """
    kind_of(path, PAGE_KINDS)
    page = report_page(*replays, sweep=sweep, title=title, rows=rows, cost=cost)
    return write_whole(path, page.encode())


def report_page(
    *replays: Replay,
    sweep: Sweep | None = None,
    title: str = "What the rules would have done",
    rows: int = _ROWS,
    curves: int = _CURVES,
    cost: str | Price | None = None,
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
    price = Price.from_text(cost) if isinstance(cost, str) else cost
    facts = [f"{_logged_text(replays[0])}. Metrics: {', '.join(history.metrics)}."]
    mixed = mixed_units_text(replays[0].replayed, replays[0].unit)
    if mixed is not None:
        facts.append(f"{mixed}.")
    read = 0 if history.report is None else sum(len(file.runs) for file in history.report.files)
    if read > history.runs:
        facts.append(f"Of {count(read, 'run')} that were read, {read - history.runs:,} left out.")
    return render(
        title=title,
        facts=facts,
        sections=list(_sections(replays, sweep, history, rows, curves, price)),
    )


def page_with(figure: Figure, title: str) -> str:
    """A page with one picture."""
    only = Section("", [Picture(figure, title)])
    return render(title=title, facts=[], sections=[only])


def _logged_text(result: Replay) -> str:
    """How much of the unit the runs logged, in all and from the least to the most."""
    runs, logged = count(len(result), "run"), result.logged[~np.isnan(result.logged)]
    if not len(logged):
        return runs
    least, most = float(logged.min()), float(logged.max())
    text = f"{runs} of {amount_in_words(most, result.unit)}"
    if least < most:
        span = f"{amount_cell(least, result.unit)} to {amount_in_words(most, result.unit)}"
        text = f"{runs} of {span}"
    return f"{text}, {amount_cell(float(logged.sum()), result.unit)} in all"


def _sections(
    replays: tuple[Replay, ...],
    sweep: Sweep | None,
    history: History,
    rows: int,
    curves: int,
    price: Price | None,
) -> Iterator[Section]:
    """The sections of the report, from the overview to single runs and files."""
    first, *others = replays
    yield Section("Rules", tables=[rules_table(replays, price)])
    if history.runs > 1:
        caption = "How much of the runs each rule uses, and how much it gives up"
        yield Section("All runs", [Picture(first.plot(*others), caption)])
    if sweep is not None:
        caption = f"Mean regret over mean {unit_words(sweep.unit)} used, for every setting"
        yield Section("Settings", [Picture(sweep.plot(), caption)], [settings_table(sweep)])
    drawn = _most_regret(first, curves)
    heading = "The run" if history.runs == 1 else "Runs, one by one"
    if len(drawn) < history.runs:
        heading = f"The {len(drawn)} runs with the largest regret"
    yield Section(
        heading,
        [Picture(first.plot(*others, run=run), f"{history.names[run]}") for run in drawn],
    )
    yield Section("Every run", tables=[runs_table(replays, history, rows, price)])
    if history.report is not None:
        yield Section("What was read", tables=[files_table(history.report.files, rows)])


def _most_regret(result: Replay, most: int) -> list[int]:
    """The `most` runs with the largest regret, in the order of the history."""
    runs = np.arange(len(result))
    if len(runs) > most:
        if result.best_rule is not None:
            regret = np.where(np.isnan(result.regret), -1.0, result.regret)
            runs = np.argsort(-regret, kind="stable")
        runs = np.sort(runs[:most])
    return [int(run) for run in runs]
