"""The tables of a report: settings, runs and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count, number
from ..language.units import mean_cell, unit_words
from ..replaying.replay import Replay
from ..replaying.run_columns import run_columns
from ..replaying.text import hours_text, used_text

if TYPE_CHECKING:
    from ..history.history import History
    from ..replaying.price import Price
    from ..sweeping.sweep import Sweep

__all__ = ["Table", "files_table", "rules_table", "runs_table", "settings_table"]

_SETTINGS = 40  # about how many settings of a sweep are listed


@dataclass
class Table:
    """Headings and rows of text.

    text: the columns that hold text, not numbers. code: those of them that hold rules.
    marked: the row to highlight.
    """

    headings: list[str]
    rows: list[list[str]]
    text: tuple[int, ...] = (0,)
    code: tuple[int, ...] = ()
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
            mean_cell(float(sweep.mean_used[index]), sweep.unit),
            f"{sweep.share_saved[index]:.1%}",
            number(float(sweep.mean_regret[index])),
        ]
        for index in listed
    ]
    note = "" if len(listed) == len(sweep) else f"{len(listed)} of {len(sweep):,} settings. "
    marked = None if sweep.knee is None else listed.index(sweep.knee)
    if marked is not None:
        note += "Marked: the knee: longer runs bring next to nothing here."
    headings = [*axes, f"mean {unit_words(sweep.unit)}", "saved", "mean regret"]
    return Table(headings, rows, text=(), marked=marked, note=note)


def _knee(sweep: Sweep) -> list[int]:
    """The index of the knee, if there is one."""
    return [] if sweep.knee is None else [sweep.knee]


def rules_table(replays: tuple[Replay, ...], price: Price | None) -> Table:
    """What each rule did over all runs."""
    timed = not np.isnan(replays[0].hours_logged).all()
    headings = ["rule", "keeps", "runs stopped", "used", "saved", "mean regret", "worst regret"]
    headings += ["time"] if timed else []
    rows = []
    for result in replays:
        row = result.summary()
        cells = [
            *(row["rule"], row["save"], f"{row['stopped']:,} of {row['runs']:,}"),
            *(used_text(row), f"{row['share_saved']:.1%}"),
            *(number(row["mean_regret"]), number(row["max_regret"])),
        ]
        rows.append([*cells, hours_text(result, price)] if timed else cells)
    note = (
        "Regret: how much worse the value that is kept is than the best of the whole log, in the "
        "metric's unit."
    )
    return Table(headings, rows, text=(0, 1), code=(0, 1), note=note)


def runs_table(
    replays: tuple[Replay, ...], history: History, most: int, price: Price | None
) -> Table:
    """What each rule did on each run, for the first `most` runs."""
    listed = np.arange(min(history.runs, most))
    names = ["run"]
    cells = [[history.names[run] for run in listed]]
    for index, result in enumerate(replays, start=1):
        columns = run_columns(result, listed, price)
        logged, used = list(columns)[:2]
        if index == 1:
            names.append(logged)
            cells.append(columns[logged])
        del columns[logged]
        which = f"rule {index}: " if len(replays) > 1 else ""
        names += [f"{which}{name}" if name == used else name for name in columns]
        cells += columns.values()
    rows = [list(row) for row in zip(*cells, strict=True)]
    note = "" if len(rows) == history.runs else f"The first {len(rows):,} of {history.runs:,} runs."
    return Table(names, rows, note=note)


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
