"""A report on replays, and on a sweep, as one HTML file that needs nothing but itself.

Pictures are within the file; there are no scripts, and a policy in its head forbids the browser to
fetch anything. Names from logs are escaped by the template engine (jinja2, with autoescape).
"""

from __future__ import annotations

import base64
import functools
import importlib.resources
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._files.atomic import write_whole
from .._text import count, number, one_line
from ..errors import RuleError, RuleTypeError
from ..plotting import picture
from ..replaying.replay import Replay
from ..rules import Best

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..history.history import History
    from ..sweeping.sweep import Sweep

__all__ = ["page_with", "report_page", "write_report"]

_CURVES = 8  # runs that are drawn one by one
_ROWS = 1000  # of a table, before the rest is left out
_SETTINGS = 40  # of a sweep that are listed


def write_report(
    path: str | os.PathLike[str],
    *replays: Replay,
    sweep: Sweep | None = None,
    title: str = "What the rules would have done",
    rows: int = _ROWS,
) -> Path:
    """Write a report on what rules did over the runs of a history, as one HTML file.

    replays: of one history, one a rule. sweep: of the same runs, if there is one. rows: of runs and
    of files so many are listed. The file is written whole or not at all; it holds its pictures and
    refers to nothing outside.

    Raises RuleError for replays of several histories or for none, ImportError, naming what to
    install, without matplotlib or jinja2, OSError where the file cannot be written.

    >>> import earlystop as es, tempfile
    >>> history = es.History({"loss": [[3.0, 2.0, 2.5, 2.6, 1.0]]}, names=["<b>first</b>"])
    >>> result = es.replay(es.EarlyStopping("loss", patience=2), history)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = write_report(f"{folder}/report.html", result).read_text(encoding="utf-8")
    >>> "<b>first" in text, "&lt;b&gt;first" in text
    (False, True)
    """
    page = report_page(*replays, sweep=sweep, title=title, rows=rows)
    return write_whole(path, page.encode())


def report_page(
    *replays: Replay,
    sweep: Sweep | None = None,
    title: str = "What the rules would have done",
    rows: int = _ROWS,
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
    facts = [
        f"{count(history.runs, 'run')} of {int(history.lengths.min()):,} to "
        f"{count(int(history.lengths.max()), 'epoch')}, {int(history.lengths.sum()):,} in all. "
        f"Metrics: {', '.join(history.metrics)}."
    ]
    read = 0 if history.report is None else sum(len(file.runs) for file in history.report.files)
    if read > history.runs:
        facts.append(f"Of {count(read, 'run')} that were read, {read - history.runs:,} left out.")
    return _rendered(
        title=title,
        facts=facts,
        rules=[result.summary() for result in replays],
        sections=list(_sections(replays, sweep, history, rows)),
    )


def page_with(figure: Figure, title: str) -> str:
    """A page with one picture."""
    only = _Section("", [_Picture(figure, title)])
    return _rendered(title=title, facts=[], rules=[], sections=[only])


@dataclass
class _Table:
    headings: list[str]
    rows: list[list[str]]
    text: tuple[int, ...] = (0,)  # the columns that hold text
    marked: int | None = None
    note: str = ""


class _Picture:
    def __init__(self, figure: Figure, caption: str) -> None:
        self.data = base64.b64encode(picture(figure, "svg")).decode()
        self.caption = caption


@dataclass
class _Section:
    title: str
    pictures: list[_Picture] = field(default_factory=list)
    tables: list[_Table] = field(default_factory=list)


def _rendered(**values: Any) -> str:
    from .. import __version__

    return str(_template().render(version=__version__, **values))


@functools.cache
def _template() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError('a report needs jinja2: pip install "earlystop[report]"') from error
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False
    )
    environment.filters |= {"line": one_line, "number": number}
    source = importlib.resources.files(__package__).joinpath("report.html.jinja")
    return environment.from_string(source.read_text(encoding="utf-8"))


