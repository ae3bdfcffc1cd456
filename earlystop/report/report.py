"""A report on replays, sweeps and advice, as one self-contained HTML file."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._files.atomic import write_whole
from .._text import count
from ..errors import RuleError, RuleTypeError
from ..language.rule_words import labels_of
from ..language.units import amount_cell, amount_in_words, unit_words
from ..plotting import REPORT_KINDS, kind_of
from ..replaying.price import Price
from ..replaying.replay import Replay, replay
from ..replaying.text import mixed_units_text
from ..rules import Best
from .advice import advice_section
from .data import page_data
from .headline import headline
from .page import render
from .pdf import find_browser, printed
from .tables import files_table, rules_table, runs_table, settings_table

if TYPE_CHECKING:
    from ..advising.result import Advice
    from ..sweeping.sweep import Sweep

__all__ = ["report_page", "write_report"]

_ROWS = 1000  # the most rows of a table
_TITLE = "What the rules would have done"


def write_report(
    path: str | os.PathLike[str],
    *replays: Replay,
    sweep: Sweep | Iterable[Sweep] | None = None,
    advice: Advice | None = None,
    title: str = _TITLE,
    rows: int = _ROWS,
    cost: str | Price | None = None,
    command: str = "",
) -> Path:
    """Write a report on what rules did over the runs of a history, as one HTML file.

    path: the file, whose name ends in .html, .htm or .pdf. A PDF is printed by a browser of this
        machine (Chromium, Chrome or Edge).
    replays: of one history, one per rule.
    sweep: of the same runs, or several, such as over two kinds of patience. The page has a slider
        over the settings, which shows what each does to every run.
    advice: about the same runs. Its rule is listed, too.
    rows: the most runs, and the most files, that are listed.
    cost: what an hour costs, such as "$2.5/h", which prices the hours of logs that have their time.
    command: the command that made the report, to show in it.

    The file is written whole or not at all. It has its style and its script in it, and refers to
    nothing outside.

    Raises RuleTypeError without replays, RuleError for replays, sweeps and advice on other runs or
    in other units, for a name with another ending, for a PDF without a browser and for a cost that
    cannot be read, ImportError, naming what to install, without jinja2, OSError if the file cannot
    be written.

    >>> import earlystop as es, tempfile
    >>> history = es.History({"loss": [[3.0, 2.0, 2.5, 2.6, 1.0]]}, names=["<b>first</b>"])
    >>> result = es.replay(es.EarlyStopping("loss", patience=2), history)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = write_report(f"{folder}/report.html", result).read_text(encoding="utf-8")
    >>> "<b>first" in text, "&lt;b&gt;first" in text
    (False, True)
    """
    kind = kind_of(path, REPORT_KINDS)
    if kind == "pdf":
        find_browser()  # before the work
    page = report_page(
        *replays, sweep=sweep, advice=advice, title=title, rows=rows, cost=cost, command=command
    )
    return write_whole(path, printed(page) if kind == "pdf" else page.encode())


def report_page(
    *replays: Replay,
    sweep: Sweep | Iterable[Sweep] | None = None,
    advice: Advice | None = None,
    title: str = _TITLE,
    rows: int = _ROWS,
    cost: str | Price | None = None,
    command: str = "",
) -> str:
    """The report that `write_report` writes, as text.

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
    sweeps = [] if sweep is None else list(sweep) if isinstance(sweep, Iterable) else [sweep]
    _require_same_runs(replays, sweeps, advice)
    price = Price.from_text(cost) if isinstance(cost, str) else cost
    advised = None if advice is None else _advised(advice, replays)
    every = list(replays)
    if advised is not None and all(advised is not result for result in replays):
        every.insert(0, advised)
    labels = labels_of([result.stop for result in every])
    own = labels[len(every) - len(replays) :]
    promised = advice is not None and bool(advice.promised)
    shown = advised if advised is not None and promised else replays[0]
    data = page_data(every, labels, sweeps, advised, shown, min(rows, history.runs), price)
    return render(
        data,
        title=title,
        headline=headline(replays, own, advice, advised, price),
        facts=[*_facts(replays[0]), *([f"Made by: {command}"] if command else [])],
        date=datetime.date.today().isoformat(),
        advice=None if advice is None else advice_section(advice),
        rules=rules_table(every, labels, price),
        settings=[settings_table(each) for each in sweeps],
        runs=runs_table(shown, rows, price),
        shown=labels[every.index(shown)],
        files=None if history.report is None else files_table(history.report.files, rows),
        picture=None,
    )


def _require_same_runs(
    replays: Sequence[Replay], sweeps: Sequence[Sweep], advice: Advice | None
) -> None:
    """Raise RuleError for what is about other runs, or in another unit."""
    history = replays[0].history
    units = [*(each.unit for each in replays), *(each.unit for each in sweeps)]
    for each in sweeps:
        if each.names != history.names:
            raise RuleError(
                f"a report takes a sweep of the runs of its replays, {count(history.runs, 'run')}: "
                f"this is of {count(each.runs, 'other run' if each.runs else 'run')}"
            )
    if len(set(units)) > 1:
        told = ", ".join(map(unit_words, dict.fromkeys(units)))
        raise RuleError(
            f"a report measures cost in one unit, these replays and sweeps in several, {told}: "
            "make all of them with one, such as unit='checks'"
        )
    if advice is not None and advice.runs + advice.left_out != history.runs:
        raise RuleError(
            f"a report takes advice on the runs of its replays, {count(history.runs, 'run')}: this "
            f"is about {count(advice.runs + advice.left_out, 'run')}"
        )


def _advised(advice: Advice, replays: Sequence[Replay]) -> Replay:
    """What the advised rule would have done: one of the replays, if it is of that rule."""
    for result in replays:
        if result.stop == advice.rule:
            return result
    first = replays[0]
    save = Best(advice.monitor, mode="min" if advice.mode == "min" else "max")
    return replay(
        advice.rule, first.history, save=save, on_missing=first.on_missing, unit=first.unit
    )


def _facts(result: Replay) -> Iterator[str]:
    """What the report is about."""
    history = result.history
    yield f"{_logged_text(result)}. Metrics: {', '.join(history.metrics)}."
    mixed = mixed_units_text(result.replayed, result.unit)
    if mixed is not None:
        yield f"{mixed}."
    read = 0 if history.report is None else sum(len(file.runs) for file in history.report.files)
    if read > history.runs:
        yield f"Of {count(read, 'run')} that were read, {read - history.runs:,} left out."


def _logged_text(result: Replay) -> str:
    """How much of the unit the runs logged: in all, and the least and the most of a run."""
    runs, logged = count(len(result), "run"), result.logged[~np.isnan(result.logged)]
    if not len(logged):
        return runs
    least, most = float(logged.min()), float(logged.max())
    text = f"{runs} of {amount_in_words(most, result.unit)}"
    if least < most:
        span = f"{amount_cell(least, result.unit)} to {amount_in_words(most, result.unit)}"
        text = f"{runs} of {span}"
    return f"{text}, {amount_cell(float(logged.sum()), result.unit)} in all"
