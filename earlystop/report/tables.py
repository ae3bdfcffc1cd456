"""The tables of a report: settings, runs and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count, number
from ..replaying.replay import Replay
from ..rules import Best

if TYPE_CHECKING:
    from ..history.history import History
    from ..sweeping.sweep import Sweep

__all__ = ["Table", "files_table", "runs_table", "settings_table"]

_SETTINGS = 40  # about how many settings of a sweep are listed


@dataclass
class Table:
    """Headings and rows of text.

    text: the columns that hold text, not numbers. marked: the row to highlight.
    """

    headings: list[str]
    rows: list[list[str]]
    text: tuple[int, ...] = (0,)
    marked: int | None = None
    note: str = ""


def settings_table(sweep: Sweep) -> Table:
    """The settings of a sweep, evenly spaced if there are many; the knee is always listed."""
    axes = list(sweep.settings[0])
    step = max(1, -(-len(sweep) // _SETTINGS))
    listed = sorted({*range(0, len(sweep), step), len(sweep) - 1, *_knee(sweep)})
    rows = [
        [
            *(str(value) for value in sweep.settings[index].values()),
            f"{sweep.mean_epochs[index]:.1f}",
            f"{sweep.share_saved[index]:.1%}",
            number(float(sweep.mean_regret[index])),
        ]
        for index in listed
    ]
    note = "" if len(listed) == len(sweep) else f"{len(listed)} of {len(sweep):,} settings. "
    marked = None if sweep.knee is None else listed.index(sweep.knee)
    if marked is not None:
        note += "Marked: the knee, beyond which more epochs bring little."
    headings = [*axes, "mean epochs", "saved", "mean regret"]
    return Table(headings, rows, text=(), marked=marked, note=note)


def _knee(sweep: Sweep) -> list[int]:
    """The index of the knee, if there is one."""
    return [] if sweep.knee is None else [sweep.knee]


def runs_table(replays: tuple[Replay, ...], history: History, most: int) -> Table:
    """What each rule did on each run, for the first `most` runs."""
    several = len(replays) > 1
    headings = ["run", "epochs logged"]
    for index, result in enumerate(replays, start=1):
        which = f"rule {index}: " if several else ""
        headings += [f"{which}epochs used", "ended by", "epoch kept"]
        if isinstance(result.save, Best):
            headings += [f"{result.save.monitor} kept", "regret"]
    rows = []
    for run in range(min(history.runs, most)):
        row = [history.names[run], f"{int(replays[0].logged[run]):,}"]
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
    return Table(headings, rows, note=note)


def _left_out(file: Any) -> list[str]:
    """Why a file was left out, without its name, which has its own column."""
    return [f"left out: {file.error.removeprefix(f'{file.source}: ')}"] if file.error else []


def files_table(files: tuple[Any, ...], most: int) -> Table:
    """The files that were read, those left out first."""
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
    return Table(["source", "format", "runs", "notes"], rows, text=(0, 1, 3), note=note)