def _sections(
    replays: tuple[Replay, ...], sweep: Sweep | None, history: History, rows: int
) -> Iterator[_Section]:
    first, *others = replays
    if history.runs > 1:
        caption = "How much of the runs each rule uses, and how much it gives up"
        yield _Section("All runs", [_Picture(first.plot(*others), caption)])
    if sweep is not None:
        caption = "Mean regret over mean epochs used, for every setting"
        yield _Section("Settings", [_Picture(sweep.plot(), caption)], [_settings_table(sweep)])
    chosen = _most_telling(first)
    heading = "The run" if history.runs == 1 else "Runs, one by one"
    if len(chosen) < history.runs:
        heading = f"The {len(chosen)} runs with the largest regret"
    yield _Section(
        heading,
        [_Picture(first.plot(*others, run=run), f"{history.names[run]}") for run in chosen],
    )
    yield _Section("Every run", tables=[_runs_table(replays, history, rows)])
    if history.report is not None:
        yield _Section("What was read", tables=[_files_table(history.report.files, rows)])


def _most_telling(result: Replay) -> list[int]:
    """The runs to draw: those with the largest regret, in their order."""
    runs = np.arange(len(result))
    if len(runs) > _CURVES:
        if isinstance(result.save, Best):
            regret = np.where(np.isnan(result.regret), -1.0, result.regret)
            runs = np.argsort(-regret, kind="stable")
        runs = np.sort(runs[:_CURVES])
    return [int(run) for run in runs]


def _settings_table(sweep: Sweep) -> _Table:
    axes = list(sweep.settings[0])
    step = max(1, -(-len(sweep) // _SETTINGS))
    shown = sorted({*range(0, len(sweep), step), len(sweep) - 1, *_knee(sweep)})
    rows = [
        [
            *(str(value) for value in sweep.settings[index].values()),
            f"{sweep.mean_epochs[index]:.1f}",
            f"{sweep.share_saved[index]:.1%}",
            number(float(sweep.mean_regret[index])),
        ]
        for index in shown
    ]
    note = "" if len(shown) == len(sweep) else f"{len(shown)} of {len(sweep):,} settings. "
    marked = None if sweep.knee is None else shown.index(sweep.knee)
    if marked is not None:
        note += "Marked: the knee, beyond which more epochs bring little."
    headings = [*axes, "mean epochs", "saved", "mean regret"]
    return _Table(headings, rows, text=(), marked=marked, note=note)


def _knee(sweep: Sweep) -> list[int]:
    return [] if sweep.knee is None else [sweep.knee]


def _runs_table(replays: tuple[Replay, ...], history: History, most: int) -> _Table:
    several = len(replays) > 1
    headings = ["run", "epochs logged"]
    for index, result in enumerate(replays, start=1):
        which = f"rule {index}: " if several else ""
        headings += [f"{which}epochs used", "ended by", "epoch kept"]
        if isinstance(result.save, Best):
            headings += [f"{result.save.monitor} kept", "regret"]
    rows = []
    for run in range(min(history.runs, most)):
        row = [history.names[run], f"{int(history.lengths[run]):,}"]
        for result in replays:
            kept = int(result.saved_epoch[run])
            row += [
                f"{int(result.epochs[run]):,}",
                "rule" if result.stopped[run] else "log",
                "-" if kept < 0 else f"{kept:,}",
            ]
            if isinstance(result.save, Best):
                regret = float(result.regret[run])
                row.append("-" if kept < 0 else number(float(result.best[run])))
                row.append("-" if np.isnan(regret) else number(regret))
        rows.append(row)
    note = "" if len(rows) == history.runs else f"The first {len(rows):,} of {history.runs:,} runs."
    return _Table(headings, rows, note=note)


def _left_out(file: Any) -> list[str]:
    """Why a file was left out, without its name, which stands beside it."""
    return [f"left out: {file.error.removeprefix(f'{file.source}: ')}"] if file.error else []


def _files_table(files: tuple[Any, ...], most: int) -> _Table:
    ordered = sorted(files, key=lambda file: not file.error)  # what was left out comes first
    rows = [
        [
            str(file.source),
            file.format or "-",
            f"{len(file.runs):,}",
            "; ".join([*file.notes, *_left_out(file)]),
        ]
        for file in ordered[:most]
    ]
    note = "" if len(rows) == len(files) else f"{len(rows):,} of {count(len(files), 'file')}."
    return _Table(["source", "format", "runs", "notes"], rows, text=(0, 1, 3), note=note)
