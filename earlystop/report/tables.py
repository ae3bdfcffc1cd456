"""The tables of a report: rules, settings, runs and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count, distinct_names, duration, number, shared_parts
from ..advising.text import percent
from ..language.rule_words import rule_words
from ..language.units import amount_cell, mean_cell, unit_of_check, unit_words
from ..replaying.replay import Replay
from ..replaying.run_columns import counted_ahead
from ..replaying.text import hours_cells, used_text

if TYPE_CHECKING:
    from ..replaying.price import Price
    from ..sweeping.sweep import Sweep

__all__ = ["Table", "files_table", "rules_table", "runs_table", "settings_table"]

_SETTINGS = 40  # about how many settings of a sweep are listed


def short_number(value: float | None) -> str:
    """A regret, with as many digits as a reader looks at.

    >>> short_number(0.000590023), short_number(None)
    ('0.00059', '-')
    """
    return "-" if value is None else f"{value:.3g}"


@dataclass
class Table:
    """Headings and rows of text; the first cell of a row names it.

    text: the columns that hold text, not numbers.
    lesser: those that a narrow screen leaves out.
    least: those that a screen of middle width leaves out, too.
    marked: the row to highlight.
    keys: what the page calls the columns, if it fills them in.
    details: a second line for the first cell of each row.
    """

    headings: list[str]
    rows: list[list[str]]
    caption: str = ""
    text: tuple[int, ...] = (0,)
    lesser: tuple[int, ...] = ()
    least: tuple[int, ...] = ()
    marked: int | None = None
    note: str = ""
    keys: tuple[str, ...] = ()
    details: Sequence[str] = ()


def settings_table(sweep: Sweep) -> Table:
    """The settings of a sweep, evenly spaced if there are many; the knee is always listed."""
    axes = list(sweep.settings[0])
    step = max(1, -(-len(sweep) // _SETTINGS))
    listed = sorted({*range(0, len(sweep), step), len(sweep) - 1, *_knee(sweep)})
    rows = [
        [
            *(str(value) for value in sweep.settings[index].values()),
            mean_cell(float(sweep.mean_used[index]), sweep.unit),
            percent(float(sweep.share_saved[index])),
            short_number(float(sweep.mean_regret[index])),
        ]
        for index in listed
    ]
    note = "" if len(listed) == len(sweep) else f"{len(listed)} of {len(sweep):,} settings. "
    marked = None if sweep.knee is None else listed.index(sweep.knee)
    if marked is not None:
        note += "Marked: the knee: longer runs bring next to nothing here."
    fields = [name.rpartition(".")[2] for name in axes]
    headings = [*fields, f"mean {unit_words(sweep.unit)}", "saved", "mean regret"]
    caption = f"{rule_words(sweep.rule, fields)}: {count(len(sweep), 'setting')}"
    return Table(headings, rows, caption=caption, text=(), marked=marked, note=note)


def _knee(sweep: Sweep) -> list[int]:
    """The index of the knee, if there is one."""
    return [] if sweep.knee is None else [sweep.knee]


def rules_table(replays: Sequence[Replay], labels: Sequence[str], price: Price | None) -> Table:
    """What each rule did over all runs."""
    timed = not np.isnan(replays[0].hours_logged).all()
    saves = [repr(result.save) for result in replays]
    headings = ["rule", "runs stopped", "used", "saved", "mean regret", "worst regret"]
    headings += ["time used", "time saved"] if timed else []
    rows = []
    for result, label in zip(replays, labels, strict=True):
        row = result.summary()
        cells = [
            *(label, f"{row['stopped']:,} of {row['runs']:,}"),
            *(used_text(row), percent(row["share_saved"])),
            *(short_number(row["mean_regret"]), short_number(row["max_regret"])),
        ]
        rows.append([*cells, *hours_cells(result, price)] if timed else cells)
    note = (
        "Regret, what is given up: how much worse the value that is kept is than the best of the "
        f"whole log, in the metric's unit. Kept: {' or '.join(dict.fromkeys(saves))}."
    )
    told = int((~np.isnan(replays[0].hours_logged)).sum())
    if 0 < told < len(replays[0]):
        note += f" Time: of the {count(told, 'run')} that report it."
    rules = [repr(result.stop) for result in replays]
    return Table(headings, rows, lesser=(1, 5, 7), least=(2, 6), note=note, details=rules)


def runs_table(result: Replay, most: int, price: Price | None) -> Table:
    """What a rule did on each run, for the first `most` runs."""
    listed = np.arange(min(result.history.runs, most))
    columns = list(_run_columns(result, listed, price))
    rows = [list(cells) for cells in zip(*(cells for _, _, cells in columns), strict=True)]
    note = "" if len(rows) == len(result) else f"The first {len(rows):,} of {len(result):,} runs. "
    start, end = shared_parts(result.history.names)
    if start or end:
        note += f"Names without what all have in common: {start}…{end}"
    return Table(
        [heading for _, heading, _ in columns],
        rows,
        text=(0, 1, 4),
        lesser=tuple(at for at, (key, _, _) in enumerate(columns) if key in _LESSER),
        least=tuple(at for at, (key, _, _) in enumerate(columns) if key in _LEAST),
        note=note,
        keys=tuple(key for key, _, _ in columns),
    )


_NAME = 60  # characters of a name
_LESSER = ("logged", "kept", "hours")
_LEAST = ("ended", "best", "cost")


def _run_columns(result: Replay, runs: Any, price: Price | None) -> Any:
    """The key, the heading and the cells of each column of the table of runs."""
    words, unit, saved = unit_words(result.unit), result.unit, result.saved_check[runs]
    kept = result.replayed.positions.amount(unit, result.saved_check + 1) - counted_ahead(result)
    places = zip(kept[runs].tolist(), saved.tolist(), strict=True)
    yield "run", "run", distinct_names(result.history.names, _NAME)[: len(runs)]
    yield "curve", "curve", [""] * len(runs)
    yield "logged", f"{words} logged", _amounts(result.logged[runs], unit)
    yield "used", f"{words} used", _amounts(result.used[runs], unit)
    yield "ended", "ended by", ["rule" if stopped else "log" for stopped in result.stopped[runs]]
    one = unit_of_check(unit)
    cells = ["-" if no < 0 else amount_cell(at, unit) for at, no in places]
    yield "kept", f"{one} kept" if one else "kept after", cells
    if result.best_rule is not None:
        values = zip(result.best[runs].tolist(), saved.tolist(), strict=True)
        yield "best", "value kept", [number(None if no < 0 else value) for value, no in values]
        regrets = result.regret[runs].tolist()
        yield "regret", "regret", [short_number(None if each != each else each) for each in regrets]
    if not np.isnan(result.hours_logged).all():
        hours = (result.hours_logged - result.hours)[runs].tolist()
        yield "hours", "time saved", [duration(3600 * each) for each in hours]
        if price is not None:
            yield "cost", "cost saved", ["-" if h != h else price.text(h) for h in hours]


def _amounts(amounts: Any, unit: str) -> list[str]:
    return [amount_cell(each, unit) for each in amounts]


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
    return Table(
        ["source", "format", "runs", "notes"], rows, text=(0, 1, 3), lesser=(1, 2), note=note
    )
